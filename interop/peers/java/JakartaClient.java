import jakarta.websocket.ClientEndpointConfig;
import jakarta.websocket.CloseReason;
import jakarta.websocket.ContainerProvider;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.PongMessage;
import jakarta.websocket.Session;
import jakarta.websocket.WebSocketContainer;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/** A client on Jakarta's interface, by Tomcat or Tyrus, whichever is on the class path. */
final class JakartaClient {
    public static void main(String[] arguments) {
        WebSocketContainer container = ContainerProvider.getWebSocketContainer();
        Scenarios.run((uri, protocols, origin, inbox) -> connect(container, uri, protocols, origin, inbox));
    }

    private static Scenarios.Connection connect(
            WebSocketContainer container, URI uri, List<String> protocols, String origin, Scenarios.Inbox inbox)
            throws Exception {
        ClientEndpointConfig config = ClientEndpointConfig.Builder.create()
                .preferredSubprotocols(protocols)
                .configurator(new ClientEndpointConfig.Configurator() {
                    @Override
                    public void beforeRequest(Map<String, List<String>> headers) {
                        if (origin != null) headers.put("Origin", List.of(origin));
                    }
                })
                .build();
        return new Sending(container.connectToServer(new Receiving(inbox), config, uri));
    }

    private record Sending(Session session) implements Scenarios.Connection {
        private static final int MOST = 1 << 20;

        @Override
        public void text(String text, boolean last) throws Exception {
            session.getBasicRemote().sendText(text, last);
        }

        /** Sends frames of at most 1 MiB: Tomcat's client needs stack for each piece of a frame that it masks. */
        @Override
        public void binary(byte[] bytes, boolean last) throws Exception {
            int from = 0;
            for (; bytes.length - from > MOST; from += MOST)
                session.getBasicRemote().sendBinary(ByteBuffer.wrap(bytes, from, MOST), false);
            session.getBasicRemote().sendBinary(ByteBuffer.wrap(bytes, from, bytes.length - from), last);
        }

        @Override
        public void ping(byte[] payload) throws Exception {
            session.getBasicRemote().sendPing(ByteBuffer.wrap(payload));
        }

        @Override
        public void close(int code, String reason) throws Exception {
            session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(code), reason));
        }

        @Override
        public String protocol() {
            return session.getNegotiatedSubprotocol();
        }
    }

    private static final class Receiving extends Endpoint {
        private final Scenarios.Inbox inbox;

        Receiving(Scenarios.Inbox inbox) {
            this.inbox = inbox;
        }

        @Override
        public void onOpen(Session session, EndpointConfig config) {
            // In parts; otherwise each connection would reserve a buffer for the largest message.
            session.addMessageHandler(String.class, (MessageHandler.Partial<String>) inbox::text);
            session.addMessageHandler(ByteBuffer.class, (MessageHandler.Partial<ByteBuffer>)
                    (part, last) -> inbox.binary(bytes(part), last));
            session.addMessageHandler(PongMessage.class, (MessageHandler.Whole<PongMessage>)
                    pong -> inbox.add(new Scenarios.Pong(bytes(pong.getApplicationData()))));
        }

        @Override
        public void onClose(Session session, CloseReason reason) {
            inbox.add(new Scenarios.Closed(reason.getCloseCode().getCode()));
        }

        private static byte[] bytes(ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            return bytes;
        }
    }
}
