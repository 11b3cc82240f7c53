// An echo server on Node's `ws`. At /ping it pings first, and echoes after the pong; at /close it closes instead of echoing.
// With COMPRESSION, it compresses every message with these parameters.
"use strict";
const { WebSocketServer } = require("ws");
const { options } = require("./report.js");

const compression = JSON.parse(process.env.COMPRESSION ?? "null");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 0,
  backlog: 1024,
  perMessageDeflate: compression && options(compression),
  handleProtocols: protocols => protocols.has("chat.v2") && "chat.v2",
});
server.on("connection", (socket, request) => {
  socket.on("error", error => console.error(`ws: ${error.message}`));
  socket.on("message", (data, binary) => {
    const echo = () => socket.send(data, { binary });
    if (request.url === "/close") return socket.close(3001, "as you wish");
    if (request.url !== "/ping") return echo();
    socket.once("pong", echo);
    socket.ping("are you there?");
  });
});
server.on("listening", () => {
  const { address, port } = server.address();
  console.log(`ws://${address}:${port}`);
});
