// One reconnecting client in its default settings: clients.mjs NAME URL; packages from $NODE_PATH.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [name, url] = process.argv.slice(2);
const require = createRequire(join(process.env.NODE_PATH, 'here.js'));
const load = (what) => import(pathToFileURL(require.resolve(what)).href);
const quiet = () => {};
process.on('uncaughtException', (error) => console.error(error));
process.on('unhandledRejection', (error) => console.error(error));
const { host, hostname, port } = new URL(url);

const clients = {
  partysocket() {
    const Reconnecting = require('partysocket/ws').default;
    new Reconnecting(url, [], { WebSocket: require('ws') }).onerror = quiet;
  },
  'reconnecting-websocket'() {
    const Reconnecting = require('reconnecting-websocket');
    new (Reconnecting.default ?? Reconnecting)(url, [], { WebSocket: require('ws') }).onerror = quiet;
  },
  sockette() {
    globalThis.WebSocket = require('ws');
    const Sockette = require('sockette');
    new Sockette(url, { onerror: quiet });
  },
  'websocket-ts'() {
    globalThis.WebSocket = require('ws');
    const { WebsocketBuilder, ConstantBackoff } = require('websocket-ts');
    new WebsocketBuilder(url).withBackoff(new ConstantBackoff(1000)).onError(quiet).build();
  },
  'graphql-ws'() {
    const { createClient } = require('graphql-ws');
    const client = createClient({ url, webSocketImpl: require('ws') });
    client.subscribe({ query: 'subscription { never }' }, { next: quiet, error: quiet, complete: quiet });
  },
  phoenix() {
    const { Socket } = require('phoenix');
    const socket = new Socket(url, { transport: require('ws') });
    socket.onError(quiet);
    socket.connect();
  },
  centrifuge() {
    const { Centrifuge } = require('centrifuge');
    const client = new Centrifuge(url, { websocket: require('ws') });
    client.on('error', quiet);
    client.connect();
  },
  'socket.io-client'() {
    require('socket.io-client')(`http://${host}`, { transports: ['websocket'] });
  },
  '@microsoft/signalr'() {
    const { HubConnectionBuilder, HttpTransportType, LogLevel } = require('@microsoft/signalr');
    const options = { skipNegotiation: true, transport: HttpTransportType.WebSockets };
    const builder = new HubConnectionBuilder().withUrl(`http://${host}/hub`, options);
    builder.withAutomaticReconnect().configureLogging(LogLevel.None).build().start();
  },
  'pusher-js'() {
    const Pusher = require('pusher-js');
    const where = { wsHost: hostname, wsPort: Number(port), forceTLS: false, cluster: 'none' };
    new Pusher('key', { ...where, enabledTransports: ['ws'], enableStats: false });
  },
  ably() {
    const Ably = require('ably');
    const where = { endpoint: hostname, port: Number(port), tls: false, fallbackHosts: [] };
    const quietly = { useBinaryProtocol: false, disableConnectivityCheck: true, logLevel: 0 };
    new Ably.Realtime({ key: 'app.key:secret', ...where, ...quietly });
  },
  async '@stomp/stompjs'() {
    globalThis.WebSocket = require('ws');
    const { Client } = await load('@stomp/stompjs');
    new Client({ brokerURL: url }).activate();
  },
  'rpc-websockets'() {
    const { Client } = require('rpc-websockets');
    new Client(url).on('error', quiet);
  },
};

await clients[name]();
setInterval(quiet, 1e6);
