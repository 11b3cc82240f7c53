//! Requests and their responses.

use super::*;
use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

#[test]
fn an_upgrade_is_accepted() {
    let program = start(&[]);
    let mut stream = program.tcp();
    stream.write_all(upgrade("").as_bytes()).unwrap();
    let mut answer = [0; 129];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(
        &answer[..],
        &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
           Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"[..],
    );
}

#[test]
fn unusual_upgrades_are_accepted() {
    let program = start(&[]);
    for head in [
        "\r\nGET /chat?room=1 HTTP/1.1\r\nhost:a\r\nUPGRADE:WebSocket\r\nconnection:keep-alive,\tUPGRADE\r\n\
         sec-websocket-version:13\r\nsec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\
         Connection: Upgrade\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET http://a/chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
    ] {
        let mut stream = program.tcp();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101", "{head}");
    }
}

#[test]
fn a_browser_gets_a_page() {
    let program = start(&[]);
    let page = ask(program.address(), b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n");
    assert_eq!(status(&page), 200);
    assert!(page.contains("Content-Type: text/html") && page.contains("new WebSocket("), "{page}");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    // The page is one file: it loads nothing from other addresses.
    assert!(!body.contains("src=\"http") && !body.contains("href=\"http"));

    let head_only = ask(program.address(), b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head_only, format!("{head}\r\n\r\n"));
}

#[test]
fn other_requests_get_a_fitting_status() {
    let program = start(&[]);
    let ask = |request: &str| ask(program.address(), request.as_bytes());
    let health = ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(status(&health) == 200 && health.ends_with("\r\n\r\nok\n"), "{health}");
    assert_eq!(status(&ask("GET /healthz HTTP/1.0\r\n\r\n")), 200); // as some health checks ask
    assert_eq!(status(&ask(&upgrade("").replace("HTTP/1.1", "HTTP/1.0"))), 200); // `Upgrade` is ignored: the page
    assert_eq!(status(&ask("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")), 404);
    let not_allowed = ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert!(status(&not_allowed) == 405 && not_allowed.contains("Allow: GET"), "{not_allowed}");
    let old = upgrade("").replace("Version: 13", "Version: 8");
    let required = ask(&old);
    assert!(status(&required) == 426 && required.contains("Sec-WebSocket-Version: 13\r\n"), "{required}");
    assert_eq!(status(&ask(&upgrade("").replace("HTTP/1.1", "HTTP/2.0"))), 505);
    assert_eq!(status(&ask(&upgrade("").replace("GET", "PUT"))), 405);
    assert_eq!(status(&ask(&upgrade("").replace("dGhl", "dGh"))), 400);
    assert_eq!(status(&ask(&upgrade("").replace("Connection: Upgrade\r\n", ""))), 400);
    assert_eq!(status(&ask(&upgrade("Content-Length: 3\r\n"))), 400);
    assert_eq!(status(&ask("GET / HTTP/1.1\r\n\r\n")), 400); // no host
    assert_eq!(status(&ask("GET / HTTP/1.1\nHost: a\n\n")), 400);
    assert_eq!(status(&ask("EHLO mail.example\r\n\r\n")), 400);
    program.check();
}

#[test]
fn a_request_has_limits() {
    let program = start(&[]);
    let long = upgrade(&format!("Cookie: {}\r\n", "c".repeat(9000)));
    assert_eq!(status(&ask(program.address(), long.as_bytes())), 431);
    let many = upgrade(&"X: y\r\n".repeat(64));
    assert_eq!(status(&ask(program.address(), many.as_bytes())), 431);
    // Refused at the limit: the end of the head never comes.
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(8192));
    assert_eq!(status(&ask(program.address(), endless.as_bytes())), 431);
    // A head of exactly the limit is accepted.
    let mut fits = upgrade("Cookie: \r\n");
    let fill = "c".repeat(8192 - fits.len());
    fits = upgrade(&format!("Cookie: {fill}\r\n"));
    assert_eq!(fits.len(), 8192);
    let mut stream = program.tcp();
    stream.write_all(fits.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    program.check();
}

#[test]
fn other_protocols_are_refused_at_once() {
    let program = start(&[]);
    // A TLS client: its first byte is enough. The server does not wait for the end of a head, or for a timeout.
    let hello =
        [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03][..], &noise(506, 1)].concat();
    let mut stream = program.tcp();
    stream.write_all(&hello).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
    for garbage in
        [&noise(4096, 2)[..], b"\0", b"\r\n\r\n\r\n\n", b"{\"json\": true}\r\n\r\n", b"SSH-2.0-x\r\n\r\n"]
    {
        let mut stream = program.tcp();
        stream.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{:?}", String::from_utf8_lossy(&answer));
    }
    program.check();
}

