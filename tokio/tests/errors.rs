//! What errors say, and who is to blame.

use framewire_tokio::{
    AcceptError, Acceptor, Answer, CloseCode, Config, ConnectError, Connector, Error, Message, ProtocolError,
    Refusal, SendError, Server, TrySendError, WebSocket,
};
use std::{error::Error as _, io};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const REQUEST: &[u8] =
    b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[test]
fn ends_of_a_connection() {
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    for (error, said) in [
        (Error::Io(broken()), "the transport failed: broken pipe"),
        (
            Error::Protocol(ProtocolError::UnexpectedEof),
            "the peer broke the protocol: the stream ended without a close frame",
        ),
        (Error::IdleTimeout, "the peer did not answer a ping in time"),
        (Error::WriteTimeout, "the peer did not read in time"),
        (Error::MessageTimeout, "the peer did not finish a message in time"),
        (Error::CloseTimeout, "the peer did not answer the close in time"),
    ] {
        assert_eq!(error.to_string(), said);
        assert_eq!(error.source().is_some(), matches!(error, Error::Io(_) | Error::Protocol(_)));
    }
}

#[tokio::test]
async fn messages_that_are_not_accepted() {
    let (near, _far) = duplex(100);
    let mut config = Config::server();
    config.high_water = 1;
    let mut socket = WebSocket::<_, Server>::from_upgraded(near, b"", config);
    socket.try_feed("first").unwrap();
    let full = socket.try_feed("second").unwrap_err();
    assert_eq!(full.to_string(), "too many bytes wait for the peer");
    assert_eq!(full.into_inner(), Message::from("second"));

    let invalid = socket.start_close(CloseCode::ABNORMAL, "").unwrap_err();
    assert!(matches!(invalid, SendError::Invalid(_)), "{invalid}");
    assert!(socket.ping_with(&[0; 126]).is_err_and(|error| matches!(error, SendError::Invalid(_))));
    socket.start_close(CloseCode::NORMAL, "").unwrap();
    let closed = socket.try_feed("third").unwrap_err();
    assert_eq!(closed, TrySendError::Closed("third".into()));
    assert_eq!(closed.to_string(), "the connection is closed");
    assert_eq!(socket.send("fourth").await.unwrap_err().to_string(), "the connection is closed");
    assert_eq!(SendError::Timeout.to_string(), "the peer did not read in time");
}

#[tokio::test]
async fn handshakes_of_a_server() {
    let acceptor = Acceptor::new(Config::server());
    let (near, far) = duplex(4096);
    drop(far);
    let error = acceptor.accept(near).await.unwrap_err();
    assert_eq!(error.to_string(), "the peer sent no request");

    for (answer, said, status) in [
        (Err(Refusal::new(404)), "the request was answered with 404", "404 Not Found"),
        (Ok(Answer::default().header("X", "a\r\nb")), "the answer may not be sent", "500"),
        (Err(Refusal::new(404).header("X", "a\r\nb")), "the answer may not be sent", "500"),
        (Ok(Answer::default().subprotocol("unasked")), "the answer may not be sent", "500"),
    ] {
        let (near, mut far) = duplex(4096);
        far.write_all(REQUEST).await.unwrap();
        let error = acceptor.accept_with(near, |_| answer).await.unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert_eq!(error.source().is_some(), matches!(error, AcceptError::Answer(_)));
        let mut written = String::new();
        far.read_to_string(&mut written).await.unwrap();
        assert!(written.starts_with(&format!("HTTP/1.1 {status}")), "{written}");
    }
}

#[tokio::test]
async fn handshakes_of_a_client() {
    let connector = Connector::new(Config::client());
    for (answer, said) in [
        ("", "the server sent no answer"),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?", "the server refused with 401"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "the answer is wrong"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "the answer is wrong"),
    ] {
        let (near, mut far) = duplex(4096);
        far.write_all(answer.as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        let error = connector.connect_on(near, "localhost", "/").await.unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert_eq!(error.source().is_some(), matches!(error, ConnectError::Handshake(_)));
        if let ConnectError::Refused(answered) = error {
            assert_eq!((answered.status, &*answered.body), (401, &b"who?"[..]));
            assert!(answered.head.starts_with(b"HTTP/1.1 401"));
        }
    }
    let (near, _far) = duplex(4096);
    let error = connector.header("Cookie", "a\r\nb").connect_on(near, "localhost", "/").await.unwrap_err();
    assert!(error.to_string().starts_with("the request may not be sent: "), "{error}");
}
