"""permessage-deflate between the codec and other implementations, with all combinations of its parameters: websockets
and ws as clients of framewire-echo, and echo_check (testing/) as a client of their servers. Each connection must agree
on the parameters that RFC 7692 derives from the offer and the server's settings. It must then echo messages of all
kinds, with fewer bytes on the wire if that is possible. NAME: only these peers."""

import itertools
import json
import sys

from harness import BIN, HERE, Process, framewire, judge, run_peer

SWITCHES = ["server_no_context_takeover", "client_no_context_takeover"]
BITS = ["server_max_window_bits", "client_max_window_bits"]
# As in the JSON for the peers: true is a parameter without a value, null is no parameter.
OFFERS = [
    dict(zip(SWITCHES + BITS, values))
    for values in itertools.product([False, True], [False, True], [None, 9, 12, 15], [None, True, 9, 12, 15])
]
# For a server with settings of its own.
FEWER = [offer for offer in OFFERS if not {12, 15} & set(offer.values())]
# The settings of a server: each is a row of the table.
SERVERS = {
    "defaults": {},
    "server_no_context_takeover": {"server_no_context_takeover": True},
    "client_no_context_takeover": {"client_no_context_takeover": True},
    "both": {"server_no_context_takeover": True, "client_no_context_takeover": True},
    "server_max_window_bits=9": {"server_max_window_bits": 9},
    "server_max_window_bits=12": {"server_max_window_bits": 12},
    "client_max_window_bits=9": {"client_max_window_bits": 9},
    "client_max_window_bits=12": {"client_max_window_bits": 12},
    "all, 9 bits": {**dict.fromkeys(SWITCHES, True), **dict.fromkeys(BITS, 9)},
}

URL = r"ws://([\d.]+:\d+)"
CLIENTS = {
    "websockets": [sys.executable, HERE / "peers/websockets_compression.py"],
    "ws": ["node", HERE / "peers/ws_compression.js"],
}
OTHERS = {
    "to websockets": [sys.executable, HERE / "peers/websockets_server.py"],
    "to ws": ["node", HERE / "peers/ws_server.js"],
}


def offers(server):
    return FEWER if server else OFFERS


def written(params):
    """The value of Sec-WebSocket-Extensions."""
    named = [name if value is True else f"{name}={value}" for name, value in params.items() if value]
    return "; ".join(["permessage-deflate", *named])


def agreed(offer, server):
    """The parameters that bind both ends; None if the server has to decline."""
    if server.get("client_max_window_bits") and not offer["client_max_window_bits"]:
        return None
    params = {name: bool(offer[name] or server.get(name)) for name in SWITCHES}
    for name in BITS:
        asked = 15 if offer[name] in (None, True) else offer[name]
        params[name] = min(asked, server.get(name, 15))
    return params


def can_take(name, offer, server):
    """As a server, ws declines windows smaller than its setting. It refuses a connection if it declines all offers."""
    if name != "to ws":
        return True
    fits = all(offer[bits] in (None, True) or offer[bits] >= server.get(bits, 0) for bits in BITS)
    return fits and agreed(offer, server) is not None


def from_client(name, server):
    options = [word for key, value in server.items() for word in option(key, value)]
    echo = framewire("--compression", *options)
    cases = [{"offer": offer, "agreed": agreed(offer, server), "name": written(offer)} for offer in offers(server)]
    told = {"CASES": json.dumps({"url": f"ws://{echo.address}/", "cases": cases})}
    results = run_peer(CLIENTS[name], 240, told, quiet=True)
    if (status := echo.stop()) != 0:
        results["the server's end"] = {"ok": False, "note": f"the server ended with status {status}"}
    return results, len(cases)


def option(key, value):
    return [f"--{key.replace('_', '-')}", *([] if value is True else [str(value)])]


def from_framewire(name, server):
    peer = Process(OTHERS[name], URL, env={"COMPRESSION": json.dumps(server)})
    results = {}
    taken = [offer for offer in offers(server) if can_take(name, offer, server)]
    for offer in taken:
        params = agreed(offer, server)
        command = [BIN / "echo_check", "--deflate", written(offer), written(params) if params else ""]
        result = run_peer([*command, f"ws://{peer.match[1]}"], 60, quiet=True)
        results[written(offer)] = result.get("compressed", {"ok": False, "note": "not run"})
    peer.stop()
    return results, len(taken)


def main():
    columns = [*CLIENTS, *OTHERS]
    chosen = sys.argv[1:] or columns
    if unknown := set(chosen) - set(columns):
        sys.exit(f"no peer is called {', '.join(unknown)}; there are {', '.join(columns)}")
    results = {}
    for name in chosen:
        print(f"{name}:", flush=True)
        results[name] = {}
        for row, server in SERVERS.items():
            seen, expected = (from_client if name in CLIENTS else from_framewire)(name, server)
            failed = {case: result["note"] for case, result in seen.items() if not result["ok"]}
            seconds = sum(result.get("seconds", 0) for result in seen.values())
            for case, note in list(failed.items())[:5]:
                print(f"    FAILED {row}: {case}: {note}")
            print(f"    {row}: {len(seen) - len(failed)} of {expected} offers ({seconds:.1f} s)", flush=True)
            note = f"{len(failed)} of {expected} offers failed, {expected - len(seen)} were not run"
            good = not failed and len(seen) == expected
            results[name][row] = {"ok": good, "offers": expected, "seconds": seconds, "note": note, "failed": failed}
    return judge("compression", chosen, list(SERVERS), results, {}, lambda result: f"{result['offers']} ok")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
