//! Opening handshakes: refusals that are flushed, bytes behind the head, and each error.

use crate::{
    sim::{now, poll_once},
    stream::{End, Scripted, Wire, stream},
    untimed,
};
use framewire_testing::wire::{self, TEXT};
use framewire_tokio::{
    AcceptError, Acceptor, Answer, Client, ConnectError, Connector, Message, Refusal, Server, Stage,
    WebSocket,
};
use std::{pin::pin, task::Poll, time::Duration};

const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn request(more: &str) -> Vec<u8> {
    format!("{REQUEST}{more}\r\n").into_bytes()
}

fn acceptor() -> Acceptor {
    Acceptor::new(untimed::<Server>())
}

/// Lets a server accept what has arrived, while the peer takes little at a time. Returns what was written.
fn accept(
    acceptor: &Acceptor,
    wire_bytes: &[u8],
    end: End,
) -> (Result<WebSocket<Scripted>, AcceptError>, String) {
    accept_with(acceptor, wire_bytes, end, |_| Ok(Answer::default()))
}

fn accept_with(
    acceptor: &Acceptor,
    bytes: &[u8],
    end: End,
    decide: impl FnOnce(&framewire::handshake::Upgrade<'_, '_>) -> Result<Answer, Refusal>,
) -> (Result<WebSocket<Scripted>, AcceptError>, String) {
    let (scripted, wire) = stream(7);
    wire.state().must_flush = true;
    wire.arrive(bytes);
    wire.end(end);
    let outcome = finish(acceptor.accept_with(scripted, decide), &wire);
    wire.take(usize::MAX);
    let written = String::from_utf8(wire.state().taken.clone()).unwrap();
    assert!(wire.state().written.is_empty(), "all is flushed");
    (outcome, written)
}

fn finish<T>(work: impl Future<Output = T>, wire: &Wire) -> T {
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(outcome) = poll_once(work.as_mut()) {
            return outcome;
        }
        assert!(!wire.take(3).is_empty(), "it waits");
    }
}

#[test]
fn bytes_behind_the_head() {
    let frames = wire::cat(&[wire::to::<Server>(TEXT, b"one"), wire::to::<Server>(TEXT, b"two")]);
    let (socket, written) = accept(&acceptor(), &[request(""), frames].concat(), End::Silence);
    let mut socket = socket.unwrap();
    assert!(written.starts_with("HTTP/1.1 101 "), "{written}");
    assert!(written.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{written}");
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("one"));
    assert_eq!(now(socket.recv()).unwrap().unwrap(), Message::from("two"));
}

#[test]
fn the_program_decides() {
    let (socket, written) =
        accept_with(&acceptor(), &request("Sec-WebSocket-Protocol: b, a\r\n"), End::Silence, |upgrade| {
            assert_eq!(upgrade.path(), "/chat");
            Ok(Answer::default().subprotocol("a").header("X-Room", "1"))
        });
    assert_eq!(socket.unwrap().subprotocol(), Some("a"));
    assert!(written.contains("\r\nX-Room: 1\r\n"), "{written}");

    let (refused, written) = accept_with(&acceptor(), &request(""), End::Silence, |_| {
        Err(Refusal::new(401).header("WWW-Authenticate", "Basic").body("who?"))
    });
    assert!(matches!(refused, Err(AcceptError::Refused(401))));
    assert!(written.starts_with("HTTP/1.1 401 ") && written.ends_with("who?"), "{written}");

    for wrong in [
        Answer::default().subprotocol("not asked for"),
        Answer::default().header("X", "a\r\nb"),
        Answer::default().header("Upgrade", "x"),
    ] {
        let (refused, written) = accept_with(&acceptor(), &request(""), End::Silence, |_| Ok(wrong));
        assert!(matches!(refused, Err(AcceptError::Answer(_))));
        assert!(written.starts_with("HTTP/1.1 500 "), "{written}");
    }
}

#[test]
fn requests_that_are_wrong() {
    for (bytes, status) in [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "426"),
        (b"nonsense\r\n\r\n".to_vec(), "400"),
        ([b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 100_000]].concat(), "431"),
        (String::from_utf8(request("")).unwrap().replace("13", "8").into_bytes(), "426"),
    ] {
        let (refused, written) = accept(&acceptor(), &bytes, End::Silence);
        assert!(matches!(refused, Err(AcceptError::Handshake(_))), "{refused:?}");
        assert!(written.starts_with(&format!("HTTP/1.1 {status} ")), "{written}");
    }
}

#[test]
fn origins() {
    let mut config = untimed::<Server>();
    config.origins = vec!["https://example.org".into()];
    let acceptor = Acceptor::new(config);
    for (header, allowed) in [
        ("", true),
        ("Origin: https://example.org\r\n", true),
        ("Origin: HTTPS://EXAMPLE.ORG\r\n", true),
        ("Origin: https://example.org.evil\r\n", false),
        ("Origin: null\r\n", false),
    ] {
        let (socket, written) = accept(&acceptor, &request(header), End::Silence);
        assert_eq!(socket.is_ok(), allowed, "{header}");
        assert_eq!(written.starts_with("HTTP/1.1 403 "), !allowed, "{header}");
    }
}

