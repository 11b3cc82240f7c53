//! The addresses to listen on, and the sockets that do.

use crate::{config::Config, transport::Socket};
#[cfg(unix)]
use mio::net::UnixListener;
use mio::{event::Source, net::TcpListener};
use socket2::{Domain, Protocol, Type};
#[cfg(unix)]
use std::sync::Arc;
use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where to listen. Parses from `HOST:PORT`, `[IPV6]:PORT`, `PORT` (of the loopback interface), or the path of a Unix
/// socket, which has a `/` in it.
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
                Err("only Unix has Unix sockets".into())
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

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name) => f.write_str(name),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, Arc<SocketFile>),
}

/// The name of a Unix socket in the file system, removed when the last of its listeners closes.
#[cfg(unix)]
#[derive(Debug)]
struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds every address once for each of so many servers; the outer list has an element for each. The kernel spreads
    /// the connections of a TCP address between them (`SO_REUSEPORT`); from a Unix socket, all of them accept.
    ///
    /// A name is bound at each address that it resolves to. A Unix socket that a killed server left behind is replaced.
    ///
    /// # Errors
    /// Those of resolving, binding and listening, with the address in their text.
    pub fn bind(addresses: &[Address], servers: NonZeroUsize, config: &Config) -> io::Result<Vec<Vec<Self>>> {
        let mut lists: Vec<Vec<Self>> = (0..servers.get()).map(|_| Vec::new()).collect();
        for address in addresses {
            let context = |error: io::Error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            };
            match address {
                Address::Tcp(name) => {
                    for address in name.to_socket_addrs().map_err(context)? {
                        bind_tcp(address, config, &mut lists).map_err(context)?;
                    }
                }
                Address::Unix(path) => bind_unix(path, &mut lists).map_err(context)?,
            }
        }
        Ok(lists)
    }

    /// The address of a TCP socket, with the port that the kernel chose if 0 was asked for; `None` of a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Kind::Unix(..) => None,
        }
    }

    /// The next connection that waits.
    pub(crate) fn accept(&self) -> io::Result<Socket> {
        match &self.0 {
            Kind::Tcp(listener) => {
                let (socket, _) = listener.accept()?;
                // Replies are gathered here: what is written is to leave at once. A peer that is gone already is
                // found out at the first read.
                let _ = socket.set_nodelay(true);
                Ok(Socket::Tcp(socket))
            }
            #[cfg(unix)]
            Kind::Unix(listener, _) => Ok(Socket::Unix(listener.accept()?.0)),
        }
    }

    /// What a poll watches.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match &mut self.0 {
            Kind::Tcp(listener) => listener,
            #[cfg(unix)]
            Kind::Unix(listener, _) => listener,
        }
    }
}

/// The address, as a person would type it.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("?"),
            },
            #[cfg(unix)]
            Kind::Unix(_, file) => write!(f, "{}", file.0.display()),
        }
    }
}

/// One socket for each server.
fn bind_tcp(mut address: SocketAddr, config: &Config, lists: &mut [Vec<Listener>]) -> io::Result<()> {
    let several = lists.len() > 1;
    for listeners in lists {
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
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "several servers at one address need SO_REUSEPORT",
            ));
        }
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Accepted sockets inherit these; set before listening, they also count for the window's scale.
        if let Some(bytes) = config.socket_receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = config.socket_send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        let listener = TcpListener::from_std(socket.into());
        address = listener.local_addr()?; // for the next server, if the port was 0
        listeners.push(Listener(Kind::Tcp(listener)));
    }
    Ok(())
}

/// One socket, from which all servers accept.
#[cfg(unix)]
fn bind_unix(path: &Path, lists: &mut [Vec<Listener>]) -> io::Result<()> {
    use std::os::unix::{fs::FileTypeExt, net};

    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && net::UnixStream::connect(path).is_err_and(refused) {
        std::fs::remove_file(path)?; // left by a server that was killed: nobody listens
    }
    let listener = net::UnixListener::bind(path)?;
    let file = Arc::new(SocketFile(path.into()));
    listener.set_nonblocking(true)?;
    for listeners in lists {
        let listener = UnixListener::from_std(listener.try_clone()?);
        listeners.push(Listener(Kind::Unix(listener, file.clone())));
    }
    Ok(())
}

#[cfg(not(unix))]
fn bind_unix(_: &Path, _: &mut [Vec<Listener>]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
