"""framewire-echo, and the echo server of framewire-tokio, behind nginx and HAProxy, with the configurations from
docs/operations.md. Only addresses, paths, and the proxies' limits and times are replaced, as real times would take too
long here. NAME: only these pairs, as in `nginx` or `nginx, tokio`."""

import asyncio
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import time
import urllib.request

import websockets
from harness import HERE, Process, echo_of_tokio, framewire, judge

DOC = HERE.parent / "docs/operations.md"

# The server pings after a second; the proxies end connections after three seconds of silence.
PING, PROXY_TIMEOUT, SILENCE = 1, 3, 9


def configuration(name, replacements):
    """The code block of the page that begins with a comment that names this file."""
    block = re.search(rf"```\w+\n(# {re.escape(name)}\n.*?)```", DOC.read_text(), re.DOTALL)
    if not block:
        raise RuntimeError(f"{DOC.name} has no {name}")
    text = block[1]
    for old, new in replacements.items():
        if old not in text:
            raise RuntimeError(f"{name} has no {old!r}")
        text = text.replace(old, new)
    return text


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx(folder, port, upstream):
    site = configuration(
        "/etc/nginx/conf.d/framewire.conf",
        {
            "listen 80;": f"listen 127.0.0.1:{port};",
            "server 127.0.0.1:9001;": f"server {upstream.replace('/', 'unix:/', 1)};",
            "timeout 180s;": f"timeout {PROXY_TIMEOUT}s;",
        },
    )
    # What surrounds it in Debian's nginx.conf, and folders that do not need root.
    folders = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "framewire.conf").write_text(site)
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\n"
        "events { worker_connections 4096; }\n"
        f"http {{\naccess_log off;\n{folders}include {folder}/framewire.conf;\n}}\n"
    )
    return ["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]


def haproxy(folder, port, upstream):
    (folder / "haproxy.cfg").write_text(
        configuration(
            "/etc/haproxy/haproxy.cfg",
            {
                "bind :80": f"bind 127.0.0.1:{port}",
                "server one 127.0.0.1:9001": f"server one {upstream.replace('/', 'unix@/', 1)}",
                "timeout tunnel 180s": f"timeout tunnel {PROXY_TIMEOUT}s",
                "maxconn 100000": "maxconn 4000",
                "check\n": "check inter 200ms\n",
            },
        )
    )
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


# A proxy, and the server behind it.
PROXIES = {
    "nginx": (nginx, framewire),
    "HAProxy": (haproxy, framewire),
    "nginx, tokio": (nginx, echo_of_tokio),
    "HAProxy, tokio": (haproxy, echo_of_tokio),
}


class Behind:
    """A server behind a proxy: `address` is the proxy's."""

    def __init__(self, proxy, *options, unix=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="framewire-"))
        self.folder.chmod(0o755)  # if root starts a proxy, its workers are another user
        configure, start = PROXIES[proxy]
        self.server = start(*options, *(["--listen", self.folder / "echo.sock"] if unix else []))
        if unix:
            (self.folder / "echo.sock").chmod(0o777)
        port = free_port()
        upstream = str(self.folder / "echo.sock") if unix else self.server.address
        self.proxy = Process(configure(self.folder, port, upstream), None)
        self.address = f"127.0.0.1:{port}"
        self.wait()

    def wait(self):
        """Waits until the proxy is ready, and has found the server healthy."""
        for _ in range(100):
            try:
                if get(self.address, "/healthz") == "ok\n":
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the proxy does not reach the server")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.stop()
        self.server.stop()
        shutil.rmtree(self.folder)


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        return answer.read().decode()


def connect(address, **options):
    # Only the server pings: its pings must keep the connection alive.
    return websockets.connect(f"ws://{address}/", ping_interval=None, max_size=None, proxy=None, **options)


async def echoed(socket, message):
    await socket.send(message)
    if await asyncio.wait_for(socket.recv(), 30) != message:
        raise AssertionError("another message came back")


async def page(behind):
    if "<title>framewire-" not in get(behind.address, "/"):
        raise AssertionError("that is not the page")


async def messages(behind):
    async with connect(behind.address) as socket:
        for message in ("Hello", "", "\U0001f44b", b"", bytes(65536)):
            await echoed(socket, message)
        for i in range(1000):
            await echoed(socket, f"message {i}")


