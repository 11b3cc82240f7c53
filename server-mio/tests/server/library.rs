//! The library without the program, with handlers that do more than echo.

use super::*;
use framewire::{
    CloseCode, Kind,
    handshake::{self, Request},
};
use framewire_mio::{Config, Handler, Listener, Reply, Server, Stats, StopHandle};
use std::{
    borrow::Cow,
    io,
    num::NonZeroUsize,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A server on a thread.
pub(super) struct Running {
    pub(super) address: String,
    pub(super) stats: Arc<Stats>,
    stop: StopHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    pub(super) fn start<H: Handler + Send + 'static>(config: Config, handler: H) -> Self {
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], config, handler).unwrap();
        Self::run(server)
    }

    pub(super) fn run<H: Handler + Send + 'static>(server: Server<H>) -> Self {
        let address = server.listeners()[0].to_string();
        let (stats, stop) = (server.stats(), server.stop_handle());
        Self { address, stats, stop, thread: thread::spawn(move || server.run()) }
    }

    pub(super) fn end(self) {
        self.stop.stop().unwrap();
        until("the server ends", || self.thread.is_finished());
        self.thread.join().unwrap().unwrap();
        self.stop.stop().expect("a stop after the end does nothing");
    }
}

/// Sends each message twice and counts them; closes with 1008 at "no".
#[derive(Default)]
struct Twice {
    messages: usize,
}

impl Handler for Twice {
    fn message<'b>(&mut self, kind: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        self.messages += 1;
        if &*payload == b"no" {
            reply.close(CloseCode::POLICY, "no").unwrap();
            assert!(reply.close(CloseCode::POLICY, "twice").is_err());
            assert!(reply.send(kind, payload).is_err());
        } else if reply.send(kind, payload.clone()).is_ok() {
            reply.send(Kind::Text, format!("{} messages", self.messages).into_bytes().into()).unwrap();
            reply.send(kind, payload).unwrap();
        }
    }
}

#[test]
fn a_handler_sends_several_replies_and_keeps_state() {
    let server = Running::start(Config::default(), Twice::default());
    let mut client = Client::connect(&server.address);
    for (i, len) in [0, 5, 70_000, 1 << 20].into_iter().enumerate() {
        let payload = noise(len, 1);
        client.binary(&payload);
        client.expect_binary(&payload);
        client.expect_text(&format!("{} messages", i + 1));
        client.expect_binary(&payload);
    }
    assert_eq!((server.stats.messages.get(), server.stats.connections.get()), (4, 1));
    client.close();
    server.end();
}

#[test]
fn a_handler_closes() {
    let config = Config { close_timeout: 1, ..Config::default() };
    let server = Running::start(config, Twice::default());
    // The peer replies to the close.
    let mut client = Client::connect(&server.address);
    client.text("no");
    client.expect_close(1008);
    client.send(&close(1000, ""));
    client.expect_end();
    // The peer does not reply: the close timeout starts at the close.
    let mut client = Client::connect(&server.address);
    thread::sleep(Duration::from_secs(3));
    let begun = Instant::now();
    client.text("no");
    client.expect_close(1008);
    client.text("still handled");
    client.expect_end();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(server.stats.messages.get(), 3);
    server.end();
}

/// Responds to requests with its own state, or with an invalid header.
struct Pages(String);

impl Handler for Pages {
    fn message<'b>(&mut self, _: Kind, _: Cow<'b, [u8]>, _: Reply<'_, 'b>) {}

    fn request(&mut self, request: &Request<'_, '_>) -> handshake::PlainResponse<'_> {
        self.0.push_str(request.path());
        match request.path() {
            "/invalid" => handshake::PlainResponse::new(200).extra_headers(&[("In valid", "name")]),
            _ => handshake::PlainResponse::new(200).body(&self.0),
        }
    }
}

#[test]
fn the_handler_responds_to_requests() {
    let server = Running::start(Config::default(), Twice::default());
    let get = |server: &Running, path: &str| {
        ask(&server.address, format!("GET {path} HTTP/1.1\r\nHost: test.example\r\n\r\n").as_bytes())
    };
    assert_eq!(status(&get(&server, "/")), 404);
    server.end();
    let server = Running::start(Config::default(), Pages(String::new()));
    assert!(get(&server, "/one").ends_with("\r\n\r\n/one"));
    assert!(get(&server, "/two").ends_with("\r\n\r\n/one/two"));
    assert_eq!(status(&get(&server, "/invalid")), 500);
    server.end();
}

#[test]
fn several_servers_share_an_address() {
    let config = Arc::new(Config::default());
    let servers = NonZeroUsize::new(3).unwrap();
    let lists = Listener::bind(&["127.0.0.1:0".parse().unwrap()], servers, &config).unwrap();
    assert_eq!(lists.len(), 3);
    let servers: Vec<_> = lists
        .into_iter()
        .map(|listeners| Running::run(Server::new(config.clone(), listeners, Twice::default()).unwrap()))
        .collect();
    assert!(servers.iter().all(|server| server.address == servers[0].address));
    let clients: Vec<_> = (0..64).map(|_| Client::connect(&servers[0].address)).collect();
    assert_eq!(servers.iter().map(|server| server.stats.accepted.get()).sum::<u64>(), 64);
    drop(clients);
    servers.into_iter().for_each(Running::end);
}

/// Servers that share an address.
fn several(count: usize, config: Config) -> Vec<Running> {
    let config = Arc::new(config);
    let count = NonZeroUsize::new(count).unwrap();
    let lists = Listener::bind(&["127.0.0.1:0".parse().unwrap()], count, &config).unwrap();
    let new = |listeners| Running::run(Server::new(config.clone(), listeners, Twice::default()).unwrap());
    lists.into_iter().map(new).collect()
}

fn connections(servers: &[Running]) -> Vec<u64> {
    servers.iter().map(|server| server.stats.connections.get()).collect()
}

/// The kernel's hash alone gives some servers 3 of 512 connections, and others 14.
#[test]
fn several_servers_have_equally_many_connections() {
    let servers = several(64, Config { receive_buffer: 4 * KIB, ..Config::default() });
    let mut clients: Vec<_> = (0..512).map(|_| Client::connect(&servers[0].address)).collect();
    let counts = connections(&servers);
    assert_eq!(counts.iter().sum::<u64>(), 512);
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 2, "{counts:?}");
    for client in &mut clients {
        client.text("hello");
        client.expect_text("hello");
    }
    drop(clients);
    until("all connections have ended", || connections(&servers).iter().sum::<u64>() == 0);
    // Those that have ended count no more.
    let clients: Vec<_> = (0..128).map(|_| Client::connect(&servers[0].address)).collect();
    let counts = connections(&servers);
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 2, "{counts:?}");
    drop(clients);
    servers.into_iter().for_each(Running::end);
}

/// The limit holds for each server, and one that is full passes connections on.
#[test]
fn several_servers_use_all_their_room() {
    let servers = several(2, Config { max_connections: 6, ..Config::default() });
    let clients: Vec<_> = (0..12).map(|_| Client::connect(&servers[0].address)).collect();
    assert_eq!(connections(&servers), [6, 6]);
    // More wait until another leaves.
    let address = servers[0].address.clone();
    let more: Vec<_> = (0..4)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || Client::connect(&address))
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(connections(&servers), [6, 6]);
    assert!(more.iter().all(|thread| !thread.is_finished()));
    drop(clients);
    let clients: Vec<_> = more.into_iter().map(|thread| thread.join().unwrap()).collect();
    drop(clients);
    servers.into_iter().for_each(Running::end);
}
