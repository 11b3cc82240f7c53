"""Clients that people use, against framewire-echo. Each is a program in peers/, in the language of the library, and
runs the same scenarios. NAME: only these clients."""

import sys

from harness import HERE, OUT, framewire, judge, run_peer

CLIENTS = {
    "websockets": [sys.executable, HERE / "peers/websockets_client.py"],
    "websocket-client": [sys.executable, HERE / "peers/websocket_client_client.py"],
    "ws": ["node", HERE / "peers/ws_client.js"],
    "Chromium": ["node", HERE / "peers/chromium.js"],
}

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
EXEMPT = {
    ("Chromium", "fragments"): "pages cannot send fragments",
    ("Chromium", "ping from the client"): "pages cannot send pings",
} | {(client, "the page"): "only a browser shows pages" for client in CLIENTS if client != "Chromium"}

PATIENCE = 180


def run(client, command):
    """Starts three servers: one that accepts large messages, one that is strict, and one that is told to stop."""
    print(f"{client}:", flush=True)
    large = framewire("--max-message", "64M")
    strict = framewire(
        *("--allow-origin", "https://good.example", "--allow-origin", f"http://{large.address}"),
        *("--subprotocol", "chat.v2", "--max-message", "1M"),
        *("--idle-timeout", "1", "--pong-timeout", "2"),
    )
    leaving = framewire()
    results = run_peer(
        command,
        PATIENCE,
        {
            "LARGE": large.address,
            "STRICT": strict.address,
            "LEAVING": leaving.address,
            "LEAVING_PID": str(leaving.pid),  # the client sends it SIGTERM when it is ready
            "SCREENSHOT": str(OUT / "page.png"),
        },
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
    return judge("clients", chosen, SCENARIOS, {client: run(client, CLIENTS[client]) for client in chosen}, EXEMPT)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
