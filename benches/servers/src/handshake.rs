//! The opening handshake, for libraries that leave it to an HTTP server. Only cells in which connections come and go measure it.

use framewire::{
    extension::{DeflatePolicy, DeflateResponse},
    handshake::{HeadBuffer, HeadLimits, HeaderSlots, Request},
};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Reads the request and accepts it; if the library can compress, also the client's offer of that.
pub(crate) async fn accept(
    stream: &mut TcpStream,
    can_compress: bool,
) -> io::Result<Option<DeflateResponse>> {
    let mut buffer = HeadBuffer::new(HeadLimits::default());
    // Only reading byte by byte would be safe with every client; ours sends nothing before it has the response.
    let mut rx = [0; 2048];
    let head = loop {
        let n = stream.read(&mut rx).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = buffer.push(&rx[..n]).map_err(io::Error::other)? {
            break head.bytes.to_vec();
        }
    };
    let mut slots = HeaderSlots::<64>::new();
    let request = Request::parse(&head, &mut slots).map_err(io::Error::other)?;
    let upgrade = request.upgrade().map_err(io::Error::other)?;
    let upgrade = upgrade.ok_or_else(|| io::Error::other("no WebSocket is asked for"))?;
    let answer = upgrade.deflate(&DeflatePolicy::default()).filter(|_| can_compress);
    stream.write_all(&upgrade.accept().deflate(answer).to_vec().map_err(io::Error::other)?).await?;
    Ok(answer)
}
