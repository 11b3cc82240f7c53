"""Over TLS: clients that people use against the echo of framewire-axum; and the client of framewire-tokio, wss_check (examples/),
against servers that people use, and against that echo. NAME: only these, as the table calls them."""

import os
import pathlib
import subprocess
import sys
import tempfile

import clients
from harness import HERE, Process, echo_of_axum, judge, run_peer

URL = r"wss://([\d.]+:\d+)"

CLIENTS = list(clients.CLIENTS)

SERVERS = {
    "to websockets": lambda pem: Process([sys.executable, HERE / "peers/websockets_server.py"], URL, env={"TLS": pem}),
    "to ws": lambda pem: Process(["node", HERE / "peers/ws_server.js"], URL, env={"TLS": pem}),
    "to framewire-axum": lambda pem: echo_of_axum("--tls", pem, "--max-message", "64M", "--subprotocol", "chat.v2"),
}

SCENARIOS = [
    *(scenario for scenario in clients.SCENARIOS if scenario != "the page"),
    "HTTP/1.1",
    "HTTP/2",
    "a wrong root",
    "a wrong name",
]

_CLIENTS_OF_OURS = "a scenario for clients of framewire-axum"
_OURS = "a scenario for our client"
EXEMPT = {
    ("Chromium", "fragments"): "pages cannot send fragments",
    ("Chromium", "ping from the client"): "pages cannot send pings",
    **{(client, version): "it only has HTTP/1.1" for client in CLIENTS[:-1] for version in ("HTTP/1.1", "HTTP/2")},
    **{(client, wrong): _OURS for client in CLIENTS for wrong in ("a wrong root", "a wrong name")},
    **{(server, scenario): _CLIENTS_OF_OURS for server in SERVERS for scenario in ("message too big", "wrong origin")},
    **{(server, "HTTP/2"): "it only has HTTP/1.1" for server in SERVERS},
    **{(server, "HTTP/1.1"): "the server does not say its version" for server in list(SERVERS)[:2]},
    ("to framewire-axum", "ping from the server"): "it does not ping on request",
    ("to framewire-axum", "close by the server"): "it does not close on request",
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
    return clients.run(name, lambda *options: echo_of_axum("--tls", pem, *options), page="https", ROOT=root)


def run_server(name, root, wrong_root, pem):
    server = SERVERS[name](pem)
    ours = name == "to framewire-axum"
    options = ["--version"] if ours else ["--asked"]
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