#[test]
fn streams_that_end_before_the_request() {
    for (bytes, end) in [(&b""[..], End::Eof), (b"GET / HTTP/1.1\r\n", End::Eof)] {
        assert!(matches!(accept(&acceptor(), bytes, end).0, Err(AcceptError::NoRequest)));
    }
    assert!(matches!(accept(&acceptor(), b"GET", End::Reset).0, Err(AcceptError::Io(_))));
}

/// The peer is gone before it gets the refusal, which is what the program is told all the same.
#[test]
fn a_refusal_that_cannot_be_shut_down() {
    let (scripted, wire) = stream(1000);
    wire.arrive(&request(""));
    wire.state().shutdown_fails = true;
    let refused = now(acceptor().accept_with(scripted, |_| Err(Refusal::new(404))));
    assert!(matches!(refused, Err(AcceptError::Refused(404))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_take_too_long() {
    let begin = tokio::time::Instant::now();
    let (scripted, wire) = stream(1000);
    wire.arrive(b"GET / HTTP/1.1\r\n");
    let refused = Acceptor::new(framewire_tokio::Config::server()).accept(scripted).await;
    assert!(matches!(refused, Err(AcceptError::Timeout)));
    assert!(wire.take(1000).starts_with(b"HTTP/1.1 408 "));
    assert!(wire.state().shut);
    let (scripted, _wire) = stream(1000);
    let refused = Connector::new(framewire_tokio::Config::client()).connect_on(scripted, "host", "/").await;
    assert!(matches!(refused, Err(ConnectError::Timeout(Stage::Handshake))));
    assert_eq!(begin.elapsed(), Duration::from_secs(20));
}

/// The peer does not read: a 408 would come in the middle of the answer, or wait for ever.
#[tokio::test(start_paused = true)]
async fn late_answers() {
    let acceptor = Acceptor::new(framewire_tokio::Config::server());
    for (bytes, room) in [(&request("")[..], 20), (b"GET / HTTP/1.1\r\n", 0)] {
        let (scripted, wire) = stream(room);
        wire.arrive(bytes);
        assert!(matches!(acceptor.accept(scripted).await, Err(AcceptError::Timeout)));
        wire.take(usize::MAX);
        assert!(b"HTTP/1.1 101 Switching Protocols".starts_with(&wire.state().taken));
        assert_eq!(wire.state().taken.len(), room);
    }
}

/// What a client gets for an answer.
fn connect(answer: &str, end: End) -> Result<WebSocket<Scripted, Client>, ConnectError> {
    let (scripted, wire) = stream(7);
    wire.state().must_flush = true;
    let connector = Connector::new(untimed::<Client>());
    let mut connect = pin!(connector.connect_on(scripted, "example.org", "/chat"));
    loop {
        if let Poll::Ready(outcome) = poll_once(connect.as_mut()) {
            return outcome;
        }
        if wire.take(3).is_empty() {
            let taken = String::from_utf8(wire.state().taken.clone()).unwrap();
            assert!(taken.starts_with("GET /chat HTTP/1.1\r\n") && taken.ends_with("\r\n\r\n"), "{taken}");
            wire.arrive(answer.as_bytes());
            wire.end(end);
        }
    }
}

#[test]
fn answers_that_are_wrong() {
    assert!(matches!(connect("", End::Eof), Err(ConnectError::NoAnswer)));
    assert!(matches!(connect("HTTP/1.1 101 ", End::Reset), Err(ConnectError::Io(_))));
    assert!(matches!(connect("nonsense\r\n\r\n", End::Eof), Err(ConnectError::Handshake(_))));
    let wrong_key = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert!(matches!(connect(wrong_key, End::Silence), Err(ConnectError::Handshake(_))));
    let refused =
        connect("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nwho?", End::Eof);
    let Err(ConnectError::Refused(answered)) = refused else { panic!("{refused:?}") };
    assert_eq!((answered.status, &answered.body[..]), (401, &b"who?"[..]));
    assert!(answered.head.windows(16).any(|window| window == b"WWW-Authenticate"));
}

#[test]
fn requests_that_may_not_be_sent() {
    for (host, target) in [("", "/"), ("a b", "/"), ("host", "no slash"), ("host", "/a\r\nb")] {
        let (scripted, wire) = stream(1000);
        let refused = now(Connector::new(untimed::<Client>()).connect_on(scripted, host, target));
        assert!(matches!(refused, Err(ConnectError::Request(_))), "{host} {target}");
        assert!(wire.state().written.is_empty());
    }
}
