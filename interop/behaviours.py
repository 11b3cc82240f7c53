"""Behaviours on demand, seen by clients that people use: Python's `websockets` and `websocket-client`. What only bytes
show is in server-mio/tests/server/behaviours.rs. NAME: only these clients."""

import concurrent.futures
import json
import sys
import time
import urllib.error
import urllib.request

import websocket
import websockets.exceptions as ws_errors
from harness import framewire, judge
from websockets.sync.client import connect as ws_connect

TEXT = "größer, € 5, \U0001f44b"


class Websockets:
    """A connection of `websockets`."""

    def __init__(self, url, timeout=10, subprotocols=None, headers=None):
        self.socket = ws_connect(
            url, open_timeout=timeout, close_timeout=timeout, ping_interval=None, proxy=None, compression=None,
            subprotocols=subprotocols, additional_headers=headers, legacy=True,
        )
        self.subprotocol = self.socket.subprotocol

    def send(self, message):
        self.socket.send(message)

    def receive(self, timeout=10):
        return self.socket.recv(timeout)

    def ping(self, timeout):
        """Whether a pong comes in time."""
        return self.socket.ping().wait(timeout)

    def ending(self):
        """How the connection ends: code and reason of the close, or what came instead of one."""
        try:
            while True:
                self.socket.recv(10)
        except ws_errors.ConnectionClosed as error:
            if error.rcvd:
                return error.rcvd.code, error.rcvd.reason
            return "reset" if isinstance(error.__cause__, ConnectionResetError) else "end"

    def close(self):
        self.socket.close()

    @staticmethod
    def refusal(error):
        """The status of a response that is no 101."""
        return error.response.status_code if isinstance(error, ws_errors.InvalidStatus) else None


class WebsocketClient:
    """A connection of `websocket-client`."""

    def __init__(self, url, timeout=10, subprotocols=None, headers=None):
        self.socket = websocket.create_connection(
            url, timeout=timeout, subprotocols=subprotocols, header=headers, redirect_limit=0
        )
        self.subprotocol = self.socket.getsubprotocol()

    def send(self, message):
        if isinstance(message, str):
            self.socket.send(message)
        else:
            self.socket.send_binary(message)

    def receive(self, timeout=10):
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv()
        except websocket.WebSocketTimeoutException:
            raise TimeoutError from None

    def ping(self, timeout):
        self.socket.ping("x")
        self.socket.settimeout(timeout)
        try:
            opcode, _ = self.socket.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            return False
        return opcode == websocket.ABNF.OPCODE_PONG

    def ending(self):
        self.socket.settimeout(10)
        try:
            while True:
                opcode, data = self.socket.recv_data(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return (int.from_bytes(data[:2]) if data else 1005), data[2:].decode()
        except ConnectionResetError:
            return "reset"
        except websocket.WebSocketConnectionClosedException as error:
            return "reset" if "reset" in str(error) else "end"

    def close(self):
        self.socket.close(timeout=10)

    @staticmethod
    def refusal(error):
        return error.status_code if isinstance(error, websocket.WebSocketBadStatusException) else None


CLIENTS = {"websockets": Websockets, "websocket-client": WebsocketClient}
SCENARIOS = {}


def scenario(name):
    def add(function):
        SCENARIOS[name] = function
        return function

    return add


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"{str(got)[:100]!r} is not {str(wanted)[:100]!r}")


class Server:
    """The server, for one client."""

    def __init__(self, client):
        self.process = framewire("--behaviours", "--close-timeout", "2")
        self.client = client

    def open(self, query, **options):
        return self.client(f"ws://{self.process.address}/echo?{query}", **options)

    def refused(self, query, **options):
        """Expects that the handshake fails, and returns the status if it was refused with one."""
        try:
            self.open(query, **options)
        except Exception as error:  # each library has its own
            return self.client.refusal(error) or type(error).__name__
        raise AssertionError("the handshake succeeds")

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.process.address}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@scenario("plain echo")
def plain(server):
    connection = server.open("")
    for message in (TEXT, b"\0\xff"):
        connection.send(message)
        same(connection.receive(), message)
    connection.close()


@scenario("delay, jitter, seed")
def delay(server):
    connection = server.open("delay=200ms&jitter=50ms&seed=1")
    begun = time.monotonic()
    messages = [f"message {i}" for i in range(20)]
    for message in messages:
        connection.send(message)
    same([connection.receive() for _ in messages], messages)
    same(time.monotonic() - begun >= 0.2, True)
    connection.close()


@scenario("rate, slice, read-rate")
def paces(server):
    for query in ("rate=20K", "slice=1&gap=0", "slice=100&gap=1ms", "read-rate=20K"):
        connection = server.open(query)
        connection.send("x" * 2000)
        same(connection.receive(), "x" * 2000)
        connection.close()


@scenario("fragment")
def fragment(server):
    for size in (1, 2, 7, 100):
        connection = server.open(f"fragment={size}")
        for message in (TEXT, b"\0\xff" * 50, ""):
            connection.send(message)
            same(connection.receive(), message)
        connection.close()


@scenario("push, greeting")
def push(server):
    connection = server.open("greeting=hello&push=3&push-every=10ms&push-size=5&push-kind=binary")
    same([connection.receive() for _ in range(4)], ["hello", b"1    ", b"2    ", b"3    "])
    connection.send("still an echo")
    same(connection.receive(), "still an echo")
    connection.close()


