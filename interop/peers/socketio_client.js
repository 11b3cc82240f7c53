// socket.io-client with default settings, except for the transport.
"use strict";
const { io } = require("socket.io-client");
const { noise, run, same, sleep } = require("./report.js");

const URL = `http://${process.env.ADDRESS}`;
const open = [];

const connect = (path = "/", options = {}) =>
  new Promise((resolve, reject) => {
    const socket = io(URL + path, { transports: ["websocket"], forceNew: true, reconnection: false, ...options });
    open.push(socket);
    socket.on("connect", () => resolve(socket));
    socket.on("connect_error", reject);
  });

const next = (socket, event) => new Promise(resolve => socket.once(event, (...values) => resolve(values)));

const echoed = async (socket, event, ...values) => {
  const back = next(socket, event);
  socket.emit(event, ...values);
  same(await back, values);
};

run({
  connect: async () => {
    const socket = await connect();
    same(socket.connected && socket.id.length > 0, true);
    const end = next(socket, "disconnect");
    socket.disconnect();
    same((await end)[0], "io client disconnect");
  },

  events: async () => {
    const socket = await connect();
    await echoed(socket, "hello");
    await echoed(socket, "message", "w\u00f6rld \u{1f44b}", 1, 2.5, true, null, [1, [2]], { a: { b: "\"" } });
    await echoed(socket, "large", "x".repeat(500000));
    for (let i = 0; i < 1000; i++) await echoed(socket, "count", i);
  },

  acknowledgements: async () => {
    const socket = (await connect()).timeout(5000);
    same(await socket.emitWithAck("nothing"), undefined);
    same(await socket.emitWithAck("one", { a: 1 }), { a: 1 });
    const all = Array.from({ length: 100 }, (_, i) => socket.emitWithAck("number", i));
    same(await Promise.all(all), [...all.keys()]);
  },

  binary: async () => {
    const socket = await connect();
    await echoed(socket, "file", noise(65536));
    await echoed(socket, "files", { name: "two", pieces: [noise(1), noise(70000)] }, "end");
    same(await socket.timeout(5000).emitWithAck("file", noise(1000)), noise(1000));
  },

  // It disconnects if no ping comes within the announced interval and some more time.
  pings: async () => {
    const socket = await connect();
    let pings = 0;
    socket.io.engine.on("ping", () => pings++);
    await sleep(8);
    same(pings >= 3 && socket.connected, true);
    await echoed(socket, "still", "here");
  },

  namespaces: async () => {
    const refused = await connect("/admin").catch(error => error.message);
    same(refused, "Invalid namespace");
  },
}).then(() => open.forEach(socket => socket.disconnect()));
