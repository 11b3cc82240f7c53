"""What the scripts share: processes that are started and ended, and tables of what was seen."""

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


# Also where this process is ended from outside (a time limit, Ctrl-C): what it started ends with it.
atexit.register(end_all)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit(1))


class Process:
    """A program that says on standard output, in a line that matches `ready`, that it can be talked to; without
    `ready`, the caller finds that out."""

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
            for line in self.child.stdout:  # to its end, or the pipe would fill
                if ready and self.match is None:
                    self.match = re.search(ready, line)
                    if self.match:
                        found.set()
            found.set()

        threading.Thread(target=watch, daemon=True).start()
        if ready and (not found.wait(patience) or self.match is None):
            raise RuntimeError(f"{self.name} did not come up")

    @property
    def pid(self):
        return self.child.pid

    def stop(self, patience=15):
        """Asks it to end, and gives the status it ended with."""
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return "none: it did not end when it was asked to"


def framewire(*options):
    """The server, on a port that is free: its process, whose `address` is HOST:PORT."""
    server = Process([BIN / "framewire-echo", "--listen", "127.0.0.1:0", *options], r"ws://([\d.]+:\d+)/")
    server.address = server.match[1]
    return server


def run_peer(command, patience, env=None, quiet=False):
    """Runs a program that prints a line of JSON for each scenario, and gives them by name."""
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
    """Leaves a table and what it was made of, and prints it."""
    (OUT / f"{name}.md").write_text(markdown)
    (OUT / f"{name}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    print(f"\n{markdown}\n({OUT / name}.md and .json)", flush=True)


def judge(kind, peers, scenarios, results, exempt, passed=lambda result: "ok"):
    """Makes the table peer × scenario; true if every scenario passed with every peer. One that was not reported has
    failed, unless `exempt` says why it cannot be."""
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
