"""An echo server on Python's `websockets`. At /ping it pings first, and echoes after the pong; at /close it closes instead
of echoing. With COMPRESSION, it compresses with these parameters. With TLS, a file with a certificate and its key, it is a
server for wss://."""

import asyncio
import json
import os
import ssl

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(socket):
    try:
        async for message in socket:
            if socket.request.path == "/close":
                await socket.close(3001, "as you wish")
                return
            if socket.request.path == "/ping":
                await asyncio.wait_for(await socket.ping(b"are you there?"), 5)
            await socket.send(message)
    except ConnectionClosed:
        pass  # with another code than 1000, which is no error here


def choose(_, offered):
    # `subprotocols=["chat.v2"]` would refuse clients that ask for none.
    return "chat.v2" if "chat.v2" in offered else None


async def main():
    options = {"max_size": None, "select_subprotocol": choose, "backlog": 1024}
    if (compression := json.loads(os.environ.get("COMPRESSION", "null"))) is not None:
        demanded = compression.get("client_max_window_bits") is not None
        factory = ServerPerMessageDeflateFactory(**compression, require_client_max_window_bits=demanded)
        options |= {"compression": None, "extensions": [factory]}
    scheme = "ws"
    if file := os.environ.get("TLS"):
        scheme, options["ssl"] = "wss", ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        options["ssl"].load_cert_chain(file)
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        host, port = server.sockets[0].getsockname()
        print(f"{scheme}://{host}:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
