// A subscription that counts, served by graphql-ws: node graphql.js PORT
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema('type Query { now: Int } type Subscription { ticks: Int }');
const roots = {
  subscription: {
    async *ticks() {
      for (let tick = 1; ; tick += 1) {
        yield { ticks: tick };
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
  },
};
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
useServer({ schema, roots }, server);
server.on('listening', () => console.log('running'));
