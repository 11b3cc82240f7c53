"""The client of examples/ through other people's forward proxies, which its environment names. NAME: only these proxies."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from harness import BIN, Process, judge

USER, PASSWORD = "user", "pass"
IN_URL = f"{USER}:p%61ss@"  # as a URL may escape it


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tinyproxy(folder, port, login):
    configuration = folder / "tinyproxy.conf"
    configuration.write_text(
        f"Listen 127.0.0.1\nPort {port}\nTimeout 60\nMaxClients 20\nLogLevel Warning\n"
        + (f'BasicAuth {USER} {PASSWORD}\n' if login else "")
    )
    return ["tinyproxy", "-d", "-c", configuration]


def microsocks(_folder, port, login):
    return ["microsocks", "-i", "127.0.0.1", "-p", str(port), *(["-u", USER, "-P", PASSWORD] if login else [])]


PROXIES = {"tinyproxy": ("http", tinyproxy), "microsocks": ("socks5h", microsocks)}


class Proxy:
    """A proxy, perhaps one that wants a user and a password."""

    def __init__(self, name, login):
        scheme, command = PROXIES[name]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="framewire-"))
        port = free_port()
        self.process = Process(command(self.folder, port, login), None)
        self.scheme, self.address = scheme, f"127.0.0.1:{port}"
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{name} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
        shutil.rmtree(self.folder)

    def client(self, url, login="", **more):
        """Sends a message. Returns what the client printed, and its errors."""
        clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment = {"ALL_PROXY": f"{self.scheme}://{login}{self.address}", **more}
        child = subprocess.run(
            [BIN / "tokio_client", url, "Hello"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**clean, **environment},
        )
        return child.stdout, child.stderr


def demand(found, wanted):
    if wanted not in found:
        raise AssertionError(f"{wanted!r} is not in {found!r}")


def message(proxy, servers):
    demand(proxy.client(servers["ws"])[0], "Hello\n")


def by_name(proxy, servers):
    demand(proxy.client(servers["ws"].replace("127.0.0.1", "localhost"))[0], "Hello\n")


def tls(proxy, servers):
    """TLS reaches the server: the client sees its certificate, which nobody vouches for."""
    demand(proxy.client(servers["wss"])[1], "UnknownIssuer")


def nobody_listens(proxy, _servers):
    demand(proxy.client(f"ws://127.0.0.1:{free_port()}/")[1], "Refused")


def not_for_all(proxy, servers):
    proxy.process.stop()
    demand(proxy.client(servers["ws"])[1], "Unreachable")
    host_and_port = servers["ws"].split("/")[2]
    for listed in ["127.0.0.0/8", host_and_port, "*"]:
        demand(proxy.client(servers["ws"], NO_PROXY=listed)[0], "Hello\n")
    demand(proxy.client(servers["ws"], NO_PROXY="127.0.0.1:1")[1], "Unreachable")


def login(proxy, servers):
    demand(proxy.client(servers["ws"], IN_URL)[0], "Hello\n")


def no_login(proxy, servers):
    demand(proxy.client(servers["ws"])[1], "Login" if proxy.scheme == "socks5h" else "status: 40")


def wrong_login(proxy, servers):
    demand(proxy.client(servers["ws"], f"{USER}:wrong@")[1], "Login" if proxy.scheme == "socks5h" else "status: 40")


OPEN = {
    "a message": message,
    "a server by name": by_name,
    "wss://": tls,
    "nobody listens": nobody_listens,
    "NO_PROXY": not_for_all,  # stops the proxy
}
CLOSED = {"user and password": login, "none": no_login, "wrong ones": wrong_login}


def attempt(scenario, proxy, servers):
    try:
        scenario(proxy, servers)
        return {"ok": True, "note": ""}
    except Exception as error:
        return {"ok": False, "note": f"{type(error).__name__}: {error}"}


def run(name, servers):
    print(f"{name}:", flush=True)
    results = {}
    for scenarios, wants_login in ((OPEN, False), (CLOSED, True)):
        with Proxy(name, wants_login) as proxy:
            for scenario, check in scenarios.items():
                results[scenario] = attempt(check, proxy, servers)
                print(f"    {'ok    ' if results[scenario]['ok'] else 'FAILED'} {scenario} {results[scenario]['note']}")
    return results


def main():
    chosen = sys.argv[1:] or list(PROXIES)
    if unknown := set(chosen) - set(PROXIES):
        sys.exit(f"no proxy is called {', '.join(unknown)}; there are {', '.join(PROXIES)}")
    echo = Process([BIN / "tokio_server", "127.0.0.1:0"], r"ws://([\d.]+:\d+)/")
    secure = Process([BIN / "rustls_server", "127.0.0.1:0"], r"wss://(localhost:\d+)/")
    servers = {"ws": f"ws://{echo.match[1]}/", "wss": f"wss://{secure.match[1]}/"}
    results = {name: run(name, servers) for name in chosen}
    return judge("tunnels", chosen, [*OPEN, *CLOSED], results, {})


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
