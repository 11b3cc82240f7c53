"""Python's `websockets`."""

import asyncio

from lead import count_url, targets
from websockets.asyncio.client import connect
from websockets.version import version


async def visit(url):
    async with connect(url, ping_interval=None, proxy=None) as socket:
        async for message in socket:
            await socket.send(message)


async def main():
    async with connect(count_url(), proxy=None) as socket:
        count = int(await socket.recv())
    for url in targets(count, f"websockets {version}"):
        try:
            await asyncio.wait_for(visit(url), 60)
        except Exception:
            pass  # most cases must fail, and the server sees how


asyncio.run(main())
