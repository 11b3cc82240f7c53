//! The addresses to listen on, and the sockets that do.

use crate::{options::Options, socket::Listener};
use mio::net::TcpListener;
use socket2::{Domain, Protocol, Type};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    str::FromStr,
};

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`; as given, since a name may stand for several addresses.
    Tcp(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return if cfg!(unix) {
                Ok(Self::Unix(text.into()))
            } else {
                Err("Unix sockets are to be had on Unix only".into())
            };
        }
        if text.parse::<u16>().is_ok() {
            return Ok(Self::Tcp(format!("127.0.0.1:{text}")));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.into()))
            }
            None if !text.is_empty() => Err(format!("the port is missing, as in {text}:9001")),
            _ => Err(
                "an address is HOST:PORT, [IPV6]:PORT, PORT, or the path of a Unix socket (with a / in it)"
                    .into(),
            ),
        }
    }
}

/// Binds every address once for each loop; the outer list has an element a loop.
pub fn bind(options: &Options) -> io::Result<Vec<Vec<Listener>>> {
    let mut loops: Vec<Vec<Listener>> = (0..options.threads.get()).map(|_| Vec::new()).collect();
    for address in &options.listen {
        let context =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
        match address {
            Address::Tcp(name) => {
                for address in name.to_socket_addrs().map_err(context)? {
                    bind_tcp(address, options, &mut loops).map_err(context)?;
                }
            }
            #[cfg(unix)]
            Address::Unix(path) => bind_unix(path, &mut loops).map_err(context)?,
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(context(io::ErrorKind::Unsupported.into())),
        }
    }
    Ok(loops)
}

/// One socket for each loop: the kernel spreads the connections (SO_REUSEPORT).
fn bind_tcp(mut address: SocketAddr, options: &Options, loops: &mut [Vec<Listener>]) -> io::Result<()> {
    let several = loops.len() > 1;
    for listeners in loops {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        #[cfg(unix)]
        {
            // A port whose last connections are in TIME_WAIT is free. (On Windows the option means something else.)
            socket.set_reuse_address(true)?;
            if several {
                socket.set_reuse_port(true)?;
            }
        }
        if cfg!(not(unix)) && several {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "several threads need SO_REUSEPORT"));
        }
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Accepted sockets inherit these; set before listening, they also count for the window's scale.
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes.get())?;
        }
        if let Some(bytes) = options.send_buffer {
            socket.set_send_buffer_size(bytes.get())?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        let listener = TcpListener::from_std(socket.into());
        address = listener.local_addr()?; // for the next loop, where the port was 0
        listeners.push(Listener::Tcp(listener));
    }
    Ok(())
}

/// One socket, which all loops accept from.
#[cfg(unix)]
fn bind_unix(path: &std::path::Path, loops: &mut [Vec<Listener>]) -> io::Result<()> {
    use crate::socket::SocketFile;
    use std::{
        os::unix::{fs::FileTypeExt, net},
        sync::Arc,
    };

    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && net::UnixStream::connect(path).is_err_and(refused) {
        std::fs::remove_file(path)?; // left by a server that was killed: nobody listens
    }
    let listener = net::UnixListener::bind(path)?;
    let file = Arc::new(SocketFile(path.into()));
    listener.set_nonblocking(true)?;
    for listeners in loops {
        let listener = mio::net::UnixListener::from_std(listener.try_clone()?);
        listeners.push(Listener::Unix(listener, file.clone()));
    }
    Ok(())
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(name) => f.write_str(name),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
