import jakarta.websocket.CloseReason;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.PongMessage;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerContainer;
import jakarta.websocket.server.ServerEndpointConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.websocket.server.WsSci;

/**
 * An echo server on Tomcat. At /ping it pings first, and echoes after the pong; at /close it closes instead of
 * echoing.
 */
public final class TomcatServer {
    /** Kept in a field: the logger, and so its level, could otherwise be garbage-collected. */
    private static final Logger LOG = Logger.getLogger("org.apache");

    public static void main(String[] arguments) throws Exception {
        LOG.setLevel(Level.WARNING);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("tomcat").toString());
        Connector connector = new Connector();
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        context.addServletContainerInitializer(new WsSci(), null);
        context.addServletContainerInitializer((classes, servlets) -> {
            var container = (ServerContainer) servlets.getAttribute(ServerContainer.class.getName());
            for (String path : List.of("/", "/ping", "/close")) deploy(container, path);
        }, null);
        Tomcat.addServlet(context, "default", "org.apache.catalina.servlets.DefaultServlet").addMapping("/");
        tomcat.start();
        System.out.println("ws://127.0.0.1:" + connector.getLocalPort());
        tomcat.getServer().await();
    }

    private static void deploy(ServerContainer container, String path) {
        try {
            container.addEndpoint(ServerEndpointConfig.Builder.create(Echo.class, path)
                    .subprotocols(List.of("chat.v2"))
                    .build());
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    /**
     * Takes a message in parts, so that not every connection has a buffer for the largest, and echoes it whole: a client that
     * sends all of a message before it reads would otherwise wait for a server that is already sending.
     */
    public static final class Echo extends Endpoint {
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
        private String path;
        private String waiting;

        @Override
        public void onOpen(Session session, EndpointConfig config) {
            path = session.getRequestURI().getPath();
            session.addMessageHandler(String.class, (MessageHandler.Partial<String>) (part, last) -> {
                text.append(part);
                if (last) {
                    echo(session, text.toString());
                    text.setLength(0);
                }
            });
            session.addMessageHandler(byte[].class, (MessageHandler.Partial<byte[]>) (part, last) -> {
                binary.writeBytes(part);
                if (last) {
                    ByteBuffer message = ByteBuffer.wrap(binary.toByteArray());
                    send(() -> session.getBasicRemote().sendBinary(message));
                    binary.reset();
                }
            });
            session.addMessageHandler(PongMessage.class, (MessageHandler.Whole<PongMessage>) pong -> {
                if (waiting != null) send(() -> session.getBasicRemote().sendText(waiting));
            });
        }

        private void echo(Session session, String message) {
            switch (path) {
                case "/close" -> close(session);
                case "/ping" -> {
                    waiting = message;
                    send(() -> session.getBasicRemote().sendPing(ByteBuffer.wrap("there?".getBytes())));
                }
                default -> send(() -> session.getBasicRemote().sendText(message));
            }
        }

        private static void close(Session session) {
            send(() -> session.close(
                    new CloseReason(CloseReason.CloseCodes.getCloseCode(3001), "as you wish")));
        }

        private interface Sending {
            void run() throws IOException;
        }

        private static void send(Sending sending) {
            try {
                sending.run();
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }
    }
}
