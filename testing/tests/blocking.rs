//! The blocking client against servers that end early.
#![cfg(target_os = "linux")] // elsewhere, a reset may discard bytes that have arrived

use framewire::{
    CloseCode, Connection, Kind, ProtocolError, Server, Unmasked,
    handshake::{HeadBuffer, HeadLimits, HeaderSlots, Request},
};
use framewire_testing::blocking::{Received, Socket};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// The server closes its socket while most of the message is to be written, so the write fails.
#[test]
fn a_message_that_the_server_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("bound"));
    let server = thread::spawn(move || refuse(listener.accept()?.0));
    let (mut socket, _) = Socket::connect(&url, &[], &[]).expect("a server that upgrades");
    socket.send(Kind::Binary, &vec![0; 64 << 20]).expect("the connection is open");
    assert_eq!(server.join().expect("no panic").expect("a client"), Some(ProtocolError::FrameTooBig));
    match socket.receive().expect("the close") {
        Received::Close(code, _) => assert_eq!(code, CloseCode::TOO_BIG),
        other => panic!("{other:?}"),
    }
    let error = socket.receive().expect_err("nothing more has arrived");
    assert!(
        matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
        "{error}: it is that of the write"
    );
}

/// Accepts the handshake and fails the connection at the first error, which it returns.
fn refuse(mut stream: TcpStream) -> io::Result<Option<ProtocolError>> {
    let mut rx = [0; 4 << 10];
    let mut buffer = HeadBuffer::new(HeadLimits::default());
    let head = loop {
        let n = stream.read(&mut rx)?;
        if let Some(head) = buffer.push(&rx[..n]).map_err(io::Error::other)? {
            break head.bytes.to_vec();
        }
    };
    let mut slots = HeaderSlots::<64>::new();
    let request = Request::parse(&head, &mut slots).map_err(io::Error::other)?;
    let upgrade = request.upgrade().map_err(io::Error::other)?.expect("a WebSocket is asked for");
    stream.write_all(&upgrade.accept().to_vec().map_err(io::Error::other)?)?;

    let mut connection = Connection::<Server>::new();
    loop {
        let n = stream.read(&mut rx)?;
        if n == 0 {
            return Ok(None);
        }
        if let Err(error) = connection.receive(&mut &mut rx[..n]) {
            stream.write_all(&connection.fail(error, Unmasked).expect("the first close"))?;
            return Ok(Some(error));
        }
    }
}
