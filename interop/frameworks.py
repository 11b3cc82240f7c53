"""Clients of higher protocols, against the examples that implement these on the codec. NAME: only these clients."""

import sys

from harness import BIN, HERE, Process, judge, run_peer

CLIENTS = {
    "socket.io-client": ("socketio_echo", "peers/socketio_client.js"),
    "sockjs-client": ("sockjs_echo", "peers/sockjs_client.js"),
}

SCENARIOS = {
    "socket.io-client": ["connect", "events", "acknowledgements", "binary", "pings", "namespaces"],
    "sockjs-client": ["connect", "messages", "heartbeats", "close by the server", "raw"],
}

# Each protocol has its own scenarios.
EVERY = list(dict.fromkeys(name for names in SCENARIOS.values() for name in names))
EXEMPT = {
    (client, name): "not of this protocol" for client in CLIENTS for name in EVERY if name not in SCENARIOS[client]
}


def run(client):
    print(f"{client}:", flush=True)
    program, script = CLIENTS[client]
    server = Process([BIN / program, "127.0.0.1:0"], r"http://([\d.]+:\d+)/")
    results = run_peer(["node", HERE / script], 90, {"ADDRESS": server.match[1]})
    if server.child.poll() is not None:
        results = {name: {"ok": False, "note": "the server ended"} for name in SCENARIOS[client]}
    server.stop()
    return results


def main():
    chosen = sys.argv[1:] or list(CLIENTS)
    if unknown := set(chosen) - set(CLIENTS):
        sys.exit(f"no client is called {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    scenarios = [name for name in EVERY if any(name in SCENARIOS[client] for client in chosen)]
    return judge("frameworks", chosen, scenarios, {client: run(client) for client in chosen}, EXEMPT)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
