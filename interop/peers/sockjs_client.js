// sockjs-client with default settings, except for the transport; and Node's `ws` for the raw endpoint.
"use strict";
const { once } = require("node:events");
const SockJS = require("sockjs-client");
const WebSocket = require("ws");
const { run, same, sleep } = require("./report.js");

const URL = `http://${process.env.ADDRESS}/echo`;

const connect = () =>
  new Promise((resolve, reject) => {
    const socket = new SockJS(URL, null, { transports: "websocket" });
    socket.onopen = () => resolve(socket);
    socket.onclose = event => reject(new Error(`closed: ${event.code} ${event.reason}`));
  });

const next = socket => new Promise(resolve => (socket.onmessage = event => resolve(event.data)));
const closed = socket =>
  new Promise(resolve => (socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean])));

const echoed = async (socket, text) => {
  const back = next(socket);
  socket.send(text);
  same(await back, text);
};

run({
  connect: async () => {
    const socket = await connect();
    same(socket.transport, "websocket");
    const end = closed(socket);
    socket.close(3001, "enough");
    same(await end, [3001, "enough", true]);
  },

  messages: async () => {
    const socket = await connect();
    for (const text of ["Hello", "", "\"quoted\"\n", "w\u00f6rld \u{1f44b} \u2028", "x".repeat(500000)])
      await echoed(socket, text);
    const count = 1000;
    let at = 0;
    const all = new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        if (data !== `message ${at}`) reject(new Error(`${data} came instead of message ${at}`));
        if (++at === count) resolve();
      };
    });
    for (let i = 0; i < count; i++) socket.send(`message ${i}`);
    await all;
    socket.close();
  },

  heartbeats: async () => {
    const socket = await connect();
    let beats = 0;
    socket.onheartbeat = () => beats++;
    await sleep(7);
    same(beats >= 3, true);
    await echoed(socket, "still here");
    socket.close();
  },

  "close by the server": async () => {
    const socket = await connect();
    const end = closed(socket);
    socket.send("close");
    same(await end, [3000, "Go away!", true]);
  },

  raw: async () => {
    const socket = new WebSocket(`${URL.replace("http", "ws")}/websocket`);
    await once(socket, "open");
    const received = once(socket, "message");
    socket.send("as it is");
    same((await received)[0].toString(), "as it is");
    const end = once(socket, "close");
    socket.close(1000);
    same((await end)[0], 1000);
  },
});
