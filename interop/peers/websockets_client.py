"""Python's `websockets` as the client."""

import asyncio
import os
import signal
import ssl

from report import SMALL, TEXTS, noise, run_async, same
from websockets.asyncio.client import connect as library_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ROOT = os.environ.get("ROOT")  # the root certificate, if it is to be TLS
TLS = {"ssl": ssl.create_default_context(cafile=ROOT)} if ROOT else {}
SCHEME = "wss" if ROOT else "ws"
LARGE, STRICT, LEAVING = (f"{SCHEME}://{os.environ[name]}/" for name in ("LARGE", "STRICT", "LEAVING"))


def connect(url, **options):
    # No automatic pings: those of the scenarios are enough.
    return library_connect(url, max_size=None, ping_interval=None, proxy=None, **TLS, **options)


async def text():
    async with connect(LARGE) as socket:
        for message in TEXTS:
            await socket.send(message)
            same(await socket.recv(), message)


async def binary(*sizes):
    async with connect(LARGE) as socket:
        for size in sizes:
            message = noise(size)
            await socket.send(message)
            same(await socket.recv(), message)


async def fragments():
    async with connect(LARGE) as socket:
        await socket.send(["Hello", "", ", \U0001f44b"])  # each item is a fragment
        same(await socket.recv(), "Hello, \U0001f44b")
        bytes = noise(300_000)
        await socket.send(bytes[at : at + 1000] for at in range(0, len(bytes), 1000))
        same(await socket.recv(), bytes)


async def ping():
    async with connect(LARGE) as socket:
        for payload in (b"", b"are you there?", noise(125)):
            await asyncio.wait_for(await socket.ping(payload), 5)


async def pinged():
    async with connect(STRICT) as socket:
        await asyncio.sleep(6)  # twice what a peer that does not answer pings gets
        await socket.send("still here")
        same(await socket.recv(), "still here")


async def close():
    # The answer has the same code, and no reason.
    for code, reason in ((1000, ""), (1000, "enough"), (3000, "\U0001f44b"), (4999, "x" * 123)):
        socket = await connect(LARGE)
        await socket.close(code, reason)
        same(await closed(socket), (code, ""))


async def closed(socket):
    try:
        await asyncio.wait_for(socket.recv(), 10)
    except ConnectionClosed as ending:
        if ending.rcvd is None:
            raise AssertionError("it closed without a close frame") from None
        return ending.rcvd.code, ending.rcvd.reason
    raise AssertionError("it did not close")


async def leaving():
    async with connect(LEAVING) as socket:
        await socket.send("hello")
        same(await socket.recv(), "hello")
        os.kill(int(os.environ["LEAVING_PID"]), signal.SIGTERM)
        same(await closed(socket), (1001, "the server is stopping"))


async def too_big():
    async with connect(STRICT) as socket:
        await socket.send(bytes(1 << 20))
        same(await socket.recv(), bytes(1 << 20))
        try:
            await socket.send(bytes((1 << 20) + 1))
        except ConnectionClosed:
            pass  # the server need not wait for the whole message
        code, reason = await closed(socket)
        same((code, bool(reason)), (1009, True))


async def in_order():
    async with connect(LARGE) as socket:

        async def send():
            for i in range(10_000):
                await socket.send(f"message {i}")

        sender = asyncio.create_task(send())
        for i in range(10_000):
            same(await socket.recv(), f"message {i}")
        await sender


async def at_once():
    sockets = await asyncio.gather(*(connect(LARGE, open_timeout=60) for _ in range(1000)))
    await asyncio.gather(*(socket.send(f"I am {i}") for i, socket in enumerate(sockets)))
    for i, socket in enumerate(sockets):
        same(await socket.recv(), f"I am {i}")
    await asyncio.gather(*(socket.close() for socket in sockets))


async def subprotocol():
    # The server's only subprotocol, although it is not the first; none, if it supports none; the first, if any will do.
    for url, offered, chosen in (
        (STRICT, ["chat.v1", "chat.v2"], "chat.v2"),
        (STRICT, ["chat.v1"], None),
        (LARGE, ["chat.v1", "chat.v2"], "chat.v1"),
    ):
        async with connect(url, subprotocols=offered) as socket:
            same(socket.subprotocol, chosen)


async def origin():
    async with connect(STRICT, origin="https://good.example"):
        pass
    try:
        async with connect(STRICT, origin="https://evil.example"):
            raise AssertionError("a wrong origin was let in")
    except InvalidStatus as refused:
        same(refused.response.status_code, 403)


asyncio.run(
    run_async(
        {
            "text": text,
            "binary to 64 KiB": lambda: binary(*SMALL),
            "binary 1 MiB": lambda: binary(1 << 20),
            "binary 64 MiB": lambda: binary(64 << 20),
            "fragments": fragments,
            "ping from the client": ping,
            "ping from the server": pinged,
            "close by the client": close,
            "close by the server": leaving,
            "message too big": too_big,
            "10,000 in order": in_order,
            "1,000 at once": at_once,
            "subprotocol": subprotocol,
            "wrong origin": origin,
        }
    )
)
