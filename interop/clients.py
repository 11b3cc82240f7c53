"""Clients that people use, against framewire-echo, and against the echo server of framewire-tokio; or, if
FRAMEWIRE_C says where it is, only against the one in C of capi/examples. Each is a program in
peers/, in the language of the library, and runs the same scenarios. NAME: only these clients."""

import concurrent.futures
import os
import sys

from harness import HERE, OUT, echo_of_tokio, framewire, in_c, judge, run_peer

CLIENTS = {
    "websockets": [sys.executable, HERE / "peers/websockets_client.py"],
    "websocket-client": [sys.executable, HERE / "peers/websocket_client_client.py"],
    "ws": ["node", HERE / "peers/ws_client.js"],
    "Chromium": ["node", HERE / "peers/chromium.js"],
}

# What is added to a client's name, and how the server is started.
SERVERS = {"": framewire, ", tokio": echo_of_tokio}
if "FRAMEWIRE_C" in os.environ:
    # The size of the largest message is its only option.
    SIZES = {"64M": 64 << 20, "1M": 1 << 20}
    SERVERS = {", C": lambda *options: in_c("echo_server", *[str(SIZES[word]) for word in options if word in SIZES])}

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
    "message too big",
    "10,000 in order",
    "1,000 at once",
    "subprotocol",
    "wrong origin",
    "the page",
]

# Why a client cannot run a scenario.
EXEMPT = {}
for _server in SERVERS:
    EXEMPT |= {
        (f"Chromium{_server}", "fragments"): "pages cannot send fragments",
        (f"Chromium{_server}", "ping from the client"): "pages cannot send pings",
    }
    EXEMPT |= {
        (f"{_client}{_server}", "the page"): "only a browser shows pages, and only framewire-echo has one with buttons"
        for _client in CLIENTS
        if (_client, _server) != ("Chromium", "")
    }

    EXEMPT |= {
        (f"{_client}, C", _scenario): "the example in C has no such option"
        for _client in CLIENTS
        for _scenario in SCENARIOS
        if _scenario in ("ping from the server", "close by the server", "subprotocol", "wrong origin")
    }

# Some clients wait for what the example in C never does.
PATIENCE = 90 if "FRAMEWIRE_C" in os.environ else 180


def run(client, start, page="http", quiet=False, **more):
    """Starts the server three times: one that accepts large messages, one that is strict, and one that is told to stop. The
    strict one accepts the pages of the first, which have the scheme `page`. `more` is added to the client's environment."""
    large = start("--max-message", "64M")
    strict = start(
        *("--allow-origin", "https://good.example", "--allow-origin", f"{page}://{large.address}"),
        *("--subprotocol", "chat.v2", "--max-message", "1M"),
        *("--idle-timeout", "1", "--pong-timeout", "2"),
    )
    leaving = start()
    results = run_peer(
        CLIENTS[client],
        PATIENCE,
        {
            "LARGE": large.address,
            "STRICT": strict.address,
            "LEAVING": leaving.address,
            "LEAVING_PID": str(leaving.pid),  # the client sends it SIGTERM when it is ready
            "SCREENSHOT": str(OUT / "page.png"),
            **more,
        },
        quiet=quiet,
    )
    for name, server in (("large", large), ("strict", strict), ("leaving", leaving)):
        if (status := server.stop()) != 0:
            note = f"the server ended with status {status}"
            results[f"close by the server ({name})"] = {"ok": False, "note": note}
            results["close by the server"] = {"ok": False, "note": note}
    return results


def main():
    chosen = sys.argv[1:] or list(CLIENTS)
    if unknown := set(chosen) - set(CLIENTS):
        sys.exit(f"no client is called {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    results = {}
    for client in chosen:
        print(f"{client}:", flush=True)
        # At the same time, as they mostly wait.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ran = pool.map(lambda server: run(client, SERVERS[server], quiet=server != ""), SERVERS)
            results |= {client + server: result for server, result in zip(SERVERS, ran)}
    return judge("clients_c" if "FRAMEWIRE_C" in os.environ else "clients", list(results), SCENARIOS, results, EXEMPT)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
