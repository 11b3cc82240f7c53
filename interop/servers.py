"""A client on the codec, echo_check (testing/), against servers that people use, which are echo servers in peers/; and
against framewire-echo and the echo server of framewire-tokio, with the codec at both ends. NAME: only these servers."""

import sys

from harness import BIN, HERE, Process, echo_of_tokio, framewire, judge, run_peer

URL = r"ws://([\d.]+:\d+)"

SERVERS = {
    "websockets": lambda: Process([sys.executable, HERE / "peers/websockets_server.py"], URL),
    "ws": lambda: Process(["node", HERE / "peers/ws_server.js"], URL),
    "framewire-echo": lambda: framewire("--max-message", "64M", "--subprotocol", "chat.v2"),
    "framewire-tokio": lambda: echo_of_tokio("--max-message", "64M", "--subprotocol", "chat.v2"),
}

OURS = ("framewire-echo", "framewire-tokio")

SCENARIOS = [
    "text",
    "binary to 64 KiB",
    "binary 1 MiB",
    "binary 64 MiB",
    "fragments",
    "ping from the client",
    "ping from the server",
    "close by the client",
    "close by the server",
    "10,000 in order",
    "1,000 at once",
    "subprotocol",
]

# Why a server cannot run a scenario.
EXEMPT = {
    **{(server, "ping from the server"): "it does not ping on request: see interop/run clients" for server in OURS},
    **{(server, "close by the server"): "it does not close on request: see interop/run clients" for server in OURS},
}


def run(name, start):
    print(f"{name}:", flush=True)
    server = start()
    asked = [] if name in OURS else ["--asked"]
    results = run_peer([BIN / "echo_check", *asked, f"ws://{server.match[1]}"], 90)
    server.stop()
    return results


def main():
    chosen = sys.argv[1:] or list(SERVERS)
    if unknown := set(chosen) - set(SERVERS):
        sys.exit(f"no server is called {', '.join(unknown)}; there are {', '.join(SERVERS)}")
    return judge("servers", chosen, SCENARIOS, {name: run(name, SERVERS[name]) for name in chosen}, EXEMPT)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
