// An echo of Bun.serve at $PORT; the line "close" on standard input stops it and its connections.
const server = Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  fetch(request, server) {
    if (new URL(request.url).pathname === '/' && server.upgrade(request)) return undefined;
    return new Response('no such path', { status: 404 });
  },
  websocket: {
    idleTimeout: Number(process.env.IDLE ?? 120),
    sendPings: !process.env.IDLE,
    message(socket, message) { socket.send(message); },
  },
});
for await (const line of console) {
  if (line === 'close') { await server.stop(true); process.exit(0); }
}
