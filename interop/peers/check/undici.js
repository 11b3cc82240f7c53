// undici, which is also the WebSocket of Node itself.
"use strict";
const { WebSocket } = require("undici");
const { lead } = require("./lead.js");

lead(`undici ${require("undici/package.json").version}`, (url, first) =>
  new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (first ? first(data) : socket.send(data));
    socket.onerror = () => {};
    socket.onclose = resolve;
  }),
);
