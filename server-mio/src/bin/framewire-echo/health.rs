//! `--health-check`: asks a server that runs already whether it is healthy, for containers that have no other program.

use framewire_mio::Address;
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for `/healthz`.
///
/// # Errors
/// Those of connecting, sending and receiving, and [`InvalidData`](io::ErrorKind::InvalidData) if the status is not 200.
pub(crate) fn check(address: &Address) -> io::Result<()> {
    match address {
        Address::Tcp(name) => {
            let mut error = io::Error::from(io::ErrorKind::NotFound);
            for address in name.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(PATIENCE))?;
                        stream.set_write_timeout(Some(PATIENCE))?;
                        return ask(stream);
                    }
                    Err(failed) => error = failed,
                }
            }
            Err(error)
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask(stream)
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn ask(mut stream: impl Read + Write) -> io::Result<()> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    // To the end: otherwise the server would count a lost connection.
    let mut response = Vec::new();
    stream.take(1 << 16).read_to_end(&mut response)?;
    let status = &response[..response.len().min(13)];
    if status == b"HTTP/1.1 200 " {
        return Ok(());
    }
    let text = String::from_utf8_lossy(status).escape_debug().to_string();
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("the response begins with {text}")))
}
