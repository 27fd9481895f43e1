// An echo of Deno.serve at $PORT; the line "close" on standard input shuts it down.
const server = Deno.serve({ port: Number(Deno.env.get("PORT")), hostname: "127.0.0.1" }, (request) => {
  if (new URL(request.url).pathname !== "/") return new Response("no such path", { status: 404 });
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = (event) => socket.send(event.data);
  return response;
});
for await (const chunk of Deno.stdin.readable) {
  if (new TextDecoder().decode(chunk).trim() === "close") {
    await server.shutdown();
    Deno.exit(0);
  }
}
