import java.net.URI;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.java_websocket.WebSocket;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.drafts.Draft;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.enums.Opcode;
import org.java_websocket.framing.Framedata;
import org.java_websocket.framing.PingFrame;
import org.java_websocket.handshake.ServerHandshake;
import org.java_websocket.protocols.IProtocol;
import org.java_websocket.protocols.Protocol;

/** A client on the library Java-WebSocket. */
final class JavaWebSocketClient {
    public static void main(String[] arguments) {
        Scenarios.run(JavaWebSocketClient::connect);
    }

    private static Scenarios.Connection connect(
            URI uri, List<String> protocols, String origin, Scenarios.Inbox inbox) throws Exception {
        List<IProtocol> named = protocols.isEmpty()
                ? List.of(new Protocol(""))
                : protocols.stream().<IProtocol>map(Protocol::new).toList();
        Map<String, String> headers = new HashMap<>();
        if (origin != null) headers.put("Origin", origin);
        Peer peer = new Peer(uri, new Draft_6455(List.of(), named, 65 << 20), headers, inbox);
        if (!peer.connectBlocking(20, TimeUnit.SECONDS)) throw new IllegalStateException("no connection");
        return peer.sending();
    }

    private static final class Peer extends WebSocketClient {
        private final Scenarios.Inbox inbox;

        Peer(URI uri, Draft draft, Map<String, String> headers, Scenarios.Inbox inbox) {
            super(uri, draft, headers, 20_000);
            this.inbox = inbox;
        }

        @Override
        public void onOpen(ServerHandshake handshake) {}

        @Override
        public void onMessage(String text) {
            inbox.text(text, true);
        }

        @Override
        public void onMessage(ByteBuffer message) {
            byte[] bytes = new byte[message.remaining()];
            message.get(bytes);
            inbox.binary(bytes, true);
        }

        @Override
        public void onWebsocketPong(WebSocket connection, Framedata frame) {
            ByteBuffer payload = frame.getPayloadData();
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            inbox.add(new Scenarios.Pong(bytes));
        }

        @Override
        public void onClose(int code, String reason, boolean remote) {
            inbox.add(new Scenarios.Closed(code));
        }

        @Override
        public void onError(Exception error) {
            // A close follows, which the scenarios check.
        }

        Scenarios.Connection sending() {
            return new Scenarios.Connection() {
                @Override
                public void text(String text, boolean last) {
                    send(Opcode.TEXT, text.getBytes(java.nio.charset.StandardCharsets.UTF_8), last);
                }

                @Override
                public void binary(byte[] bytes, boolean last) {
                    send(Opcode.BINARY, bytes, last);
                }

                @Override
                public void ping(byte[] payload) {
                    PingFrame frame = new PingFrame();
                    frame.setPayload(ByteBuffer.wrap(payload));
                    sendFrame(frame);
                }

                @Override
                public void close(int code, String reason) {
                    Peer.this.close(code, reason);
                }

                @Override
                public String protocol() {
                    IProtocol chosen = getProtocol();
                    return chosen == null ? "" : chosen.getProvidedProtocol();
                }

                /** The library sends the frames after a first fragment as continuations. */
                private void send(Opcode opcode, byte[] bytes, boolean last) {
                    sendFragmentedFrame(opcode, ByteBuffer.wrap(bytes), last);
                }
            };
        }
    }
}
