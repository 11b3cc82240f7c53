// The client of Engine.IO, on which Socket.IO is, in Node. Its transport echoes each message as it is, instead of reading a packet of
// Engine.IO in it.
"use strict";
const { NodeWebSocket, Socket } = require("engine.io-client");
const { lead } = require("./lead.js");

lead(`engine.io-client ${require("engine.io-client/package.json").version}`, (url, first) => {
  class Echo extends NodeWebSocket {
    onData(data) {
      first ? first(data) : this.ws.send(data);
    }
  }
  const { hostname, port, pathname, searchParams } = new URL(url);
  return new Promise(resolve => {
    const socket = new Socket({
      hostname,
      port,
      path: pathname,
      addTrailingSlash: false,
      query: Object.fromEntries(searchParams),
      transports: [Echo],
    });
    socket.on("error", () => {});
    socket.on("close", resolve);
  });
});
