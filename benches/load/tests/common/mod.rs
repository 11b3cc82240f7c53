//! What the servers of the tests share.

use framewire::{
    extension::{DeflatePolicy, DeflateResponse},
    handshake::{HeadBuffer, HeadLimits, HeaderSlots, Request},
};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// Accepts connections as long as the test lives, and serves each in its own thread with a handler that `new` makes.
/// Returns the port.
pub(crate) fn start<S>(mut new: impl FnMut() -> S + Send + 'static) -> u16
where
    S: FnOnce(TcpStream) -> io::Result<()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = new();
            // A client may leave at any time.
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// The opening handshake. If `deflate` has a policy, it accepts the client's offer by that.
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
