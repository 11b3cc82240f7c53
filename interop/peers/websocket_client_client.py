"""Python's `websocket-client` as the client."""

import os
import signal
import struct
import threading
import time

import websocket
from report import SMALL, TEXTS, noise, run, same
from websocket import ABNF

ROOT = os.environ.get("ROOT")  # the root certificate, if it is to be TLS
TLS = {"sslopt": {"ca_certs": ROOT}} if ROOT else {}
SCHEME = "wss" if ROOT else "ws"
LARGE, STRICT, LEAVING = (f"{SCHEME}://{os.environ[name]}/" for name in ("LARGE", "STRICT", "LEAVING"))


def connect(url, **options):
    # By default it would send an origin, as if it were a browser.
    options = {"suppress_origin": "origin" not in options, **options}
    return websocket.create_connection(url, timeout=30, http_no_proxy=["*"], **TLS, **options)


def text():
    socket = connect(LARGE)
    for message in TEXTS:
        socket.send(message)
        same(socket.recv(), message)
    socket.close()


def binary(*sizes):
    socket = connect(LARGE)
    for size in sizes:
        message = noise(size)
        socket.send_binary(message)
        same(socket.recv(), message)
    socket.close()


def fragments():
    socket = connect(LARGE)
    bytes = noise(300_000)
    pieces = [bytes[at : at + 1000] for at in range(0, len(bytes), 1000)]
    for i, piece in enumerate(pieces):
        opcode = ABNF.OPCODE_CONT if i else ABNF.OPCODE_BINARY
        socket.send_frame(ABNF.create_frame(piece, opcode, fin=i + 1 == len(pieces)))
    same(socket.recv(), bytes)
    wave = "\U0001f44b".encode()  # cut inside the character
    socket.send_frame(ABNF.create_frame(wave[:1], ABNF.OPCODE_TEXT, fin=0))
    socket.send_frame(ABNF.create_frame(b"", ABNF.OPCODE_CONT, fin=0))
    socket.send_frame(ABNF.create_frame(wave[1:], ABNF.OPCODE_CONT, fin=1))
    same(socket.recv(), "\U0001f44b")
    socket.close()


def ping():
    socket = connect(LARGE)
    for payload in (b"", b"are you there?", noise(125)):
        socket.ping(payload)
        frame = socket.recv_frame()
        same((frame.opcode, frame.data), (ABNF.OPCODE_PONG, payload))
    socket.close()


def pinged():
    socket = connect(STRICT)
    began = time.monotonic()
    pings = 0
    while time.monotonic() - began < 10:  # three times what a peer that does not answer pings gets
        opcode, _ = socket.recv_data(control_frame=True)  # also answers a ping
        same(opcode, ABNF.OPCODE_PING)
        pings += 1
    same(pings >= 3, True)  # each after 1 s of silence, or up to 2 s later: the server's clock counts whole seconds
    socket.send("still here")
    same(socket.recv(), "still here")
    socket.close()


def close():
    for code, reason in ((1000, ""), (1000, "enough"), (3000, "\U0001f44b"), (4999, "x" * 123)):
        socket = connect(LARGE)
        socket.send_close(code, reason.encode())
        same(closed(socket), (code, ""))
        socket.shutdown()


def closed(socket):
    opcode, data = socket.recv_data(control_frame=True)
    same(opcode, ABNF.OPCODE_CLOSE)
    return struct.unpack("!H", data[:2])[0], data[2:].decode()


def leaving():
    socket = connect(LEAVING)
    socket.send("hello")
    same(socket.recv(), "hello")
    os.kill(int(os.environ["LEAVING_PID"]), signal.SIGTERM)
    same(closed(socket), (1001, "the server is stopping"))
    socket.shutdown()


def too_big():
    socket = connect(STRICT)
    socket.send_binary(bytes(1 << 20))
    same(socket.recv(), bytes(1 << 20))
    socket.send_binary(bytes((1 << 20) + 1))
    code, reason = closed(socket)
    same((code, bool(reason)), (1009, True))
    socket.shutdown()


def in_order():
    socket = connect(LARGE)

    def send(numbers):
        for i in numbers:
            socket.send(f"message {i}")

    # Two threads must not use one TLS connection of Python's at a time; it breaks, whatever the server.
    batch = 100 if ROOT else 10_000
    for first in range(0, 10_000, batch):
        numbers = range(first, first + batch)
        sender = threading.Thread(target=send, args=(numbers,))
        sender.start()
        if ROOT:
            sender.join()
        for i in numbers:
            same(socket.recv(), f"message {i}")
        sender.join()
    socket.close()


def at_once():
    sockets = [connect(LARGE) for _ in range(1000)]
    for i, socket in enumerate(sockets):
        socket.send(f"I am {i}")
    for i, socket in enumerate(sockets):
        same(socket.recv(), f"I am {i}")
    for socket in sockets:
        socket.close()


def subprotocol():
    # The server's only subprotocol, although it is not the client's first; the client's first, if the server accepts any.
    for url, chosen in ((STRICT, "chat.v2"), (LARGE, "chat.v1")):
        socket = connect(url, subprotocols=["chat.v1", "chat.v2"])
        same(socket.subprotocol, chosen)
        socket.close()
    # None, if the server supports none of them: this client then gives up.
    try:
        connect(STRICT, subprotocols=["chat.v1"])
    except websocket.WebSocketException:
        pass
    else:
        raise AssertionError("a subprotocol was chosen that the server does not have")


def origin():
    connect(STRICT, origin="https://good.example").close()
    try:
        connect(STRICT, origin="https://evil.example")
    except websocket.WebSocketBadStatusException as refused:
        same(refused.status_code, 403)
    else:
        raise AssertionError("a wrong origin was let in")


run(
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
