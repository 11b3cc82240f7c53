import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The scenarios of all Java clients, which report to the script that runs them: a line of JSON for each scenario. */
final class Scenarios {
    /** A library. */
    interface Client {
        /** `origin` may be null. Received messages go to the inbox. */
        Connection connect(URI uri, List<String> protocols, String origin, Inbox inbox) throws Exception;
    }

    interface Connection {
        void text(String text, boolean last) throws Exception;

        void binary(byte[] bytes, boolean last) throws Exception;

        void ping(byte[] payload) throws Exception;

        void close(int code, String reason) throws Exception;

        /** Empty if there is none. */
        String protocol();
    }

    /** The code with which a connection closed. */
    record Closed(int code) {}

    record Pong(String payload) {
        Pong(byte[] payload) {
            this(Arrays.toString(payload));
        }
    }

    /** Everything that was received: strings, byte arrays, pongs, the close. */
    static final class Inbox {
        private final BlockingQueue<Object> queue = new LinkedBlockingQueue<>();
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream binary = new ByteArrayOutputStream();

        void text(CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                queue.add(text.toString());
                text.setLength(0);
            }
        }

        void binary(byte[] part, boolean last) {
            binary.writeBytes(part);
            if (last) {
                queue.add(binary.toByteArray());
                binary.reset();
            }
        }

        void add(Object other) {
            queue.add(other);
        }

        void expect(Object expected) throws InterruptedException {
            Object seen = queue.poll(60, TimeUnit.SECONDS);
            boolean same = seen instanceof byte[] bytes
                    ? expected instanceof byte[] others && Arrays.equals(bytes, others)
                    : expected.equals(seen);
            if (!same) throw new AssertionError(brief(seen) + " is not " + brief(expected));
        }

