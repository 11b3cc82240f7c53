//! Memory of idle connections, and allocations of an echo, counted exactly.

use framewire_testing::{
    allocations::{Counting, counted, held},
    wire::{self, BINARY},
};
use framewire_tokio::{Acceptor, Config, Server, WebSocket};
use std::{
    collections::VecDeque,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Connections that are open at once. The thread's own memory is shared among them.
const CONNECTIONS: usize = 50;

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn untimed() -> Config {
    Config::server().without_timers()
}

/// Sends a message to an echo, and reads the reply. The tasks of the echoes run meanwhile.
async fn echo(client: &mut TcpStream, payload: &[u8]) {
    let sent = wire::to::<Server>(BINARY, payload);
    let mut reply = vec![0; wire::frame(BINARY, None, payload).len()];
    let (mut reads, mut writes) = client.split();
    let (sent, read) = tokio::join!(writes.write_all(&sent), reads.read_exact(&mut reply));
    sent.unwrap();
    read.unwrap();
    assert!(reply.ends_with(payload));
}

/// What tasks hold: bytes a connection, before and after traffic.
fn idle<F: Future<Output = ()> + Send + 'static>(
    config: Config,
    serve: impl Fn(WebSocket<TcpStream>) -> F,
) -> [usize; 2] {
    let config = Arc::new(config);
    idle_streams(false, |stream| serve(WebSocket::from_upgraded(stream, b"", config.clone())))
}

/// The same of tasks that accept the connection before they serve it.
fn idle_accepted(config: Config) -> [usize; 2] {
    let acceptor = Acceptor::new(config);
    idle_streams(true, |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut socket = acceptor.accept(stream).await.unwrap();
            while let Some(Ok(message)) = socket.recv().await {
                socket.try_feed(message).unwrap();
            }
        }
    })
}

fn idle_streams<F: Future<Output = ()> + Send + 'static>(
    handshake: bool,
    serve: impl Fn(TcpStream) -> F,
) -> [usize; 2] {
    runtime().block_on(async {
        let mut clients = Vec::with_capacity(CONNECTIONS + 1);
        let mut streams = VecDeque::with_capacity(CONNECTIONS + 1);
        for _ in 0..=CONNECTIONS {
            let (client, server) = sockets().await;
            clients.push(client);
            streams.push_back(server);
        }
        let mut open = || {
            let stream = streams.pop_front().unwrap();
            tokio::spawn(serve(stream));
        };
        // The first takes what the thread keeps.
        open();
        if handshake {
            shake(&mut clients[0]).await;
        }
        echo(&mut clients[0], &[7; 60_000]).await;
        echo(&mut clients[0], &[7; 125]).await;
        settle().await;
        let before = held();
        for client in &mut clients[1..] {
            open();
            if handshake {
                shake(client).await;
            }
        }
        settle().await;
        let idle = held() - before;
        for client in &mut clients {
            for _ in 0..2 {
                echo(client, &[7; 30_000]).await;
            }
            echo(client, &[7; 125]).await;
        }
        settle().await;
        let after = held() - before;
        [idle, after].map(|bytes| usize::try_from(bytes).unwrap() / CONNECTIONS)
    })
}

/// The opening handshake of a client.
async fn shake(client: &mut TcpStream) {
    client
        .write_all(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
}

/// Lets all tasks wait.
async fn settle() {
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[allow(
    clippy::manual_async_fn,
    reason = "that would hold the argument twice, as it was passed and as it is used"
)]
fn recv_and_feed<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<S>) -> impl Future<Output = ()> {
    async move {
        while let Some(Ok(message)) = socket.recv().await {
            socket.try_feed(message).unwrap();
        }
    }
}

#[allow(clippy::manual_async_fn, reason = "as above")]
fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<S>) -> impl Future<Output = ()> {
    async move {
        let _ = socket.serve_fn(|message, reply| reply.send(message).unwrap()).await;
    }
}

fn split<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    socket: WebSocket<S>,
) -> impl Future<Output = ()> {
    let (sender, mut receiver) = socket.into_split();
    async move {
        while let Some(Ok(message)) = receiver.recv().await {
            sender.try_send(message).unwrap();
        }
    }
}

#[test]
fn an_idle_connection_holds_little() {
    println!("WebSocket<TcpStream>: {} B", size_of::<WebSocket<TcpStream>>());
    let mut failed = Vec::new();
    let mut check = |name: &str, most: usize, [idle, after]: [usize; 2]| {
        println!("{name}: {idle} B idle, {after} B after traffic; at most {most}");
        if idle > most || after > most {
            failed.push(format!(
                "{name}: {idle} B idle, {after} B after traffic, and at most {most} are right"
            ));
        }
    };
    check("recv, no timers", 400, idle(untimed(), recv_and_feed));
    check("serve, no timers", 400, idle(untimed(), serve));
    check("split, no timers", 640, idle(untimed(), split));
    check("recv, timers", 560, idle(Config::server(), recv_and_feed));
    check("serve, timers", 560, idle(Config::server(), serve));
    check("split, timers", 816, idle(Config::server(), split));
    check("accept and recv, no timers", 640, idle_accepted(untimed()));
    check("accept and recv, timers", 816, idle_accepted(Config::server()));
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A stream that allocates nothing once it is warm: the bytes that it still has to give, and how many it has taken.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<(VecDeque<u8>, usize)>>);

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (bytes, _) = &mut *self.0.lock().unwrap();
        if bytes.is_empty() {
            return Poll::Pending; // the test polls again, woken or not
        }
        buffer.put_slice(bytes.make_contiguous());
        bytes.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().1 += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Allocations of 100 reads, each of `batch` messages of 125 bytes, all of which are echoed.
fn allocations<F: Future<Output = ()>>(batch: usize, serve: impl FnOnce(WebSocket<Pipe>) -> F) -> usize {
    let pipe = Pipe::default();
    let mut task = pin!(serve(WebSocket::from_upgraded(pipe.clone(), b"", untimed())));
    let frames = wire::to::<Server>(BINARY, &[7; 125]).repeat(batch);
    let mut echo = |times| {
        for _ in 0..times {
            pipe.0.lock().unwrap().0.extend(&frames);
            assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    };
    echo(10);
    let ((), counts) = counted(|| echo(100));
    assert_eq!(pipe.0.lock().unwrap().1, 110 * batch * 127, "all are echoed");
    assert_eq!(counts.held, 0, "nothing is kept");
    counts.allocated
}

#[test]
fn an_echo_allocates_what_it_owns() {
    assert_eq!(allocations(1, serve), 0);
    assert_eq!(allocations(1, recv_and_feed), 100);
    assert_eq!(allocations(1, split), 100);
    assert_eq!(allocations(16, serve), 0);
    assert_eq!(allocations(16, recv_and_feed), 1600);
    assert_eq!(allocations(16, split), 1600);
}
