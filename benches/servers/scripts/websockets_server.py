"""An echo server on websockets, in uvloop's loop."""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

# With windows of 15 bits, like the others; the library's own default is 12.
levels = [int(argument.split("=")[1]) for argument in sys.argv if argument.startswith("compression=")]
extensions = [ServerPerMessageDeflateFactory(compress_settings={"level": level}) for level in levels]


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    options = {"compression": None, "extensions": extensions, "max_size": 64 << 20, "ping_interval": None}
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on ws://127.0.0.1:{port}/", flush=True)
        await asyncio.get_running_loop().create_future()


uvloop.run(main())
