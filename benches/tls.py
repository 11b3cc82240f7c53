"""Compares echo servers over TLS by their processor time: `python3 benches/tls.py [--rounds N] NAME=COMMAND...`

Each COMMAND is a shell command of a server that prints `wss://ADDRESS`; in it, CERT and KEY stand for files with a certificate, which
this script makes with openssl. The servers take turns, in each round. The client is slow, but only the time of the server's process
counts (user and system), so other programs and the client disturb the figures little. Prints medians with the least and the most.
"""

import argparse
import os
import pathlib
import re
import shlex
import socket
import ssl
import statistics
import subprocess
import tempfile
import threading

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
IDLE = 500
WARM_UP = 50  # handshakes, or round trips


class Server:
    def __init__(self, command, cert, key):
        command = shlex.split(command.replace("CERT", cert).replace("KEY", key))
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self.child.stdout:
            if found := re.search(r"wss://([\d.]+):(\d+)", line):
                self.address = found[1], int(found[2])
                break
        threading.Thread(target=self.child.stdout.read, daemon=True).start()

    def cpu(self):
        # In nanoseconds, for each thread.
        threads = pathlib.Path(f"/proc/{self.child.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def memory(self):
        status = open(f"/proc/{self.child.pid}/status").read()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) << 10

    def connect(self, context):
        plain = socket.create_connection(self.address, timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = context.wrap_socket(plain, server_hostname="localhost")
        cipher, version, _ = stream.cipher()
        assert version == "TLSv1.3" and "AES" in cipher and "GCM" in cipher, stream.cipher()
        return stream

    def open(self, context):
        stream = self.connect(context)
        stream.sendall(REQUEST)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += stream.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return stream

    def stop(self):
        self.child.terminate()
        self.child.wait()


def frame(size):
    """A message, masked with a key of zeros, and the length of its echo."""
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 1 << 16:
        head = b"\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\xff" + size.to_bytes(8, "big")
    return b"\x82" + head + bytes(4) + os.urandom(size), 1 + len(head) + size


def messages(server, context, size, connections, in_flight, rounds):
    """Messages for each second of the server's processor time."""
    message, length = frame(size)
    streams = [server.open(context) for _ in range(connections)]
    buffer = bytearray(1 << 20)
    for stream in streams:  # what comes back is the message, whose key is zero
        stream.sendall(message)
        echo = bytearray()
        while len(echo) < length:
            part = stream.recv(length - len(echo))
            assert part
            echo += part
        assert echo[-size:] == message[-size:]

    def round_trip():
        for stream in streams:
            stream.sendall(message * in_flight)
        for stream in streams:
            left = length * in_flight
            while left:
                got = stream.recv_into(buffer, min(left, len(buffer)))
                assert got
                left -= got

    for _ in range(WARM_UP):
        round_trip()
    before = server.cpu()
    for _ in range(rounds):
        round_trip()
    spent = server.cpu() - before
    for stream in streams:
        stream.close()
    return rounds * connections * in_flight / spent


def handshakes(server, context, count):
    """Full handshakes for each second of the server's processor time."""
    for _ in range(WARM_UP):
        server.connect(context).close()
    before = server.cpu()
    for _ in range(count):
        server.connect(context).close()
    return count / (server.cpu() - before)


def idle(server, context):
    """Bytes of the server's memory for each connection that has had an echo, and is idle."""
    server.open(context).close()
    before = server.memory()
    message, length = frame(125)
    streams = [server.open(context) for _ in range(IDLE)]
    for stream in streams:
        stream.sendall(message)
        left = length
        while left:
            left -= len(stream.recv(left))
    grown = (server.memory() - before) / IDLE
    for stream in streams:
        stream.close()
    return grown


CELLS = {
    "125 B, 64 connections": lambda server, context: messages(server, context, 125, 64, 1, 300),
    "125 B, 64 connections, 16 in flight": lambda server, context: messages(server, context, 125, 64, 16, 200),
    "16 KiB, 16 connections": lambda server, context: messages(server, context, 16 << 10, 16, 1, 300),
    "1 MiB, 1 connection": lambda server, context: messages(server, context, 1 << 20, 1, 1, 100),
    "handshakes": lambda server, context: handshakes(server, context, 500),
    "idle bytes": idle,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("servers", nargs="+", metavar="NAME=COMMAND")
    options = parser.parse_args()
    servers = dict(server.split("=", 1) for server in options.servers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ECDHE+AESGCM")
    figures = {(cell, name): [] for cell in CELLS for name in servers}
    with tempfile.TemporaryDirectory() as folder:
        cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run(["openssl", "req", "-x509", *new, "-out", cert, "-keyout", key], check=True, capture_output=True)
        for _ in range(options.rounds):
            for cell, measure in CELLS.items():
                for name, command in servers.items():
                    server = Server(command, cert, key)
                    try:
                        figures[cell, name].append(measure(server, context))
                    finally:
                        server.stop()
    print("|  |", " | ".join(servers), "|")
    print("| --- |" + " --- |" * len(servers))
    for cell in CELLS:
        row = []
        for name in servers:
            each = figures[cell, name]
            row.append(f"{statistics.median(each):,.0f} ({min(each):,.0f} to {max(each):,.0f})")
        print(f"| {cell} |", " | ".join(row), "|")


if __name__ == "__main__":
    main()
