// One server of the catalogue on loopback: node serve.js NAME PORT. Prints "running"; a line on
// standard input makes it do what its name says (close, disconnect).
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const [name, port] = process.argv.slice(2);
const host = '127.0.0.1';
const running = () => console.log('running');
const commands = {};

if (name === 'graphql-ws') {
  const { buildSchema } = await import('graphql');
  const { useServer } = await import('graphql-ws/use/ws');
  const { WebSocketServer } = await import('ws');
  const schema = buildSchema('type Query { now: Int } type Subscription { never: Int }');
  const roots = { subscription: { never: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: () => ({ done: true }) }) }) } };
  const server = new WebSocketServer({ host, port });
  const served = useServer(
    { schema, roots, connectionInitWaitTimeout: 300, onConnect: ({ connectionParams }) => connectionParams?.token !== 'bad' },
    server,
  );
  commands.close = () => served.dispose();
  server.on('listening', running);
} else if (name === 'mercurius') {
  const { default: Fastify } = await import('fastify');
  const { default: mercurius } = await import('mercurius');
  const app = Fastify();
  app.register(mercurius, {
    schema: 'type Query { now: Int } type Subscription { ticks: Int }',
    resolvers: { Query: { now: () => 1 } },
    subscription: { onConnect: ({ payload }) => payload?.token !== 'bad' },
  });
  await app.listen({ host, port: Number(port) });
  running();
} else if (name === 'hocuspocus') {
  const { Server } = await import('@hocuspocus/server');
  const server = new Server({ address: host, port: Number(port), timeout: 400, quiet: true });
  await server.listen();
  running();
} else if (name === 'hocuspocus-token') {
  const { Server } = await import('@hocuspocus/server');
  const server = new Server({
    address: host,
    port: Number(port),
    timeout: 400,
    quiet: true,
    onAuthenticate: async () => { throw new Error('not you'); },
  });
  await server.listen();
  running();
} else if (name === 'socket.io') {
  const { Server } = await import('socket.io');
  const http = createServer();
  const io = new Server(http);
  io.use((socket, next) => next(socket.handshake.auth.token === 'bad' ? new Error('not you') : undefined));
  commands.disconnect = () => io.disconnectSockets(true);
  commands.close = () => io.close();
  http.listen(Number(port), host, running);
} else if (name === 'fastify') {
  const { default: Fastify } = await import('fastify');
  const { default: websocket } = await import('@fastify/websocket');
  const app = Fastify();
  await app.register(websocket);
  app.get('/ws', { websocket: true }, () => {});
  commands.close = () => app.close();
  await app.listen({ host, port: Number(port) });
  running();
} else if (name === 'y-websocket') {
  const { WebSocketServer } = await import('ws');
  const { default: utils } = await import('y-websocket/bin/utils');
  const server = new WebSocketServer({ host, port });
  server.on('connection', utils.setupWSConnection);
  commands.close = () => server.clients.forEach((client) => client.close());
  server.on('listening', running);
} else if (name === 'subscriptions-transport-ws') {
  const { buildSchema, execute, subscribe } = await import('graphql');
  const { SubscriptionServer } = await import('subscriptions-transport-ws');
  const schema = buildSchema('type Query { now: Int } type Subscription { never: Int }');
  const http = createServer();
  const served = SubscriptionServer.create(
    { schema, execute, subscribe, onConnect: (params) => { if (params.token === 'bad') throw new Error('not you'); } },
    { server: http, path: '/graphql' },
  );
  commands.close = () => served.close();
  http.listen(Number(port), host, running);
} else if (name === 'aedes') {
  const { Aedes } = await import('aedes');
  const { WebSocketServer, createWebSocketStream } = await import('ws');
  const broker = await Aedes.createBroker({
    connectTimeout: 300,
    authenticate: (client, user, password, done) => done(null, String(password) !== 'bad'),
  });
  const server = new WebSocketServer({ host, port });
  server.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request));
  commands.close = () => broker.close();
  server.on('listening', running);
}
createInterface({ input: process.stdin }).on('line', (line) => commands[line]());
