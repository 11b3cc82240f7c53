// Node's `ws` as a client that offers permessage-deflate, once with each of the parameters in CASES.
"use strict";
const { once } = require("node:events");
const WebSocket = require("ws");
const { noise, options, run, same } = require("./report.js");

const { url, cases } = JSON.parse(process.env.CASES);
const WORDS = ["Hello", "", "\u6f22\u5b57", "\u{1f9d1}\u200d\u{1f680}"];
const SIZES = [0, 1, 125, 126, 65536, 1 << 20];

const parse = header => {
  if (header === undefined) return null;
  const [name, ...params] = header.split(";").map(param => param.trim());
  same(name, "permessage-deflate");
  const found = Object.fromEntries(params.map(param => param.split("=")));
  return {
    server_no_context_takeover: "server_no_context_takeover" in found,
    client_no_context_takeover: "client_no_context_takeover" in found,
    server_max_window_bits: Number(found.server_max_window_bits ?? 15),
    client_max_window_bits: Number(found.client_max_window_bits ?? 15),
  };
};

const check = ({ offer, agreed }) => async () => {
  const perMessageDeflate = { ...options(offer), clientMaxWindowBits: offer.client_max_window_bits ?? false };
  const socket = new WebSocket(url, { maxPayload: 0, perMessageDeflate });
  const messages = [];
  let arrived = () => {};
  socket.on("message", (data, isBinary) => {
    messages.push(isBinary ? data : data.toString());
    arrived();
  });
  const receive = async () => {
    while (!messages.length) await new Promise(resolve => (arrived = resolve));
    return messages.shift();
  };
  const opened = once(socket, "open");
  const [response] = await once(socket, "upgrade");
  await opened;
  same(parse(response.headers["sec-websocket-extensions"]), agreed);
  const wire = response.socket;

  const echoed = async message => {
    socket.send(message);
    same(await receive(), message);
  };
  for (const word of WORDS) {
    await echoed(word);
    await echoed(word.repeat(1000));
  }
  for (const size of SIZES) {
    await echoed(noise(size));
    const before = [wire.bytesRead, wire.bytesWritten];
    await echoed(Buffer.alloc(size, "0123456789abcdef"));
    const spent = [wire.bytesRead - before[0], wire.bytesWritten - before[1]];
    if (agreed && size >= 65536 && Math.max(...spent) > size / 16)
      throw new Error(`${size} bytes came as ${spent[0]} and went as ${spent[1]}`);
  }

  const bytes = Buffer.concat([noise(30000), Buffer.alloc(30000, 7)]);
  for (let at = 0; at < bytes.length; at += 1000)
    socket.send(bytes.subarray(at, at + 1000), { fin: at + 1000 >= bytes.length });
  same(await receive(), bytes);
  const waves = Buffer.from("\u{1f44b}".repeat(100)); // cut inside a character
  socket.send(waves.subarray(0, 201), { binary: false, fin: false });
  socket.send("", { fin: false });
  socket.send(waves.subarray(201), { fin: true });
  same(await receive(), waves.toString());

  const small = i => `{"message": ${i}, "what": "one of a thousand, none longer than the others"}`;
  for (let i = 0; i < 1000; i++) socket.send(small(i));
  for (let i = 0; i < 1000; i++) same(await receive(), small(i));
  const closed = once(socket, "close");
  socket.close(1000);
  same((await closed)[0], 1000);
};

run(Object.fromEntries(cases.map(each => [each.name, check(each)])));