@scenario("ping")
def ping(server):
    connection = server.open("ping=20ms&stats&close=1000&after=2s")
    stats = json.loads(connection.receive())
    same(stats["sent"]["pings"] >= stats["received"]["pongs"] >= 3, True)
    same(connection.ending(), (1000, ""))


@scenario("pong")
def pong(server):
    for query, answer in (("pong=no", False), ("pong=100ms", True), ("delay=1s", True)):
        connection = server.open(query)
        same(connection.ping(0.5), answer)
        connection.close()


@scenario("no echo, stats")
def stats(server):
    connection = server.open("echo=no&stats")
    connection.send("one")
    connection.send("stats")
    same(json.loads(connection.receive())["received"]["messages"], 2)
    connection.close()


@scenario("headers")
def headers(server):
    connection = server.open("headers", headers={"X-Test": "one"}, subprotocols=["a", "b"])
    request = json.loads(connection.receive())
    same((request["method"], request["target"], request["headers"]["x-test"]), ("GET", "/echo?headers", "one"))
    same(connection.subprotocol, "a")
    connection.close()


@scenario("close")
def close(server):
    same(server.open("close=1001&reason=bye").ending(), (1001, "bye"))
    same(server.open("close=none").ending(), (1005, ""))
    same(server.open("push=2&push-every=1ms&close=4999").ending(), (4999, ""))
    connection = server.open("close=1011&after=2&delay=20ms&fragment=3")
    for message in ("one", "two of them", "three"):
        connection.send(message)
    same([connection.receive(), connection.receive()], ["one", "two of them"])
    same(connection.ending(), (1011, ""))


@scenario("close-reply")
def close_reply(server):
    for query, least in (("close-reply=300ms", 0.3), ("close-reply=no", 1)):
        connection = server.open(query, timeout=1)
        begun = time.monotonic()
        try:
            connection.socket.close(*([1000] if server.client is Websockets else []), **(
                {"timeout": 1} if server.client is WebsocketClient else {}
            ))
        except Exception:  # it gives up, which each library reports in its own way
            pass
        same(time.monotonic() - begun >= least, True)


@scenario("abort, drop")
def abort(server):
    for query, ending in (("abort&after=100ms", "reset"), ("drop&after=100ms", "end"), ("drop&after=3B&greeting=hello", "end")):
        same(server.open(query).ending(), ending)
    connection = server.open("abort&after=1&delay=50ms")
    connection.send("one")
    same(connection.receive(), "one")
    same(connection.ending(), "reset")


@scenario("half-close, silent")
def silent(server):
    same(server.open("half-close&greeting=hi&after=50ms").ending(), "end")
    connection = server.open("silent&after=1")
    connection.send("one")
    same(connection.receive(), "one")
    connection.send("two")
    try:
        connection.receive(0.3)
    except TimeoutError:
        return
    raise AssertionError("there is an answer")


@scenario("message too big")
def too_big(server):
    connection = server.open("max-message=100")
    connection.send("x" * 101)
    same(connection.ending()[0], 1009)


@scenario("status")
def status(server):
    for code in (200, 401, 404, 429, 500, 503):
        same(server.refused(f"status={code}"), code)
    same(server.refused("bearer=secret"), 401)
    server.open("bearer=secret", headers={"Authorization": "Bearer secret"}).close()


@scenario("wrong handshake")
def handshake(server):
    for query in ("accept=wrong", "accept=missing", "handshake-cut=0", "handshake-cut=30", "handshake-cut=30&abort"):
        same(isinstance(server.refused(query), str), True)
    same(isinstance(server.refused("subprotocol=unasked", subprotocols=["asked"]), str), True)
    if server.client is Websockets:  # the other accepts any extension
        same(isinstance(server.refused("extension=x-unasked"), str), True)


@scenario("late handshake")
def late(server):
    begun = time.monotonic()
    server.open("handshake-delay=200ms").close()
    same(time.monotonic() - begun >= 0.2, True)
    same(isinstance(server.refused("handshake-delay=10s", timeout=0.3), str), True)


@scenario("the page")
def page(server):
    code, text = server.page("/behaviours")
    same((code, "  delay=TIME" in text), (200, True))
    same(server.page("/echo?delay=1h")[0], 400)
    same(server.refused("delay=1h"), 400)
    same(server.refused("nonsense"), 400)


@scenario("the server stops")
def stop(server):
    connection = server.open("delay=1m")
    connection.send("never answered")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        status = pool.submit(server.process.stop)
        same(connection.ending(), (1001, "the server is stopping"))
        same(status.result(), 0)


def main():
    chosen = sys.argv[1:] or list(CLIENTS)
    if unknown := set(chosen) - set(CLIENTS):
        sys.exit(f"no client is called {', '.join(unknown)}; there are {', '.join(CLIENTS)}")
    results = {client: {} for client in chosen}
    for client in chosen:
        print(f"{client}:", flush=True)
        server = Server(CLIENTS[client])
        for name, run in SCENARIOS.items():
            begun, ok, note = time.monotonic(), True, ""
            try:
                run(server)
            except Exception as error:  # the others still run
                ok, note = False, f"{type(error).__name__}: {error}"
            seconds = time.monotonic() - begun
            results[client][name] = {"scenario": name, "ok": ok, "note": note, "seconds": seconds}
            print(f"    {'ok    ' if ok else 'FAILED'} {name} ({seconds:.1f} s) {note}", flush=True)
        server.process.stop()
    return judge("behaviours", chosen, list(SCENARIOS), results, {})


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
