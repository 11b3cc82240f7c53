"""An echo server on Python's `websockets`. At /ping it pings first, and echoes once the pong is there; at /close it
closes instead of echoing."""

import asyncio

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


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
        pass  # with a code that is no 1000: nothing to complain of


def choose(_, offered):
    # `subprotocols=["chat.v2"]` would refuse clients that ask for none.
    return "chat.v2" if "chat.v2" in offered else None


async def main():
    async with serve(echo, "127.0.0.1", 0, max_size=None, select_subprotocol=choose, backlog=1024) as server:
        host, port = server.sockets[0].getsockname()
        print(f"ws://{host}:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
