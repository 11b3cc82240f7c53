"""Leads clients that people use through the cases of `framewire-echo --check-client`, and makes a table of those that they accept
although a strict client refuses them. Ours must be strict, and all others must finish. NAME: only these clients."""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.parse

from harness import BIN, HERE, OUT, Process, grid, publish
from java import SOURCES

CHECK = HERE / "peers/check"


def browser(url):
    """A browser by itself: what drives one for tests copies each message, and a case has 128 MiB."""
    chromium = os.environ["CHROMIUM"]
    version = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    page = f"{(CHECK / 'browser.html').resolve().as_uri()}#{urllib.parse.quote(f'{url} Chromium {version}')}"
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    profile = OUT / "check_client-profile"
    shutil.rmtree(profile, ignore_errors=True)
    quiet += ["--disable-sync", "--no-first-run", "--log-level=3", f"--user-data-dir={profile.resolve()}"]
    return [chromium, "--headless", *quiet, page]


def rust(library):
    """A client of benches/clients, which takes its version as an argument."""
    lock = tomllib.loads((HERE.parent / "benches/Cargo.lock").read_text())
    versions = [package["version"] for package in lock["package"] if package["name"] == library]
    newest = max(versions, key=lambda version: [int(number) for number in version.split(".")])
    return lambda url: [os.environ["PEER_CLIENTS"], library, url, f"{library}%20{newest}"]


# Each makes a command from the server's URL. The first two are ours.
CLIENTS = {
    "framewire": lambda url: [BIN / "autobahn_client", url],
    "framewire-tokio": lambda url: [BIN / "examples/autobahn_client", url],
    "Chromium": browser,
    "ws": lambda url: ["node", CHECK / "ws.js", url],
    "undici": lambda url: ["node", CHECK / "undici.js", url],
    "engine.io-client": lambda url: ["node", CHECK / "engine_io.js", url],
    "websockets": lambda url: [sys.executable, CHECK / "websockets_asyncio.py", url],
    "websocket-client": lambda url: [sys.executable, CHECK / "websocket_client.py", url],
    "JDK": lambda url: ["java", "-Xmx512m", SOURCES / "CheckClient.java", url],
}
CLIENTS |= {library: rust(library) for library in ("tungstenite", "fastwebsockets", "tokio-websockets", "yawc")}
OURS = ("framewire", "framewire-tokio")

PATIENCE = 240

# What the table shows of a verdict. What a client does not do in time, or refuses although it must accept it, may have many
# reasons, which its authors know better than a table.
CELLS = {
    "strict": "ok",
    "other code": "ok",
    "lenient": "accepts",
    "untested": "n/a",
    "broken": "–",
    "no reaction": "–",
    "not run": "–",
}
CELLS_BESIDE = ["n/a", "–"]


def check(name):
    """Runs a client, and returns the server's exit status and report."""
    file = OUT / f"check_client-{name}.json"
    file.unlink(missing_ok=True)
    server = Process(
        [BIN / "framewire-echo", "--check-client", "--listen", "127.0.0.1:0", "--report", file], r"(ws://[\d.]+:\d+)/"
    )
    client = Process(CLIENTS[name](server.match[1]), None)
    # The server ends when the client has had all cases; a client may end without that, or not at all.
    ended, deadline = None, time.monotonic() + PATIENCE
    while server.child.poll() is None and time.monotonic() < deadline:
        ended = ended or client.child.poll() is not None and time.monotonic()
        if ended and time.monotonic() > ended + 10:
            break
        time.sleep(0.1)
    server.stop()
    client.stop()
    return server.child.returncode, json.loads(file.read_text())


def summary(columns, versions):
    """How many violations each client refuses and accepts."""
    heads = ["version", "refuses", "accepts", *CELLS_BESIDE]

    def cell(client, head):
        if head == "version":
            return versions[client]
        wanted = {"refuses": "ok"}.get(head, head)
        bad = [verdict for name, verdict in columns[client].items() if not name.startswith("good-")]
        return str(sum(CELLS[verdict] == wanted for verdict in bad))

    return grid(list(columns), heads, cell)


def details(columns, cases):
    """The violations that some client accepts."""
    differ = [name for name in cases if any(verdicts[name] == "lenient" for verdicts in columns.values())]
    rows = {f"`{name}`: {cases[name]}": name for name in differ}
    bad = sum(not name.startswith("good-") for name in cases)
    table = grid(list(rows), list(columns), lambda row, client: CELLS[columns[client][rows[row]]])
    return f"{table}\nNone of these clients accepts any of the other {bad - len(differ)} violations.\n"


def main():
    chosen = sys.argv[1:] or list(CLIENTS)
    if unknown := set(chosen) - set(CLIENTS):
        sys.exit(f"no client is called {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    good, columns, versions, cases = True, {}, {}, {}
    for name in chosen:
        status, report = check(name)
        columns[name] = {case["name"]: case["verdict"] for case in report["cases"]}
        versions[name] = report["client"].removeprefix(name).strip() or "this one"
        cases |= {case["name"]: case["what"] for case in report["cases"]}
        print(f"{report['client'] or name}: exit status {status}", flush=True)
        for case in report["cases"]:
            if case["verdict"] not in ("strict", "untested"):
                print(f"    {case['verdict']}: {case['name']}, {case['did']}")
        if not report["finished"] or name in OURS and status != 0:
            good = False
            print(f"FAILED: {name}")
    publish("check_client", f"{summary(columns, versions)}\n{details(columns, cases)}", columns)
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
