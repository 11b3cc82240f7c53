"""What the scripts share: processes that they start and end, and tables of results."""

import atexit
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

BIN = pathlib.Path(os.environ["FRAMEWIRE_BIN"])
OUT = pathlib.Path(os.environ["FRAMEWIRE_OUT"])
HERE = pathlib.Path(__file__).parent

_running = []


def end_all():
    for process in _running:
        if process.poll() is None:
            process.terminate()
    for process in _running:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


# If this process is ended from outside (a time limit, Ctrl-C), the processes that it has started end with it.
atexit.register(end_all)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit(1))


class Process:
    """A program. When it is ready, it prints a line that matches `ready`. Without `ready`, the caller finds out when it
    is ready."""

    def __init__(self, command, ready, patience=20, env=None):
        self.name = pathlib.Path(command[0]).name
        self.child = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        _running.append(self.child)
        found, self.match = threading.Event(), None

        def watch():
            for line in self.child.stdout:  # to the end, or the pipe would fill
                if ready and self.match is None:
                    self.match = re.search(ready, line)
                    if self.match:
                        found.set()
            found.set()

        threading.Thread(target=watch, daemon=True).start()
        if ready and (not found.wait(patience) or self.match is None):
            raise RuntimeError(f"{self.name} did not start")

    @property
    def pid(self):
        return self.child.pid

    def stop(self, patience=15):
        """Asks it to end, and returns its exit status."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return "none: it did not end when asked to"


def framewire(*options):
    """The server, on a free port: its process, with `address` HOST:PORT."""
    return listening(BIN / "framewire-echo", options)


def framewire_tls(pem, *options):
    """The server over TLS only, in the same way. `pem` is a file with the chain and the key."""
    command = [BIN / "framewire-echo", "--tls", pem, pem, "--listen-tls", "127.0.0.1:0", *options]
    server = Process(command, r"wss://([\d.]+:\d+)/")
    server.address = server.match[1]
    return server


def echo_of_tokio(*options):
    """The echo server of framewire-tokio, in the same way. It has some of the options, and `--listen` takes one address."""
    return listening(BIN / "examples" / "echo", options)


def echo_of_axum(*options):
    """The echo of framewire-axum, in the same way. It has those options, and `--tls FILE`."""
    return listening(BIN / "examples" / "axum_echo", options)


def in_c(name, *options, start=True):
    """A program in C or C++ of capi/examples, started in the same way, or only its path."""
    program = pathlib.Path(os.environ["FRAMEWIRE_C"]) / name
    return listening(program, ["0", *options]) if start else program


def listening(program, options):
    if "--listen" in options:  # a Unix socket
        return Process([program, *options], r"listening on")
    where = [] if options and options[0] == "0" else ["--listen", "127.0.0.1:0"]
    server = Process([program, *where, *options], r"wss?://([\d.]+:\d+)/")
    server.address = server.match[1]
    return server


def run_peer(command, patience, env=None, quiet=False):
    """Runs a program that prints a line of JSON for each scenario, and returns these by name."""
    child = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )
    _running.append(child)
    timer = threading.Timer(patience, child.terminate)
    timer.start()
    results = {}
    for line in child.stdout:
        if line.startswith("{"):
            result = json.loads(line)
            results[result["scenario"]] = result
            if quiet:
                continue
            print(f"    {'ok    ' if result['ok'] else 'FAILED'} {result['scenario']}"
                  f" ({result['seconds']:.1f} s) {result['note']}", flush=True)
        else:
            print(f"    {line}", end="", flush=True)
    child.wait()
    timer.cancel()
    return results


def grid(rows, columns, cell):
    """A table in Markdown."""
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(cell(row, column) for column in columns)] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def publish(name, markdown, data):
    """Writes a table and its data, and prints the table."""
    (OUT / f"{name}.md").write_text(markdown)
    (OUT / f"{name}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    print(f"\n{markdown}\n({OUT / name}.md and .json)", flush=True)


def judge(kind, peers, scenarios, results, exempt, passed=lambda result: "ok"):
    """Makes a table of scenarios and peers. Returns true if every scenario passed with every peer. A scenario without a
    result has failed, unless `exempt` says why it is impossible."""
    failures = []

    def cell(scenario, peer):
        if (peer, scenario) in exempt:
            return "n/a"
        result = results[peer].get(scenario)
        if result and result["ok"]:
            return passed(result)
        failures.append(f"{peer}, {scenario}: {result['note'] if result else 'not run'}")
        return "**FAILED**" if result else "**not run**"

    table = grid(scenarios, peers, cell)
    reasons = dict.fromkeys(why for (peer, _), why in exempt.items() if peer in peers)
    table += "".join(f"\nn/a: {why}." for why in reasons)
    publish(kind, table + "\n" * bool(reasons), results)
    for failure in failures:
        print(f"FAILED: {failure}")
    return not failures
