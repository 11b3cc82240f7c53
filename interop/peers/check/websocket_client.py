"""Python's `websocket-client`. If it raises an exception, its socket is dropped: `close()` would say that nothing is wrong."""

import websocket
from lead import count_url, targets


def visit(url):
    socket = websocket.create_connection(url, timeout=60)
    try:
        while True:
            opcode, payload = socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                break
            socket.send(payload, opcode)
    finally:
        socket.shutdown()


socket = websocket.create_connection(count_url(), timeout=60)
count = int(socket.recv())
socket.close()
for url in targets(count, f"websocket-client {websocket.__version__}"):
    try:
        visit(url)
    except Exception:
        pass  # most cases must fail, and the server sees how
