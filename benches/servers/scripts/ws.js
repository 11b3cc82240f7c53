// Node's most used server. It finds `bufferutil`, its authors' native kernels, by itself.
const { WebSocketServer } = require("ws");

const [, level] = process.argv.find((argument) => argument.startsWith("compression="))?.split("=") ?? [];
const perMessageDeflate = level ? { zlibDeflateOptions: { level: Number(level) }, threshold: 64 } : false;
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate, maxPayload: 64 << 20 });
server.on("listening", () => console.log(`listening on ws://127.0.0.1:${server.address().port}/`));
server.on("connection", (socket, request) => {
    request.socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