async def large(behind):
    async with connect(behind.address) as socket:
        await echoed(socket, bytes(range(256)) * 4096)
        await echoed(socket, bytes(range(256)) * 65536)


async def silence(behind):
    """Is silent for three times as long as the proxy allows, and longer than several pings."""
    async with connect(behind.address) as socket:
        await asyncio.sleep(SILENCE)
        await echoed(socket, "still here")


async def many(behind):
    sockets = await asyncio.gather(*(connect(behind.address, open_timeout=60) for _ in range(500)))
    await asyncio.gather(*(echoed(socket, f"I am {i}") for i, socket in enumerate(sockets)))
    await asyncio.gather(*(socket.close() for socket in sockets))


async def handshake(behind):
    async with connect(behind.address, subprotocols=["chat.v1", "chat.v2"], origin="https://good.example") as socket:
        if socket.subprotocol != "chat.v2":
            raise AssertionError(f"{socket.subprotocol} was chosen")
    try:
        async with connect(behind.address, origin="https://evil.example"):
            raise AssertionError("a wrong origin was let in")
    except websockets.InvalidStatus as refused:
        if refused.response.status_code != 403:
            raise


async def close_codes(behind):
    """The client's close, then the server's, which is told to stop: so this is the last scenario."""
    socket = await connect(behind.address)
    await socket.close(3001, "enough")
    if socket.close_code != 3001:
        raise AssertionError(f"3001 was answered by {socket.close_code}")
    socket = await connect(behind.address)
    await echoed(socket, "hello")
    behind.server.child.terminate()
    try:
        await asyncio.wait_for(socket.recv(), 10)
    except websockets.ConnectionClosed as closed:
        if (closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)) != (1001, "the server is stopping"):
            raise AssertionError(f"closed with {closed.rcvd}") from None
    else:
        raise AssertionError("it was not closed")


async def no_pings(behind):
    """Checks the check: without pings, the proxy does end a connection that is silent for as long."""
    async with connect(behind.address) as socket:
        began = time.monotonic()
        try:
            await asyncio.wait_for(socket.recv(), SILENCE)
        except websockets.ConnectionClosedError:
            if time.monotonic() - began < PROXY_TIMEOUT - 0.5:
                raise
            return
    raise AssertionError("the connection should have ended")


BEHIND_ONE = {
    "the page, /healthz": page,
    "messages": messages,
    "1 MiB, 16 MiB": large,
    "500 at once": many,
    "origin, subprotocol": handshake,
    f"{SILENCE} s of silence, proxy allows {PROXY_TIMEOUT}": silence,
    "close codes, stop": close_codes,
}
OTHERS = {
    "over a Unix socket": (messages, [], True),
    "without pings it ends": (no_pings, ["--idle-timeout", "0"], False),
}


def attempt(name, scenario):
    began = time.monotonic()
    try:
        scenario()
        note = ""
    except Exception as error:
        note = f"{type(error).__name__}: {error}"
    ok = not note
    print(f"    {'ok    ' if ok else 'FAILED'} {name} ({time.monotonic() - began:.1f} s) {note}", flush=True)
    return {"scenario": name, "ok": ok, "note": note}


def run(proxy):
    print(f"{proxy}:", flush=True)
    results = {}
    options = (
        *("--idle-timeout", str(PING), "--pong-timeout", "10", "--subprotocol", "chat.v2"),
        *("--allow-origin", "https://good.example"),
    )
    with Behind(proxy, *options) as behind:
        for name, scenario in BEHIND_ONE.items():
            results[name] = attempt(name, lambda: asyncio.run(scenario(behind)))
    for name, (scenario, options, unix) in OTHERS.items():

        def alone():
            with Behind(proxy, *options, unix=unix) as behind:
                asyncio.run(scenario(behind))

        results[name] = attempt(name, alone)
    return results


def main():
    chosen = sys.argv[1:] or list(PROXIES)
    if unknown := set(chosen) - set(PROXIES):
        sys.exit(f"no proxy is called {', '.join(unknown)}; there are {', '.join(PROXIES)}")
    return judge("proxies", chosen, [*BEHIND_ONE, *OTHERS], {name: run(name) for name in chosen}, {})


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
