//! What every server of a test begins with.

use framewire::{
    extension::{DeflatePolicy, DeflateResponse},
    handshake::{HeadBuffer, HeadLimits, HeaderSlots, Request},
};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Accepts, for as long as the test lives, and serves each connection in a thread of its own by what `new` gives for it; says
/// on which port.
pub(crate) fn start<S>(mut new: impl FnMut() -> S + Send + 'static) -> u16
where
    S: FnOnce(TcpStream) -> io::Result<()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = new();
            // A client that has seen enough goes.
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// The opening handshake, and what is agreed on of what the client offers, where `deflate` says what the server would.
pub(crate) fn accept(
    stream: &mut TcpStream,
    deflate: Option<&DeflatePolicy>,
) -> io::Result<Option<DeflateResponse>> {
    let mut rx = vec![0; 8 << 10];
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
    let answer = deflate.and_then(|config| upgrade.deflate(config));
    stream.write_all(&upgrade.accept().deflate(answer).to_vec().map_err(io::Error::other)?)?;
    Ok(answer)
}
