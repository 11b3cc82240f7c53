//! Connections that a handler takes over, and requests that it refuses.

use super::library::Running;
use super::*;
use framewire::{
    Kind,
    handshake::{PlainResponse, Request},
};
use framewire_mio::{Admission, Config, Detached, Handler, Reply, Server, Wait};
use std::{
    borrow::Cow,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

/// Echoes at `/`, refuses `/refused`, and passes all other connections on.
struct Takes {
    taken: Sender<Detached>,
    stopping: Arc<AtomicBool>,
}

impl Handler for Takes {
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        reply.send(kind, payload).unwrap();
    }

    fn admit(&mut self, request: &Request<'_, '_>) -> Admission<'_> {
        let taken = self.taken.clone();
        match request.path() {
            "/" => Admission::Serve,
            "/refused" => Admission::Respond(PlainResponse::new(503).body("no\n")),
            _ => Admission::TakeOver(Box::new(move |connection| taken.send(connection).unwrap())),
        }
    }

    fn stopping(&mut self) {
        assert!(!self.stopping.swap(true, SeqCst), "it is called once");
    }
}

fn start(config: Config) -> (Running, Receiver<Detached>, Arc<AtomicBool>) {
    let (taken, connections) = channel();
    let stopping = Arc::default();
    (Running::start(config, Takes { taken, stopping: Arc::clone(&stopping) }), connections, stopping)
}

fn request(path: &str) -> String {
    upgrade("").replacen("GET / ", &format!("GET {path} "), 1)
}

fn next(connections: &Receiver<Detached>) -> Detached {
    let mut connection = connections.recv_timeout(PATIENCE).expect("a connection is taken over");
    connection.set_read_timeout(Some(PATIENCE));
    connection.set_write_timeout(Some(PATIENCE));
    connection
}

#[test]
fn a_connection_is_taken_over_with_all_its_bytes() {
    let (server, connections, _) = start(Config::default());
    // Head and rest come at once, or the head is cut anywhere.
    let head = request("/taken?x=1");
    for cut in [0, 1, 20, head.len() - 2, head.len() - 1, head.len()] {
        let mut client = tcp(&server.address);
        client.write_all(&head.as_bytes()[..cut]).unwrap();
        std::thread::sleep(Duration::from_millis(if cut == 0 { 0 } else { 20 }));
        client.write_all(&[&head.as_bytes()[cut..], b"and more"].concat()).unwrap();
        let mut connection = next(&connections);
        assert_eq!(connection.head(), head.as_bytes());
        assert_eq!(connection.peer_addr(), Some(client.local_addr().unwrap()));
        let mut rest = [0; 8];
        connection.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"and more");
        client.write_all(b"later").unwrap();
        let mut rest = [0; 5];
        connection.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"later");
        // Nothing but what its new owner writes.
        connection.write_all(b"hello").unwrap();
        drop(connection);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"hello");
    }
    assert_eq!((server.stats.taken_over.get(), server.stats.connections.get()), (6, 0));
    // The same server still serves others.
    Client::connect(&server.address).check();
    server.end();
}

/// Its new owner can write the lines of an access log.
#[test]
fn a_connection_that_was_taken_over_has_its_number() {
    for records in [true, false] {
        let (server, connections, _) = start(Config { records, ..Config::default() });
        for id in 1..=2 {
            let mut client = tcp(&server.address);
            client.write_all(request("/taken").as_bytes()).unwrap();
            let peer = next(&connections).peer();
            let seen = peer.map(|peer| (peer.id, peer.address));
            assert_eq!(seen, records.then(|| (id, client.local_addr().ok())));
        }
        server.end();
    }
}

#[test]
fn more_than_the_socket_holds_goes_through() {
    let (server, connections, _) = start(Config::default());
    let mut client = tcp(&server.address);
    client.write_all(request("/taken").as_bytes()).unwrap();
    let mut connection = next(&connections);
    let sent = noise(20 * MIB, 1);
    let expected = sent.clone();
    let thread = std::thread::spawn(move || {
        connection.write_all(&sent).unwrap();
        let mut back = Vec::new();
        connection.read_to_end(&mut back).unwrap();
        (sent, back)
    });
    let mut got = vec![0; expected.len()];
    client.read_exact(&mut got).unwrap();
    assert!(got == expected);
    client.write_all(&expected).unwrap();
    drop(client);
    let (sent, back) = thread.join().unwrap();
    assert!(sent == back);
    server.end();
}

