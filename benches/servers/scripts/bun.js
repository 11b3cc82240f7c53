// Bun's own server: uWebSockets in a JavaScript runtime.
const length = process.argv.includes("length");
// With a compressor and a decompressor for each connection, and windows of 15 bits. Its level cannot be set: it is zlib's
// default, 6.
const deflate = process.argv.some((argument) => argument.startsWith("compression="));
// The files of a certificate and its key: `tls=CERT,KEY`.
const [cert, key] = process.argv.find((argument) => argument.startsWith("tls="))?.slice(4).split(",") ?? [];

const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: cert && { cert: Bun.file(cert), key: Bun.file(key) },
    fetch(request, server) {
        if (!server.upgrade(request)) return new Response("a WebSocket is served here", { status: 426 });
    },
    websocket: {
        perMessageDeflate: deflate && { compress: "dedicated", decompress: "dedicated" },
        maxPayloadLength: 64 << 20,
        backpressureLimit: 1 << 30, // beyond it, messages would be dropped
        idleTimeout: 0,
        sendPings: false,
        message: length
            ? (socket, message) => {
                  const bytes = typeof message === "string" ? Buffer.from(message) : message;
                  socket.send(`${bytes.length} ${bytes.length ? bytes[bytes.length - 1] : 0}`);
              }
            : (socket, message) => {
                  socket.send(message, deflate);
              },
    },
});
console.log(`listening on ws${cert ? "s" : ""}://127.0.0.1:${server.port}/`);