#[test]
fn origins_can_be_limited() {
    let program = start(&["--allow-origin", "https://a.example", "--allow-origin", "https://b.example"]);
    let refused = ask(program.address(), upgrade("Origin: https://evil.example\r\n").as_bytes());
    assert_eq!(status(&refused), 403);
    assert_eq!(status(&ask(program.address(), upgrade("Origin: null\r\n").as_bytes())), 403);
    for allowed in ["Origin: https://b.example\r\n", "Origin: HTTPS://A.example\r\n", ""] {
        let mut stream = program.tcp();
        stream.write_all(upgrade(allowed).as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101", "{allowed}");
    }
}

#[test]
fn subprotocols_are_chosen() {
    for (options, chosen) in [
        (&[][..], Some("chat.v2")),
        (&["--subprotocol", "any"], Some("chat.v2")),
        (&["--subprotocol", "none"], None),
        (&["--subprotocol", "chat.v1"], Some("chat.v1")),
        (&["--subprotocol", "mqtt", "--subprotocol", "chat.v1"], Some("chat.v1")),
        (&["--subprotocol", "mqtt"], None),
    ] {
        let program = start(options);
        let mut client = Client::on(Socket::Tcp(program.tcp()), &["chat.v2", "chat.v1"], b"");
        assert_eq!(client.subprotocol.as_deref(), chosen, "{options:?}");
        client.check();
        let mut client = program.connect();
        assert_eq!(client.subprotocol, None);
        client.check();
    }
}

#[test]
fn frames_may_come_with_the_head() {
    let program = start(&[]);
    let frames = [frame(TEXT, b"early"), frame(BINARY, &noise(3000, 3)), head(BINARY, 4)].concat();
    let mut client = Client::on(Socket::Tcp(program.tcp()), &[], &frames);
    client.expect_text("early");
    client.expect_binary(&noise(3000, 3));
    client.send(&frame(BINARY, b"late")[6..]); // the payload of the head above
    client.expect_binary(b"late");
    client.check();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let program = start(&[]);
    let mut stream = program.tcp();
    for byte in upgrade("Cookie: a=b\r\n").into_bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    for byte in frame(TEXT, b"and a frame") {
        stream.write_all(&[byte]).unwrap();
    }
    let mut answer = [0; 129 + 2 + 11];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101") && answer.ends_with(b"\x81\x0Band a frame"));
}

#[test]
fn a_slow_request_is_refused() {
    let program = start(&["--handshake-timeout", "1"]);
    let mut silent = program.tcp();
    let mut slow = program.tcp();
    let trickle = thread::spawn(move || {
        for byte in upgrade("").bytes().cycle() {
            if slow.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let mut answer = Vec::new();
        let _ = slow.read_to_end(&mut answer);
    });
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&answer));
    program.check();
    drop(program);
    trickle.join().unwrap();
}

/// The handshake timeout is never shorter than configured, at whatever fraction of a second a peer connects.
#[test]
fn the_handshake_timeout_is_not_shorter() {
    let program = start(&["--handshake-timeout", "1"]);
    let peers: Vec<_> = (0..20)
        .map(|_| {
            thread::sleep(Duration::from_millis(50));
            let began = Instant::now();
            let mut peer = program.tcp();
            thread::spawn(move || {
                peer.read_to_end(&mut Vec::new()).unwrap();
                began.elapsed()
            })
        })
        .collect();
    for peer in peers {
        let waited = peer.join().unwrap();
        assert!(waited >= Duration::from_millis(990), "refused after {waited:?}");
    }
}

#[test]
fn a_plain_request_does_not_hold_a_connection_open() {
    let program = start(&["--close-timeout", "1"]);
    let before = program.descriptors();
    let mut streams: Vec<_> = (0..20).map(|_| program.tcp()).collect();
    for stream in &mut streams {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    // The peers do not close, so the server does, after the close timeout.
    until("the server closes their sockets", || program.descriptors() <= before);
}
