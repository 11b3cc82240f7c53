"""The Java platform and the codec, in both roles: the clients of the JDK and of Tomcat and, from a folder of jars, Tyrus
and Java-WebSocket, against framewire-echo; and echo_check (testing/) against a server on Tomcat. NAME: only these peers."""

import os
import pathlib
import subprocess
import sys

import clients
import servers
from harness import HERE, OUT, Process, judge

DEBIAN = pathlib.Path("/usr/share/java")
TOMCAT = [DEBIAN / f"tomcat10-embed-{part}.jar" for part in ("core", "el", "websocket")]
TOMCAT += [DEBIAN / "jakarta-annotation-api.jar"]
SOURCES = HERE / "peers/java"
CLASSES = OUT / "java"

# The class to run, and its class path.
CLIENTS = {"JDK": ("JdkClient", []), "Tomcat": ("JakartaClient", TOMCAT)}
# The jars in the folder by which a library is found.
FOLDER = {"Tyrus": ("JakartaClient", "tyrus-*client*.jar"), "Java-WebSocket": ("JavaWebSocketClient", "Java-WebSocket*.jar")}
SERVERS = {"to Tomcat": ("TomcatServer", TOMCAT)}

SCENARIOS = list(dict.fromkeys(clients.SCENARIOS + servers.SCENARIOS))


def peers():
    """Clients and servers, with those of the folder; and why some are not run."""
    found, missing = dict(CLIENTS), []
    folder = os.environ.get("FRAMEWIRE_JARS")
    for name, (main, pattern) in FOLDER.items():
        if not folder:
            missing.append(f"{name} was not run: FRAMEWIRE_JARS names no folder with its jars")
        elif list(pathlib.Path(folder).glob(pattern)):
            found[name] = (main, sorted(pathlib.Path(folder).glob("*.jar")))
        else:
            sys.exit(f"{folder} has no {pattern}")
    return found, missing


def command(main, jars):
    """Compiles a program, and returns the command that runs it."""
    folder = CLASSES / main
    folder.mkdir(parents=True, exist_ok=True)
    path = ":".join(str(jar) for jar in jars)
    sources = [SOURCES / "Scenarios.java"] * (main != "TomcatServer") + [SOURCES / f"{main}.java"]
    subprocess.run(["javac", "-nowarn", "-cp", path, "-d", folder, *sources], check=True, timeout=120)
    return ["java", "-Xmx1g", "-cp", f"{folder}:{path}", main]


def main():
    found, missing = peers()
    names = [*found, *SERVERS]
    chosen = sys.argv[1:] or names
    if unknown := set(chosen) - set(names):
        sys.exit(f"no peer is called {', '.join(unknown)}; there are {', '.join(names)}")
    results = {}
    for name in chosen:
        if name in found:
            results[name] = clients.run(name, command(*found[name]))
        else:
            results[name] = servers.run(name, lambda words=command(*SERVERS[name]): Process(words, servers.URL))
    rows = [row for row in SCENARIOS if row != "the page"]
    exempt = {
        (name, row): "a scenario for clients of framewire-echo"
        for name in SERVERS
        for row in set(rows) - set(servers.SCENARIOS)
    }
    good = judge("java", chosen, rows, results, exempt)
    with (OUT / "java.md").open("a") as table:
        for line in missing:
            print(line)
            table.write(f"\n{line}.\n")
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
