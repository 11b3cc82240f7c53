//! Addresses and listening sockets.

#[cfg(feature = "tls")]
use crate::tls::TlsConfig;
use crate::{
    config::Config,
    spread::Place,
    transport::{Accepted, Socket},
};
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

/// An address to listen on. Parses from `HOST:PORT`, `[IPV6]:PORT`, `PORT` (of 127.0.0.1), or the path of a Unix socket,
/// which must have a `/` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`, not resolved: a name may have several addresses.
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
                Err("Unix sockets need Unix".into())
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
pub struct Listener {
    kind: Kind,
    /// That of its server, if there are several.
    place: Option<Place<Accepted<Socket>>>,
    #[cfg(feature = "tls")]
    tls: Option<TlsConfig>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, Arc<SocketFile>),
}

/// The outbox gathers replies, so the kernel need not wait for more (`TCP_NODELAY`). Whether accepted sockets inherit that from
/// their listener, so that it takes no call for each.
const INHERITS_NODELAY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The file of a Unix socket. It is removed when the last of its listeners is dropped, unless another one has taken its place.
#[cfg(unix)]
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: Option<(u64, u64)>,
}

#[cfg(unix)]
impl SocketFile {
    fn new(path: &Path) -> Self {
        Self { path: path.into(), id: Self::id(path) }
    }

    fn id(path: &Path) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.id.is_some() && self.id == Self::id(&self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Listener {
    /// Binds every address once for each of `servers` servers, and returns a list of listeners for each of them. The kernel
    /// spreads the connections of a TCP address over the servers (`SO_REUSEPORT`). All servers accept from the same Unix
    /// socket. A server that runs and has more connections than another passes on what it accepts.
    ///
    /// If a name has several addresses, all are bound. A Unix socket that a killed server left behind is replaced.
    ///
    /// # Errors
    /// Those of resolving, binding and listening; their text names the address.
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
        if servers.get() > 1 {
            for (listeners, place) in lists.iter_mut().zip(Place::all(servers.get())) {
                listeners.iter_mut().for_each(|listener| listener.place = Some(place.clone()));
            }
        }
        Ok(lists)
    }

    /// The place of its server among several.
    pub(crate) fn place(&self) -> Option<Place<Accepted<Socket>>> {
        self.place.clone()
    }

    /// Makes all connections that it accepts use TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether the connections that it accepts use TLS.
    #[must_use]
    pub const fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// The address of a TCP socket; port 0 is replaced by the port that the kernel chose. `None` for a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Kind::Unix(..) => None,
        }
    }

    /// Accepts the next connection.
    pub(crate) fn accept(&self) -> io::Result<Accepted<Socket>> {
        let socket = self.accept_socket()?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Accepted::Tls(Box::new(tls.accept(socket)?)));
        }
        Ok(Accepted::Plain(socket))
    }

    fn accept_socket(&self) -> io::Result<Socket> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (socket, _) = listener.accept()?;
                if !INHERITS_NODELAY {
                    // This fails if the peer has gone, which the first read reports, too.
                    let _ = socket.set_nodelay(true);
                }
                Ok(Socket::Tcp(socket, false))
            }
            #[cfg(unix)]
            Kind::Unix(listener, _) => Ok(Socket::Unix(listener.accept()?.0, false)),
        }
    }

    /// The socket, for the poll.
    pub(crate) fn source(&mut self) -> &mut dyn Source {
        match &mut self.kind {
            Kind::Tcp(listener) => listener,
            #[cfg(unix)]
            Kind::Unix(listener, _) => listener,
        }
    }
}

impl From<Kind> for Listener {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            place: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// The address or path.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("?"),
            },
            #[cfg(unix)]
            Kind::Unix(_, file) => write!(f, "{}", file.path.display()),
        }
    }
}

/// Binds one socket for each server.
fn bind_tcp(mut address: SocketAddr, config: &Config, lists: &mut [Vec<Listener>]) -> io::Result<()> {
    let several = lists.len() > 1;
    for listeners in lists {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        #[cfg(unix)]
        {
            // Allows a port whose last connections are in TIME_WAIT. (On Windows the option means something else.)
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
        // Accepted sockets inherit these. They are set before listening, so that they also determine TCP's window scale.
        if let Some(bytes) = config.socket_receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = config.socket_send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if INHERITS_NODELAY {
            socket.set_tcp_nodelay(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        let listener = TcpListener::from_std(socket.into());
        address = listener.local_addr()?; // for the next server, if the port was 0
        listeners.push(Kind::Tcp(listener).into());
    }
    Ok(())
}

/// Binds one socket, from which all servers accept.
#[cfg(unix)]
fn bind_unix(path: &Path, lists: &mut [Vec<Listener>]) -> io::Result<()> {
    use std::os::unix::{fs::FileTypeExt, net};

    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && net::UnixStream::connect(path).is_err_and(refused) {
        std::fs::remove_file(path)?; // left by a server that was killed
    }
    let listener = net::UnixListener::bind(path)?;
    let file = Arc::new(SocketFile::new(path));
    listener.set_nonblocking(true)?;
    for listeners in lists {
        let listener = UnixListener::from_std(listener.try_clone()?);
        listeners.push(Kind::Unix(listener, file.clone()).into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn bind_unix(_: &Path, _: &mut [Vec<Listener>]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
