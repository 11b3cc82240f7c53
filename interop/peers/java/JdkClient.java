import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/** The JDK's own client, java.net.http.WebSocket. */
final class JdkClient {
    public static void main(String[] arguments) {
        HttpClient http = HttpClient.newHttpClient();
        Scenarios.run((uri, protocols, origin, inbox) -> connect(http, uri, protocols, origin, inbox));
    }

    private static Scenarios.Connection connect(
            HttpClient http, URI uri, List<String> protocols, String origin, Scenarios.Inbox inbox) throws Exception {
        WebSocket.Builder builder = http.newWebSocketBuilder();
        if (origin != null) builder.header("Origin", origin);
        if (!protocols.isEmpty())
            builder.subprotocols(protocols.get(0), protocols.subList(1, protocols.size()).toArray(String[]::new));
        return new Sending(builder.buildAsync(uri, new Receiving(inbox)).get(20, TimeUnit.SECONDS));
    }

    private record Sending(WebSocket socket) implements Scenarios.Connection {
        @Override
        public void text(String text, boolean last) throws Exception {
            socket.sendText(text, last).get(60, TimeUnit.SECONDS);
        }

        @Override
        public void binary(byte[] bytes, boolean last) throws Exception {
            socket.sendBinary(ByteBuffer.wrap(bytes), last).get(60, TimeUnit.SECONDS);
        }

        @Override
        public void ping(byte[] payload) throws Exception {
            socket.sendPing(ByteBuffer.wrap(payload)).get(60, TimeUnit.SECONDS);
        }

        @Override
        public void close(int code, String reason) throws Exception {
            socket.sendClose(code, reason).get(60, TimeUnit.SECONDS);
        }

        @Override
        public String protocol() {
            return socket.getSubprotocol();
        }
    }

    private record Receiving(Scenarios.Inbox inbox) implements WebSocket.Listener {
        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            inbox.text(part, last);
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
            byte[] bytes = new byte[part.remaining()];
            part.get(bytes);
            inbox.binary(bytes, last);
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket socket, ByteBuffer payload) {
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            inbox.add(new Scenarios.Pong(bytes));
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            inbox.add(new Scenarios.Closed(code));
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            inbox.add(error);
        }
    }
}
