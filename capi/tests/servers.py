#!/usr/bin/env python3
"""What peers do that echo well-behaved messages do not show, against one of the example servers:

    capi/tests/servers.py PORT PID TEST...

Each test is a function below. It ends with status 1 if a server does not do what it should."""

import base64
import os
import socket
import struct
import sys
import time

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"  # 1000, masked with a key of zero bytes
CLOSED = b"\x88\x02\x03\xe8"


def masked(payload):
    return b"\x82\xff" + struct.pack(">Q", len(payload)) + bytes(4) + payload


def start(data=REQUEST, buffer=None):
    peer = socket.socket()
    if buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    peer.settimeout(30)
    peer.connect(("127.0.0.1", PORT))
    peer.sendall(data)
    return peer


def opened(buffer=None):
    peer = start(buffer=buffer)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return peer


def rest(peer):
    """All that comes until the server ends the stream."""
    parts = []
    while part := peer.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def end_with_the_data():
    """The end comes together with half a request, and with half a frame: nothing announces it later."""
    for make, data in [(start, REQUEST[:20]), (start, REQUEST + b"\x81")]:
        peer = make(data)
        peer.shutdown(socket.SHUT_WR)
        rest(peer)
    peer = opened()
    peer.sendall(b"\x81")
    peer.shutdown(socket.SHUT_WR)
    rest(peer)


def close_with_the_request():
    peer = start(REQUEST + CLOSE)
    assert rest(peer).endswith(CLOSED)


def half_closed():
    """A client that has sent all, its close too, and ends its side before it reads."""
    payload = bytes(12 << 20)
    peer = opened(buffer=64 << 10)
    peer.sendall(masked(payload) + CLOSE)
    time.sleep(0.3)  # the server reads all of it before the end, and most of its replies wait
    peer.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    got = rest(peer)
    assert got.endswith(CLOSED), got[-8:]
    # The server may send what it has got as fragments.
    assert sum(map(len, frames(got[: -len(CLOSED)]))) == len(payload)


def frames(data):
    at = 0
    while at < len(data):
        length, head = data[at + 1], 2
        if length == 126:
            length, head = struct.unpack_from(">H", data, at + 2)[0], 4
        elif length == 127:
            length, head = struct.unpack_from(">Q", data, at + 2)[0], 10
        yield data[at + head : at + head + length]
        at += head + length


def something_always_waits():
    """300 MiB through a connection whose replies are never all read: memory is that of what waits."""
    peer, message = opened(buffer=64 << 10), masked(bytes(1 << 20))
    ahead = 16
    for _ in range(ahead):
        peer.sendall(message)
    for _ in range(300 - ahead):
        left = 1 << 20
        while left:
            left -= len(peer.recv(left))
        peer.sendall(message)
    with open(f"/proc/{PID}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak < 100 << 10, f"{peak} KiB"


def no_descriptors():
    """More peers than the server has descriptors: the others wait, and the server does not ask for them all the time."""

    def used():
        with open(f"/proc/{PID}/stat") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    peers = [opened() for _ in range(10)]
    waiting = [start() for _ in range(30)]
    began, before = time.monotonic(), used()
    time.sleep(1)
    share = (used() - before) / (time.monotonic() - began)
    assert share < 0.5, f"the server used {share:.0%} of a processor"
    for peer in peers:
        peer.close()
    for peer in waiting:
        assert peer.recv(1) == b"H"
        peer.close()
    opened().close()


PORT, PID = int(sys.argv[1]), int(sys.argv[2])
for test in sys.argv[3:]:
    print(f"-- {test}", flush=True)
    globals()[test]()