        private static String brief(Object value) {
            if (value instanceof byte[] bytes) return bytes.length + " bytes";
            String text = String.valueOf(value);
            return text.length() > 60 ? text.substring(0, 60) : text;
        }
    }

    private interface Scenario {
        void run() throws Exception;
    }

    private static final int[] SMALL = {0, 1, 125, 126, 127, 65535, 65536};
    private static final String[] TEXTS = {
        "Hello", "", "\ud83d\udc4b w\u00f6rld \ud83e\uddd1\u200d\ud83d\ude80", "\0", "\u20ac".repeat(50_000)
    };
    private static final URI LARGE = uri("LARGE"), STRICT = uri("STRICT"), LEAVING = uri("LEAVING");

    private final Client client;
    private Inbox inbox;
    private Connection connection;

    private Scenarios(Client client) {
        this.client = client;
    }

    static void run(Client client) {
        Scenarios all = new Scenarios(client);
        Map<String, Scenario> scenarios = new LinkedHashMap<>();
        scenarios.put("text", all::text);
        scenarios.put("binary to 64 KiB", () -> all.binary(SMALL));
        scenarios.put("binary 1 MiB", () -> all.binary(1 << 20));
        scenarios.put("binary 64 MiB", () -> all.binary(64 << 20));
        scenarios.put("fragments", all::fragments);
        scenarios.put("ping from the client", all::ping);
        scenarios.put("ping from the server", all::pinged);
        scenarios.put("close by the client", all::close);
        scenarios.put("close by the server", all::closed);
        scenarios.put("message too big", all::tooBig);
        scenarios.put("10,000 in order", all::inOrder);
        scenarios.put("1,000 at once", all::atOnce);
        scenarios.put("subprotocol", all::subprotocol);
        scenarios.put("wrong origin", all::wrongOrigin);
        scenarios.forEach(Scenarios::tell);
        System.exit(0); // even if the library still has threads
    }

    private static void tell(String name, Scenario scenario) {
        long began = System.nanoTime();
        String note = "";
        try {
            scenario.run();
        } catch (Throwable error) {
            note = String.valueOf(error).replaceAll("[^ !#-\\[\\]-~]", " ");
            if (note.length() > 300) note = note.substring(0, 300);
        }
        System.out.printf("{\"scenario\": \"%s\", \"ok\": %b, \"seconds\": %.3f, \"note\": \"%s\"}%n",
                name, note.isEmpty(), (System.nanoTime() - began) / 1e9, note);
    }

    private void connect(URI uri, String... protocols) throws Exception {
        inbox = new Inbox();
        connection = client.connect(uri, List.of(protocols), null, inbox);
    }

    private void echoed(String text) throws Exception {
        connection.text(text, true);
        inbox.expect(text);
    }

    private void echoed(byte[] bytes) throws Exception {
        connection.binary(bytes, true);
        inbox.expect(bytes);
    }

    private void end() throws Exception {
        connection.close(1000, "");
        inbox.expect(new Closed(1000));
    }

    private void text() throws Exception {
        connect(LARGE);
        for (String text : TEXTS) echoed(text);
        end();
    }

    private void binary(int... sizes) throws Exception {
        connect(LARGE);
        for (int size : sizes) echoed(noise(size));
        end();
    }

    private void fragments() throws Exception {
        connect(LARGE);
        byte[] bytes = noise(300_000);
        for (int at = 0; at < bytes.length; at += 1000)
            connection.binary(Arrays.copyOfRange(bytes, at, at + 1000), at + 1000 == bytes.length);
        inbox.expect(bytes);
        for (String part : new String[] {"gr", "", "\u00f6\u00df"}) connection.text(part, false);
        connection.text("er", true);
        inbox.expect("gr\u00f6\u00dfer");
        end();
    }

    private void ping() throws Exception {
        connect(LARGE);
        for (byte[] payload : new byte[][] {{}, "are you there?".getBytes(StandardCharsets.UTF_8), noise(125)}) {
            connection.ping(payload);
            inbox.expect(new Pong(payload));
        }
        end();
    }

    /** The server drops a peer that does not answer pings. Not every library reports pings. */
    private void pinged() throws Exception {
        connect(STRICT);
        Thread.sleep(10_000);
        echoed("still here");
        end();
    }

    private void close() throws Exception {
        Map<Integer, String> closes = new LinkedHashMap<>();
        closes.put(1000, "enough");
        closes.put(3000, "\ud83d\udc4b");
        closes.put(4999, "x".repeat(123));
        for (var each : closes.entrySet()) {
            connect(LARGE);
            connection.close(each.getKey(), each.getValue());
            inbox.expect(new Closed(each.getKey()));
        }
    }

    private void closed() throws Exception {
        connect(LEAVING);
        echoed("hello");
        new ProcessBuilder("kill", System.getenv("LEAVING_PID")).start().waitFor();
        inbox.expect(new Closed(1001));
    }

    private void tooBig() throws Exception {
        connect(STRICT);
        echoed(noise(1 << 20));
        try {
            connection.binary(noise((1 << 20) + 1), true);
        } catch (Exception refused) {
            // The server need not wait for the whole message.
        }
        inbox.expect(new Closed(1009));
    }

    private void inOrder() throws Exception {
        connect(LARGE);
        for (int batch = 0; batch < 10_000; batch += 100) {
            for (int i = batch; i < batch + 100; i++) connection.text("message " + i, true);
            for (int i = batch; i < batch + 100; i++) inbox.expect("message " + i);
        }
        end();
    }

    private void atOnce() throws Exception {
        List<Inbox> inboxes = new ArrayList<>();
        List<Connection> connections = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            connect(LARGE);
            inboxes.add(inbox);
            connections.add(connection);
        }
        for (int i = 0; i < 1000; i++) connections.get(i).text("I am " + i, true);
        for (int i = 0; i < 1000; i++) inboxes.get(i).expect("I am " + i);
        for (int i = 0; i < 1000; i++) {
            inbox = inboxes.get(i);
            connection = connections.get(i);
            end();
        }
    }

    private void subprotocol() throws Exception {
        connect(STRICT, "chat.v1", "chat.v2");
        if (!connection.protocol().equals("chat.v2")) throw new AssertionError(connection.protocol());
        end();
        connect(LARGE, "chat.v1", "chat.v2");
        if (!connection.protocol().equals("chat.v1")) throw new AssertionError(connection.protocol());
        end();
    }

    private void wrongOrigin() throws Exception {
        inbox = new Inbox();
        connection = client.connect(STRICT, List.of(), "https://good.example", inbox);
        end();
        try {
            client.connect(STRICT, List.of(), "https://evil.example", new Inbox());
        } catch (Exception refused) {
            return;
        }
        throw new AssertionError("the other origin was let in");
    }

    private static URI uri(String name) {
        return URI.create("ws://" + System.getenv(name) + "/");
    }

    /** Bytes without a pattern that a codec could get right by chance; the same bytes each time. */
    private static byte[] noise(int size) {
        byte[] bytes = new byte[size];
        new Random(size).nextBytes(bytes);
        return bytes;
    }
}
