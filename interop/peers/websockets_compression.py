"""Python's `websockets` as a client that offers permessage-deflate, once with each of the parameters in CASES."""

import asyncio
import json
import os

from report import noise, run_async, same
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

WORDS = ["Hello", "", "\u6f22\u5b57", "\U0001f9d1\u200d\U0001f680"]
SIZES = [0, 1, 125, 126, 65536, 1 << 20]


class Counted(ClientConnection):
    """Counts received bytes."""

    received = 0

    def data_received(self, data):
        self.received += len(data)
        super().data_received(data)


def parse(header):
    if header is None:
        return None
    name, *params = (param.strip() for param in header.split(";"))
    same(name, "permessage-deflate")
    found = {key: value for key, _, value in (param.partition("=") for param in params)}
    return {
        "server_no_context_takeover": "server_no_context_takeover" in found,
        "client_no_context_takeover": "client_no_context_takeover" in found,
        "server_max_window_bits": int(found.get("server_max_window_bits", 15)),
        "client_max_window_bits": int(found.get("client_max_window_bits", 15)),
    }


async def check(url, offer, agreed):
    # What every answer must have. The library's own check of the answer is part of this test.
    factory = ClientPerMessageDeflateFactory(**offer)
    options = {"compression": None, "extensions": [factory], "create_connection": Counted}
    async with connect(url, max_size=None, ping_interval=None, proxy=None, **options) as socket:
        same(parse(socket.response.headers.get("Sec-WebSocket-Extensions")), agreed)

        async def echoed(message):
            await socket.send(message)
            same(await socket.recv(), message)

        for word in WORDS:
            await echoed(word)
            await echoed(word * 1000)
        for size in SIZES:
            await echoed(noise(size))
            before = socket.received
            await echoed(b"0123456789abcdef" * (size // 16))
            if agreed and size >= 65536 and socket.received - before > size / 16:
                raise AssertionError(f"{size} bytes came as {socket.received - before}")

        data = noise(30_000) + bytes(30_000)
        await socket.send(data[at : at + 1000] for at in range(0, len(data), 1000))
        same(await socket.recv(), data)
        await socket.send(["Hello", "", ", \U0001f44b"])
        same(await socket.recv(), "Hello, \U0001f44b")

        def small(i):
            return f'{{"message": {i}, "what": "one of a thousand, none longer than the others"}}'

        async def send():
            for i in range(1000):
                await socket.send(small(i))

        sender = asyncio.create_task(send())
        for i in range(1000):
            same(await socket.recv(), small(i))
        await sender


def scenario(url, case):
    return lambda: asyncio.wait_for(check(url, case["offer"], case["agreed"]), 60)


cases = json.loads(os.environ["CASES"])
asyncio.run(run_async({case["name"]: scenario(cases["url"], case) for case in cases["cases"]}))