#[test]
fn reads_and_writes_time_out_or_do_not_block() {
    let (server, connections, _) = start(Config::default());
    let mut client = tcp(&server.address);
    client.write_all(request("/taken").as_bytes()).unwrap();
    let mut connection = next(&connections);
    let mut buffer = vec![0; MIB];
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        connection.set_read_timeout(Some(timeout));
        connection.set_write_timeout(Some(timeout));
        assert_eq!(connection.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
    let mut written = 0;
    let error = loop {
        match connection.write(&buffer) {
            Ok(n) => written += n,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // It is readable before it is writable, and then the other way around.
    client.write_all(b"x").unwrap();
    connection.set_read_timeout(Some(Duration::ZERO));
    until("it can be read", || {
        connection.wait(Wait { read: true, write: false }, Some(PATIENCE)).unwrap();
        connection.read(&mut buffer[..1]).is_ok()
    });
    assert_eq!(buffer[0], b'x');
    let mut got = vec![0; written];
    client.read_exact(&mut got).unwrap();
    connection.set_write_timeout(Some(Duration::ZERO));
    until("it can be written", || {
        connection.wait(Wait { read: false, write: true }, Some(PATIENCE)).unwrap();
        connection.write(b"y").is_ok()
    });
    // The peer's end is noticed without a read.
    assert!(!connection.peer_has_closed());
    drop(client);
    until("the end is noticed", || {
        connection.wait(Wait::default(), Some(PATIENCE)).unwrap();
        connection.peer_has_closed()
    });
    server.end();
}

#[test]
fn an_abort_is_a_reset_and_half_a_close_is_not() {
    let (server, connections, _) = start(Config::default());
    let mut client = tcp(&server.address);
    client.write_all(request("/taken").as_bytes()).unwrap();
    next(&connections).abort().unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);

    let mut client = tcp(&server.address);
    client.write_all(request("/taken").as_bytes()).unwrap();
    let mut connection = next(&connections);
    connection.shutdown_write().unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    client.write_all(b"still here").unwrap();
    let mut got = [0; 10];
    connection.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"still here");
    server.end();
}

#[test]
fn an_interrupt_ends_what_blocks() {
    let (server, connections, stopping) = start(Config::default());
    let mut client = tcp(&server.address);
    client.write_all(request("/taken").as_bytes()).unwrap();
    let mut connection = next(&connections);
    connection.set_read_timeout(None);
    let interrupter = connection.interrupter();
    let thread = std::thread::spawn(move || {
        let error = connection.read(&mut [0]).unwrap_err();
        (connection, error.kind())
    });
    // The stop of the server does not touch it.
    server.end();
    assert!(stopping.load(SeqCst));
    assert!(!thread.is_finished());
    interrupter.interrupt().unwrap();
    let (mut connection, error) = thread.join().unwrap();
    assert_eq!(error, io::ErrorKind::ConnectionAborted);
    // What does not block is done all the same.
    client.write_all(b"x").unwrap();
    connection.wait(Wait { read: true, write: false }, Some(PATIENCE)).unwrap();
    connection.write_all(b"bye").unwrap();
    drop(connection);
    let mut got = [0; 3];
    client.read_exact(&mut got).unwrap();
}

#[test]
fn a_handler_refuses_requests() {
    let (server, _connections, _) = start(Config::default());
    let answer = ask(&server.address, request("/refused").as_bytes());
    assert_eq!(status(&answer), 503);
    assert!(answer.ends_with("\r\n\r\nno\n"));
    let answer = ask(&server.address, b"HEAD /refused HTTP/1.1\r\nHost: test.example\r\n\r\n");
    assert!(status(&answer) == 503 && answer.ends_with("\r\n\r\n"), "{answer}");
    server.end();
}

#[test]
fn what_the_server_refuses_never_reaches_the_handler() {
    let config = Config { origins: vec!["https://good.example".into()], ..Config::default() };
    let (server, connections, _) = start(config);
    let origin = |name: &str| {
        request("/taken").replace("\r\n\r\n", &format!("\r\nOrigin: https://{name}.example\r\n\r\n"))
    };
    assert_eq!(status(&ask(&server.address, origin("bad").as_bytes())), 403);
    assert_eq!(status(&ask(&server.address, request("/taken").replace("13", "8").as_bytes())), 426);
    let mut client = tcp(&server.address);
    client.write_all(origin("good").as_bytes()).unwrap();
    drop(next(&connections));
    assert!(connections.try_recv().is_err());
    server.end();
}

#[test]
fn connections_are_taken_over_on_unix_sockets() {
    let path = std::env::temp_dir().join(format!("framewire-takeover-{}.sock", std::process::id()));
    let (taken, connections) = channel();
    let handler = Takes { taken, stopping: Arc::default() };
    let address = path.to_str().unwrap().parse().unwrap();
    let server = Running::run(Server::bind(&[address], Config::default(), handler).unwrap());
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all([request("/taken").as_str(), "more"].concat().as_bytes()).unwrap();
    let mut connection = next(&connections);
    assert_eq!(connection.peer_addr(), None);
    let mut got = [0; 4];
    connection.read_exact(&mut got).unwrap();
    connection.write_all(&got).unwrap();
    connection.abort().unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"more");
    server.end();
}
