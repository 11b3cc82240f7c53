"""An echo server on picows, in uvloop's loop. It gives frames, and leaves messages and UTF-8 to its user."""

import asyncio

import uvloop
from picows import WSListener, WSMsgType, ws_create_server


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


async def main():
    server = await ws_create_server(lambda request: Echo(), "127.0.0.1", 0, max_frame_size=64 << 20)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on ws://127.0.0.1:{port}/", flush=True)
    await server.serve_forever()


uvloop.run(main())
