import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/** Leads the JDK's client, java.net.http.WebSocket, through all cases of {@code framewire-echo --check-client}. */
final class CheckClient {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0].replaceAll("/$", "");
        String agent = "agent=" + URLEncoder.encode("JDK " + Runtime.version().toString(), StandardCharsets.UTF_8);
        int count = Integer.parseInt(visit(url + "/getCaseCount", false));
        for (int at = 1; at <= count; at++) visit(url + "/runCase?case=" + at + "&" + agent, true);
        visit(url + "/updateReports?" + agent, true);
        System.exit(0);
    }

    /** Returns the first text, once the connection has ended. */
    private static String visit(String url, boolean echoes) {
        Echo echo = new Echo(echoes);
        WebSocket socket;
        try {
            socket = HTTP.newWebSocketBuilder().buildAsync(URI.create(url), echo).get(15, TimeUnit.SECONDS);
        } catch (Exception refused) {
            return ""; // the server sees how
        }
        try {
            echo.ended.get(15, TimeUnit.SECONDS);
            // It answers a close after it has reported it.
            for (int i = 0; i < 50 && !socket.isOutputClosed(); i++) Thread.sleep(10);
        } catch (Exception silent) {
            // Nothing has told it of the end.
        }
        socket.abort();
        return echo.text.toString();
    }

    private static final class Echo implements WebSocket.Listener {
        private final CompletableFuture<Void> ended = new CompletableFuture<>();
        private final StringBuilder text = new StringBuilder();
        private final boolean echoes;

        Echo(boolean echoes) {
            this.echoes = echoes;
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            CompletionStage<?> sent = null;
            if (echoes) sent = socket.sendText(part.toString(), last);
            else text.append(part);
            return next(socket, sent);
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
            byte[] bytes = new byte[part.remaining()];
            part.get(bytes);
            return next(socket, echoes ? socket.sendBinary(ByteBuffer.wrap(bytes), last) : null);
        }

        private CompletionStage<?> next(WebSocket socket, CompletionStage<?> sent) {
            // One message is sent at a time.
            if (sent == null) socket.request(1);
            else sent.whenComplete((done, error) -> socket.request(1));
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            ended.complete(null);
            return null; // it answers with the same code
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            ended.complete(null);
        }
    }
}
