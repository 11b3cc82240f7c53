// An echo server on Node's `ws`. At /ping it pings first, and echoes after the pong; at /close it closes instead of echoing.
// With COMPRESSION, it compresses every message with these parameters. With TLS, a file with a certificate and its key, it is a
// server for wss://.
"use strict";
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { WebSocketServer } = require("ws");
const { options } = require("./report.js");

const compression = JSON.parse(process.env.COMPRESSION ?? "null");
const pem = process.env.TLS && fs.readFileSync(process.env.TLS);
const listener = pem ? https.createServer({ cert: pem, key: pem }) : http.createServer();
const server = new WebSocketServer({
  server: listener,
  maxPayload: 0,
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
listener.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => {
  const { address, port } = listener.address();
  console.log(`${pem ? "wss" : "ws"}://${address}:${port}`);
});
