// One server of JavaScript: serve.mjs NAME, at $PORT; packages come from $NODE_PATH. A line on
// standard input makes it do what it says. SIGTERM ends the process, as it does by default.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const name = process.argv[2];
const port = Number(process.env.PORT);
const host = '127.0.0.1';
const require = createRequire(join(process.env.NODE_PATH, 'here.js'));
const load = (what) => import(pathToFileURL(require.resolve(what)).href);
const commands = {};
const leave = () => process.exit(0);

const servers = {
  async ws() {
    const { WebSocketServer } = require('ws');
    const server = new WebSocketServer({ host, port });
    server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    commands.close = () => { server.close(leave); server.clients.forEach((client) => client.close(1001)); };
    commands.terminate = () => { server.clients.forEach((client) => client.terminate()); server.close(leave); };
    commands.bare = () => { server.clients.forEach((client) => client.close()); server.close(leave); };
  },
  async 'Socket.IO'() {
    const { Server } = require('socket.io');
    const http = createServer();
    const io = new Server(http, { pingInterval: 1000, pingTimeout: 1000 });
    commands.close = () => io.close(leave);
    commands.disconnect = () => io.disconnectSockets(true);
    http.listen(port, host);
  },
  async 'graphql-ws'() {
    const { buildSchema } = require('graphql');
    const { useServer } = require('graphql-ws/use/ws');
    const { WebSocketServer } = require('ws');
    const schema = buildSchema('type Query { now: Int } type Subscription { never: Int }');
    const server = new WebSocketServer({ host, port });
    const served = useServer({ schema, connectionInitWaitTimeout: 1000 }, server);
    commands.close = async () => { await served.dispose(); leave(); };
  },
  async 'y-websocket'() {
    const { WebSocketServer } = require('ws');
    const utils = require('y-websocket/bin/utils');
    const server = new WebSocketServer({ host, port });
    server.on('connection', utils.setupWSConnection);
  },
  async hocuspocus() {
    const { Server } = await load('@hocuspocus/server');
    const server = new Server({ address: host, port, timeout: Number(process.env.TIMEOUT ?? 60000), quiet: true });
    commands.close = async () => { await server.destroy(); leave(); };
    await server.listen();
  },
  async '@fastify/websocket'() {
    const app = require('fastify')();
    await app.register(require('@fastify/websocket'));
    app.get('/', { websocket: true }, (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    app.get('/plain', (request, reply) => reply.send('no WebSocket here'));
    commands.close = async () => { await app.close(); leave(); };
    await app.listen({ host, port });
  },
  async mercurius() {
    const app = require('fastify')();
    app.register(require('mercurius'), {
      schema: 'type Query { now: Int } type Subscription { ticks: Int }',
      resolvers: { Query: { now: () => 1 } },
      subscription: { onConnect: ({ payload }) => payload?.token !== 'bad' },
    });
    commands.close = async () => { await app.close(); leave(); };
    await app.listen({ host, port });
  },
  async 'express-ws'() {
    const app = require('express')();
    require('express-ws')(app);
    app.ws('/', (socket) => socket.on('message', (data) => socket.send(data)));
    app.listen(port, host);
  },
  async 'Engine.IO'() {
    const engine = require('engine.io');
    const http = createServer();
    const server = engine.attach(http, { pingInterval: 1000, pingTimeout: 1000 });
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    commands.close = () => { server.close(); http.close(leave); };
    http.listen(port, host);
  },
  async sockjs() {
    const sockjs = require('sockjs');
    const server = sockjs.createServer({ log: () => {} });
    const open = new Set();
    server.on('connection', (socket) => { open.add(socket); socket.on('data', (data) => socket.write(data)); });
    const http = createServer();
    server.installHandlers(http);
    commands.close = () => { open.forEach((socket) => socket.close()); http.close(leave); };
    http.listen(port, host);
  },
  async 'faye-websocket'() {
    const WebSocket = require('faye-websocket');
    const http = createServer();
    const open = new Set();
    http.on('upgrade', (request, socket, body) => {
      const ws = new WebSocket(request, socket, body, [], { ping: Number(process.env.PINGS ?? 0) });
      open.add(ws);
      ws.on('message', (event) => ws.send(event.data));
      ws.on('close', () => open.delete(ws));
    });
    commands.close = () => { open.forEach((ws) => ws.close()); http.close(leave); };
    http.listen(port, host);
  },
  async 'websocket (npm)'() {
    const WebSocketServer = require('websocket').server;
    const httpServer = createServer((request, response) => { response.writeHead(404); response.end(); });
    const server = new WebSocketServer({ httpServer, keepaliveInterval: 1000, keepaliveGracePeriod: 1000 });
    server.on('request', (request) => {
      if (request.resource !== '/') { request.reject(404, 'no such path'); return; }
      const connection = request.accept(null, request.origin);
      connection.on('message', (message) => connection.sendUTF(message.utf8Data));
    });
    commands.close = () => { server.shutDown(); httpServer.close(leave); };
    httpServer.listen(port, host);
  },
  async '@hapi/nes'() {
    const Hapi = require('@hapi/hapi');
    const server = Hapi.server({ port, host });
    await server.register({ plugin: require('@hapi/nes'), options: { heartbeat: { interval: 1000, timeout: 500 } } });
    commands.close = async () => { await server.stop(); leave(); };
    await server.start();
  },
  async Primus() {
    const Primus = require('primus');
    const http = createServer();
    const primus = new Primus(http, { transformer: 'websockets', pingInterval: 1000 });
    primus.on('connection', (spark) => spark.on('data', (data) => spark.write(data)));
    commands.close = () => primus.destroy({ reconnect: true, timeout: 100 }, leave);
    http.listen(port, host);
  },
  async SocketCluster() {
    const http = createServer();
    const server = require('socketcluster-server').attach(http, { pingInterval: 1000, pingTimeout: 2000, handshakeTimeout: Number(process.env.TIMEOUT ?? 60000) });
    commands.close = async () => { await server.close(); leave(); };
    http.listen(port, host);
  },
  async 'rpc-websockets'() {
    const { Server } = require('rpc-websockets');
    const server = new Server({ port, host });
    server.register('echo', (params) => params[0]);
    commands.close = async () => { await server.close(); leave(); };
  },
  async Hono() {
    const { Hono } = require('hono');
    const { serve } = require('@hono/node-server');
    const { createNodeWebSocket } = require('@hono/node-ws');
    const app = new Hono();
    const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app });
    app.get('/', upgradeWebSocket(() => ({ onMessage: (event, ws) => ws.send(event.data) })));
    const server = serve({ fetch: app.fetch, port, hostname: host });
    injectWebSocket(server);
    commands.close = () => server.close(leave);
  },
  async Vite() {
    const { createServer: create } = await load('vite');
    const server = await create({ root: process.cwd(), configFile: false, logLevel: 'error', server: { port, host, strictPort: true } });
    await server.listen();
    commands.close = async () => { await server.close(); leave(); };
  },
  async workerd() {
    const { Miniflare } = require('miniflare');
    const script = `export default { fetch(request) {
      if (new URL(request.url).pathname !== '/') return new Response('no such path', { status: 404 });
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener('message', (event) => server.send(event.data));
      server.addEventListener('close', () => server.close());
      return new Response(null, { status: 101, webSocket: client });
    } }`;
    const options = { modules: true, script, port, host, compatibilityDate: '2026-01-01' };
    const flare = new Miniflare(options);
    await flare.ready;
    commands.reload = () => flare.setOptions({ ...options, script: `${script}\n// changed` });
    commands.close = async () => { await flare.dispose(); leave(); };
  },
};

createInterface({ input: process.stdin }).on('line', (line) => commands[line]?.());
await servers[name]();
