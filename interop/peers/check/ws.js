// Node's `ws`.
"use strict";
const WebSocket = require("ws");
const { lead } = require("./lead.js");

lead(`ws ${require("ws/package.json").version}`, (url, first) =>
  new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.on("message", (data, binary) => (first ? first(data) : socket.send(data, { binary })));
    socket.on("error", () => {});
    socket.on("close", resolve);
  }),
);
