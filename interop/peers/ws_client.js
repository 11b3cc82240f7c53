// Node's `ws` as the client.
"use strict";
const { once } = require("node:events");
const fs = require("node:fs");
const WebSocket = require("ws");
const { SMALL, TEXTS, noise, run, same, sleep } = require("./report.js");

const { ROOT } = process.env; // the root certificate, if it is to be TLS
const scheme = ROOT ? "wss" : "ws";
const [LARGE, STRICT, LEAVING] = ["LARGE", "STRICT", "LEAVING"].map(name => `${scheme}://${process.env[name]}/`);
const always = { maxPayload: 0, ca: ROOT && fs.readFileSync(ROOT) };

const connect = async (url, protocols = [], options = {}) => {
  const socket = new WebSocket(url, protocols, { ...always, ...options });
  await once(socket, "open");
  return socket;
};

const receive = async socket => {
  const [data, isBinary] = await once(socket, "message");
  return isBinary ? data : data.toString();
};

const echoed = async (socket, message) => {
  const received = receive(socket);
  socket.send(message);
  same(await received, message);
};

const end = async socket => {
  const closed = once(socket, "close");
  socket.close(1000);
  same((await closed)[0], 1000);
};

const binary = sizes => async () => {
  const socket = await connect(LARGE);
  for (const size of sizes) await echoed(socket, noise(size));
  await end(socket);
};

run({
  text: async () => {
    const socket = await connect(LARGE);
    for (const text of TEXTS) await echoed(socket, text);
    await end(socket);
  },

  "binary to 64 KiB": binary(SMALL),
  "binary 1 MiB": binary([1 << 20]),
  "binary 64 MiB": binary([64 << 20]),

  fragments: async () => {
    const socket = await connect(LARGE);
    const bytes = noise(300000);
    const received = receive(socket);
    for (let at = 0; at < bytes.length; at += 1000)
      socket.send(bytes.subarray(at, at + 1000), { fin: at + 1000 >= bytes.length });
    same(await received, bytes);

    const wave = Buffer.from("\u{1f44b}"); // cut inside the character
    const text = receive(socket);
    socket.send(wave.subarray(0, 1), { binary: false, fin: false });
    socket.send("", { fin: false });
    socket.send(wave.subarray(1), { fin: true });
    same(await text, "\u{1f44b}");
    await end(socket);
  },

  "ping from the client": async () => {
    const socket = await connect(LARGE);
    for (const payload of [Buffer.alloc(0), Buffer.from("are you there?"), noise(125)]) {
      const pong = once(socket, "pong");
      socket.ping(payload);
      same((await pong)[0], payload);
    }
    await end(socket);
  },

  "ping from the server": async () => {
    const socket = await connect(STRICT);
    let pings = 0;
    socket.on("ping", () => pings++);
    await sleep(10); // three times what a peer that does not answer pings gets
    same(pings >= 3, true); // each after 1 s of silence, or up to 2 s later: the server's clock counts whole seconds
    await echoed(socket, "still here");
    await end(socket);
  },

  "close by the client": async () => {
    for (const [code, reason] of [[1000, ""], [1000, "enough"], [3000, "\u{1f44b}"], [4999, "x".repeat(123)]]) {
      const socket = await connect(LARGE);
      const closed = once(socket, "close");
      socket.close(code, reason);
      same((await closed)[0], code);
    }
    const socket = await connect(LARGE);
    const closed = once(socket, "close");
    socket.close();
    same((await closed)[0], 1005);
  },

  "close by the server": async () => {
    const socket = await connect(LEAVING);
    await echoed(socket, "hello");
    const closed = once(socket, "close");
    process.kill(Number(process.env.LEAVING_PID), "SIGTERM");
    const [code, reason] = await closed;
    same([code, reason.toString()], [1001, "the server is stopping"]);
  },

  "message too big": async () => {
    const socket = await connect(STRICT);
    await echoed(socket, noise(1 << 20));
    const closed = once(socket, "close");
    socket.send(noise((1 << 20) + 1), () => {}); // the server need not wait for the whole message
    const [code, reason] = await closed;
    same([code, reason.length > 0], [1009, true]);
  },

  "10,000 in order": async () => {
    const socket = await connect(LARGE);
    const all = new Promise((resolve, reject) => {
      let next = 0;
      socket.on("message", data => {
        if (data.toString() !== `message ${next}`) reject(new Error(`${data} came instead of message ${next}`));
        if (++next === 10000) resolve();
      });
    });
    for (let i = 0; i < 10000; i++) socket.send(`message ${i}`);
    await all;
    await end(socket);
  },

  "1,000 at once": async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => connect(LARGE)));
    await Promise.all(sockets.map((socket, i) => echoed(socket, `I am ${i}`)));
    await Promise.all(sockets.map(end));
  },

  subprotocol: async () => {
    // The server's only subprotocol, although it is not the client's first; the client's first, if the server accepts any.
    for (const [url, chosen] of [[STRICT, "chat.v2"], [LARGE, "chat.v1"]]) {
      const socket = await connect(url, ["chat.v1", "chat.v2"]);
      same(socket.protocol, chosen);
      await end(socket);
    }
    // None, if the server supports none of them: this client then gives up.
    const refused = await connect(STRICT, ["chat.v1"]).catch(error => error);
    same(refused.message, "Server sent no subprotocol");
  },

  "wrong origin": async () => {
    await end(await connect(STRICT, [], { origin: "https://good.example" }));
    const refused = await connect(STRICT, [], { origin: "https://evil.example" }).catch(error => error);
    same(refused.message, "Unexpected server response: 403");
  },
});
