"""Over TLS: clients that people use against framewire-echo, and against the echo of framewire-axum; and the client of framewire-tokio,
wss_check (examples/), against servers that people use, and against these two. NAME: only these, as the table calls them."""

import os
import pathlib
import subprocess
import sys
import tempfile
from functools import partial

import clients
from harness import HERE, Process, echo_of_axum, framewire_tls, judge, run_peer

URL = r"wss://([\d.]+:\d+)"

# A client may take long between a thousand handshakes of TLS and as many requests.
_PATIENT = ("--tls-handshake-timeout", "60", "--handshake-timeout", "60")

# Each with the name of the client, how the server is started with a file of its chain and key, and Chromium's page.
CLIENTS = {
    **{client: (client, lambda pem: partial(echo_of_axum, "--tls", pem), "version") for client in clients.CLIENTS},
    **{f"{client}, echo": (client, lambda pem: partial(framewire_tls, pem, *_PATIENT), "") for client in clients.CLIENTS},
}

SERVERS = {
    "to websockets": lambda pem: Process([sys.executable, HERE / "peers/websockets_server.py"], URL, env={"TLS": pem}),
    "to ws": lambda pem: Process(["node", HERE / "peers/ws_server.js"], URL, env={"TLS": pem}),
    "to framewire-echo": lambda pem: framewire_tls(pem, "--max-message", "64M", "--subprotocol", "chat.v2"),
    "to framewire-axum": lambda pem: echo_of_axum("--tls", pem, "--max-message", "64M", "--subprotocol", "chat.v2"),
}

SCENARIOS = [
    *clients.SCENARIOS,
    "HTTP/1.1",
    "HTTP/2",
    "a wrong root",
    "a wrong name",
]

_CLIENTS_OF_OURS = "a scenario for clients of framewire-axum"
_OURS = "a scenario for our client"
_ECHOES = ("to framewire-echo", "to framewire-axum")
_BROWSERS = ("Chromium", "Chromium, echo")
EXEMPT = {
    **{(browser, "fragments"): "pages cannot send fragments" for browser in _BROWSERS},
    **{(browser, "ping from the client"): "pages cannot send pings" for browser in _BROWSERS},
    **{(client, version): "it only has HTTP/1.1" for client in CLIENTS if client != "Chromium" for version in ("HTTP/1.1", "HTTP/2")},
    **{
        (peer, "the page"): "only a browser shows pages, and only framewire-echo has one with buttons"
        for peer in (*CLIENTS, *SERVERS)
        if peer != "Chromium, echo"
    },
    **{(client, wrong): _OURS for client in CLIENTS for wrong in ("a wrong root", "a wrong name")},
    **{(server, scenario): _CLIENTS_OF_OURS for server in SERVERS for scenario in ("message too big", "wrong origin")},
    **{(server, "HTTP/2"): "it only has HTTP/1.1" for server in SERVERS},
    **{(server, "HTTP/1.1"): "the server does not say its version" for server in SERVERS if server != "to framewire-axum"},
    **{(server, "ping from the server"): "it does not ping on request" for server in _ECHOES},
    **{(server, "close by the server"): "it does not close on request" for server in _ECHOES},
}

EXTENSIONS = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


def certify(folder, name):
    """Makes an authority, and a server for which it vouches. Returns the authority's certificate, and a file with the server's
    chain and key."""
    (folder / "openssl.cnf").write_text(EXTENSIONS)

    def certificate(of, *options):
        files = folder / f"{name}-{of}.pem", folder / f"{name}-{of}.key"
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name} {of}"]
        command = ["openssl", "req", "-x509", "-config", folder / "openssl.cnf", *new, "-extensions", of]
        subprocess.run([*command, "-out", files[0], "-keyout", files[1], *options], check=True, capture_output=True, timeout=30)
        return files

    root, root_key = certificate("authority")
    server = certificate("server", "-CA", root, "-CAkey", root_key)
    chain = folder / f"{name}.pem"
    chain.write_text("".join(file.read_text() for file in (server[0], root, server[1])))
    return str(root), str(chain)


def run_client(name, root, pem):
    client, server, page = CLIENTS[name]
    return clients.run(client, server(pem), page="https", ROOT=root, PAGE=page)


def run_server(name, root, wrong_root, pem):
    server = SERVERS[name](pem)
    ours = name in _ECHOES
    # The echo of framewire-axum says its version; servers that are not ours do what they are asked for.
    options = {"to framewire-axum": ["--version"], "to framewire-echo": []}.get(name, ["--asked"])
    results = run_peer([os.environ["WSS_CHECK"], *options, f"wss://{server.match[1]}", root, wrong_root], 120)
    if (status := server.stop()) != 0 and ours:
        results["close by the client"] = {"ok": False, "note": f"the server ended with status {status}"}
    return results


def main():
    chosen = sys.argv[1:] or [*CLIENTS, *SERVERS]
    if unknown := set(chosen) - set(CLIENTS) - set(SERVERS):
        sys.exit(f"nothing is called {', '.join(unknown)}; there are {', '.join([*CLIENTS, *SERVERS])}")
    results = {}
    with tempfile.TemporaryDirectory(prefix="framewire-") as folder:
        root, pem = certify(pathlib.Path(folder), "ours")
        wrong_root, _ = certify(pathlib.Path(folder), "others")
        for name in chosen:
            print(f"{name}:", flush=True)
            of_ours = name in SERVERS
            results[name] = run_server(name, root, wrong_root, pem) if of_ours else run_client(name, root, pem)
    return judge("wss", chosen, SCENARIOS, results, EXEMPT)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
