//! The opening handshake of a server (RFC 6455 §4.2).

use crate::{config::Config, receive::poll_read, tracker::Tracker, websocket::WebSocket};
use framewire::handshake::{
    BuildError, HandshakeError, HeadBuffer, HeadLimits, HeaderSlots, PlainResponse, Request, Upgrade,
    UpgradeResponse,
};
use std::{fmt, future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Does the opening handshake on streams that were accepted. A clone shares all there is.
#[derive(Clone)]
pub struct Acceptor {
    pub(crate) config: Arc<Config>,
    tracker: Option<Tracker>,
    pages: Option<Arc<Pages>>,
}

/// Answers requests that do not ask for a WebSocket.
type Pages = dyn Fn(&Request<'_, '_>) -> Option<Refusal> + Send + Sync;

impl Acceptor {
    /// An acceptor whose connections have this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            #[cfg(feature = "deflate")]
            config: config.with_pools(),
            #[cfg(not(feature = "deflate"))]
            config: Arc::new(config),
            tracker: None,
            pages: None,
        }
    }

    /// Lets this tracker know all connections.
    #[must_use]
    pub fn tracked_by(self, tracker: &Tracker) -> Self {
        Self { tracker: Some(tracker.clone()), ..self }
    }

    /// Answers requests that do not ask for a WebSocket, for example health checks. If there is no answer, they get a 426, as
    /// without this. [`accept`](Self::accept) returns [`AcceptError::Refused`] for either kind of answer.
    ///
    /// ```
    /// use framewire_tokio::{Acceptor, Config, Refusal};
    ///
    /// let acceptor = Acceptor::new(Config::server())
    ///     .pages(|request| (request.path() == "/health").then(|| Refusal::new(200).body("It runs.\n")));
    /// ```
    #[must_use]
    pub fn pages<F>(self, pages: F) -> Self
    where
        F: Fn(&Request<'_, '_>) -> Option<Refusal> + Send + Sync + 'static,
    {
        Self { pages: Some(Arc::new(pages)), ..self }
    }

    /// Reads the request, and accepts it unless its origin or the request itself is wrong. A refusal has been answered when this
    /// returns.
    ///
    /// # Errors
    /// See [`AcceptError`].
    ///
    /// # Cancel safety
    /// Not cancel safe: the handshake cannot be continued.
    pub async fn accept<S>(&self, stream: S) -> Result<WebSocket<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.accept_with(stream, |_| Ok(Answer::default())).await
    }

    /// Reads the request, and accepts it if `decide` says so, for example by its path, a cookie or a token. It is called after the
    /// request and its origin were found right.
    ///
    /// ```
    /// use framewire_tokio::{AcceptError, Acceptor, Answer, Refusal, WebSocket};
    /// use tokio::net::TcpStream;
    ///
    /// async fn accept(acceptor: &Acceptor, stream: TcpStream) -> Result<(WebSocket<TcpStream>, String), AcceptError> {
    ///     let mut room = String::new();
    ///     let socket = acceptor
    ///         .accept_with(stream, |request| match request.path().strip_prefix("/rooms/") {
    ///             Some(name) => {
    ///                 room = name.to_owned();
    ///                 Ok(Answer::default().header("X-Room", name))
    ///             }
    ///             None => Err(Refusal::new(404)),
    ///         })
    ///         .await?;
    ///     Ok((socket, room))
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`AcceptError`].
    ///
    /// # Cancel safety
    /// Not cancel safe: the handshake cannot be continued.
    pub async fn accept_with<S, F>(&self, mut stream: S, decide: F) -> Result<WebSocket<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: FnOnce(&Upgrade<'_, '_>) -> Result<Answer, Refusal>,
    {
        let (timeout, mut answered) = (self.config.handshake_timeout, false);
        let handshake = in_time(timeout, self.handshake(&mut stream, &mut answered, decide)).await;
        let Some(done) = handshake else {
            if !answered {
                refuse_late(&mut stream).await;
            }
            return Err(AcceptError::Timeout);
        };
        let (agreed, rest) = done?;
        Ok(self.open(stream, &rest, agreed))
    }

    /// Reads the request, and writes the answer; `answered` is true once it tries to. Returns also the bytes that were read after
    /// the request.
    async fn handshake<S, F>(
        &self,
        stream: &mut S,
        answered: &mut bool,
        decide: F,
    ) -> Result<(Agreed, Vec<u8>), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: FnOnce(&Upgrade<'_, '_>) -> Result<Answer, Refusal>,
    {
        let (head, rest) = read_head(stream, &[]).await?.ok_or(AcceptError::NoRequest)?;
        let reply = match head {
            Ok(head) => self.reply(&head, decide),
            Err(error) => Reply::from(Denied::from(error), false),
        };
        *answered = true;
        stream.write_all(&reply.bytes).await?;
        stream.flush().await?;
        match reply.outcome {
            Ok(agreed) => Ok((agreed, rest)),
            Err(error) => {
                #[cfg(feature = "tracing")]
                tracing::debug!(%error, "a handshake was refused");
                let _ = stream.shutdown().await; // the peer may be gone
                discard(stream).await;
                Err(error)
            }
        }
    }

    fn reply(&self, head: &[u8], decide: impl FnOnce(&Upgrade<'_, '_>) -> Result<Answer, Refusal>) -> Reply {
        let mut slots = HeaderSlots::<64>::new();
        let request = match Request::parse(head, &mut slots) {
            Ok(request) => request,
            Err(error) => return Reply::from(error.into(), false),
        };
        let outcome = match request.upgrade() {
            Ok(Some(upgrade)) => self.decide(&upgrade, decide, |response| response.to_vec()),
            Ok(None) => {
                let page = self.pages.as_ref().and_then(|pages| pages(&request));
                Err(page.map_or(Denied::Handshake(HandshakeError::NotUpgrade), Denied::Refused))
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok((bytes, agreed)) => Reply { bytes, outcome: Ok(agreed) },
            // The response to a HEAD has no body (RFC 9110 §9.3.2).
            Err(denied) => Reply::from(denied, request.method() == "HEAD"),
        }
    }

    /// Decides about a request that asks for a WebSocket. `write` makes the response that opens it.
    pub(crate) fn decide<T>(
        &self,
        upgrade: &Upgrade<'_, '_>,
        decide: impl FnOnce(&Upgrade<'_, '_>) -> Result<Answer, Refusal>,
        write: impl FnOnce(&UpgradeResponse<'_>) -> Result<T, BuildError>,
    ) -> Result<(T, Agreed), Denied> {
        self.check_origin(upgrade)?;
        let answer = decide(upgrade).map_err(Denied::Refused)?;
        let ours = &self.config.subprotocols;
        let first = || ours.iter().find(|ours| upgrade.subprotocols().any(|theirs| theirs == *ours));
        let subprotocol = answer.subprotocol.as_ref().or_else(first).map(String::as_str);
        let headers: Vec<_> = answer.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        #[cfg(feature = "deflate")]
        let (deflate, pools) = self
            .config
            .pools
            .as_ref()
            .and_then(|shared| {
                shared.agree(upgrade).map(|(response, deflate)| (response, (deflate, shared.clone())))
            })
            .unzip();
        #[cfg(not(feature = "deflate"))]
        let deflate: Option<framewire::extension::DeflateResponse> = None;
        let response = upgrade.accept().subprotocol(subprotocol).deflate(deflate).extra_headers(&headers);
        let agreed = Agreed {
            subprotocol: subprotocol.map(Into::into),
            #[cfg(feature = "deflate")]
            deflate: pools,
        };
        Ok((write(&response)?, agreed))
    }

    fn check_origin(&self, upgrade: &Upgrade<'_, '_>) -> Result<(), HandshakeError> {
        let origins = &self.config.origins;
        match upgrade.origin() {
            Some(origin)
                if !origins.is_empty() && !origins.iter().any(|ours| ours.eq_ignore_ascii_case(origin)) =>
            {
                Err(HandshakeError::OriginForbidden)
            }
            _ => Ok(()),
        }
    }

    /// The connection, once the answer is sent. `rest` is the bytes that were read after the request.
    pub(crate) fn open<S>(&self, stream: S, rest: &[u8], agreed: Agreed) -> WebSocket<S> {
        let mut socket = WebSocket::from_upgraded(stream, rest, self.config.clone());
        socket.subprotocol = agreed.subprotocol;
        #[cfg(feature = "deflate")]
        if let Some((deflate, shared)) = agreed.deflate {
            socket = socket.with_deflate(&shared, deflate);
        }
        if let Some(tracker) = &self.tracker {
            tracker.track(&mut socket);
        }
        socket
    }
}

/// The most bytes that are read behind a request that is refused.
const DISCARDED: usize = 64 << 10;

/// What a handshake has agreed on.
#[derive(Default)]
pub(crate) struct Agreed {
    pub(crate) subprotocol: Option<Box<str>>,
    #[cfg(feature = "deflate")]
    deflate: Option<(Box<crate::deflate::Deflate<framewire::Server>>, Arc<crate::deflate::Shared>)>,
}

/// What a server adds to its answer.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Answer {
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
}

impl Answer {
    /// Chooses a subprotocol, which the client must have asked for. Otherwise the first of [`Config::subprotocols`] for which the
    /// client asked is chosen.
    pub fn subprotocol(self, subprotocol: impl Into<String>) -> Self {
        Self { subprotocol: Some(subprotocol.into()), ..self }
    }

    /// Adds a header, for example a cookie.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// An answer that refuses a request, or answers one that does not ask for a WebSocket: [`Acceptor::pages`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Refusal {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Refusal {
    /// A refusal with this status, 200 to 599 except those without a body (204, 205, 304). Its body is the meaning of the status.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// Adds a header, for example `Location` or `WWW-Authenticate`. A `Content-Type` replaces `text/plain; charset=utf-8`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Replaces the body.
    pub fn body(self, body: impl Into<String>) -> Self {
        Self { body: Some(body.into()), ..self }
    }
}

/// Why a request is refused.
pub(crate) enum Denied {
    Handshake(HandshakeError),
    Refused(Refusal),
    Answer(BuildError),
}

impl Denied {
    /// The response, as `write` makes it, and the error for the program.
    pub(crate) fn respond<T>(
        self,
        head_only: bool,
        write: impl Fn(&PlainResponse<'_>) -> Result<T, BuildError>,
    ) -> (Result<T, BuildError>, AcceptError) {
        match self {
            Self::Handshake(error) => {
                (write(&PlainResponse::from(error).head_only(head_only)), AcceptError::Handshake(error))
            }
            Self::Refused(Refusal { status, headers, body }) => {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
                let response = PlainResponse::new(status).extra_headers(&headers).head_only(head_only);
                match write(&body.as_deref().map_or(response, |body| response.body(body))) {
                    Ok(written) => (Ok(written), AcceptError::Refused(status)),
                    Err(error) => Self::Answer(error).respond(head_only, write),
                }
            }
            Self::Answer(error) => (write(&PlainResponse::from(error)), AcceptError::Answer(error)),
        }
    }
}

impl From<HandshakeError> for Denied {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<BuildError> for Denied {
    fn from(error: BuildError) -> Self {
        Self::Answer(error)
    }
}

/// The bytes of an answer.
struct Reply {
    bytes: Vec<u8>,
    outcome: Result<Agreed, AcceptError>,
}

impl Reply {
    fn from(denied: Denied, head_only: bool) -> Self {
        let (bytes, error) = denied.respond(head_only, |response| response.to_vec());
        Self { bytes: bytes.unwrap_or_default(), outcome: Err(error) }
    }
}

/// Why a stream did not become a WebSocket. If there was a request, it has been answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The transport failed.
    Io(io::Error),
    /// The peer closed the stream before a whole request had arrived.
    NoRequest,
    /// The request is wrong, or does not ask for a WebSocket.
    Handshake(HandshakeError),
    /// The program answered the request with this status.
    Refused(u16),
    /// The program's own answer may not be sent. The peer got a 500.
    Answer(BuildError),
    /// The handshake took longer than [`Config::handshake_timeout`]. If no answer had begun, the peer gets a 408, as far
    /// as the stream takes it at once.
    Timeout,
    /// The HTTP stack cannot pass the connection on: the request has no upgrade, or it was taken already.
    #[cfg(feature = "hyper")]
    #[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
    NotUpgradable,
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the transport failed: {error}"),
            Self::NoRequest => f.write_str("the peer sent no request"),
            Self::Handshake(error) => write!(f, "the request is wrong: {error}"),
            Self::Refused(status) => write!(f, "the request was answered with {status}"),
            Self::Answer(error) => write!(f, "the answer may not be sent: {error}"),
            Self::Timeout => f.write_str("the handshake took too long"),
            #[cfg(feature = "hyper")]
            Self::NotUpgradable => f.write_str("the HTTP stack cannot pass the connection on"),
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::Answer(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("config", &self.config)
            .field("tracker", &self.tracker)
            .finish_non_exhaustive()
    }
}

/// Reads a head, and the bytes that came with its end; `None` if the stream ends before it. `rest` is what came with the end of
/// the head before.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    rest: &[u8],
) -> io::Result<Option<(Result<Vec<u8>, HandshakeError>, Vec<u8>)>> {
    let mut buffer = HeadBuffer::new(HeadLimits::default());
    let mut read = vec![0; 4 << 10];
    let mut n = rest.len(); // at most as much as one read
    read[..n].copy_from_slice(rest);
    loop {
        if n == 0 {
            n = stream.read(&mut read).await?;
        }
        if n == 0 {
            return Ok(None);
        }
        match buffer.push(&read[..n]) {
            Ok(None) => n = 0,
            Ok(Some(head)) => return Ok(Some((Ok(head.bytes.to_vec()), read[head.consumed..n].to_vec()))),
            Err(error) => return Ok(Some((Err(error), Vec::new()))),
        }
    }
}

/// Answers with a 408, without waiting: the peer has had its time.
async fn refuse_late<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let answer = PlainResponse::new(408).to_vec().unwrap_or_default();
    let mut writer = Pin::new(&mut *stream);
    poll_fn(|cx| {
        let written = writer.as_mut().poll_write(cx, &answer);
        if written.is_ready() && writer.as_mut().poll_flush(cx).is_ready() {
            let _ = writer.as_mut().poll_shutdown(cx); // the peer may be gone
        }
        Poll::Ready(())
    })
    .await;
    discard(stream).await;
}

/// Reads what has arrived, without waiting for more: closing a socket with unread bytes would reset the connection, and the peer
/// might lose the answer.
async fn discard<S: AsyncRead + Unpin>(stream: &mut S) {
    let (mut buffer, mut left) = (vec![0; 4 << 10], DISCARDED); // not in the future, which may live as long as the connection
    poll_fn(|cx| {
        while let Poll::Ready(Ok(n @ 1..)) = poll_read(stream, cx, &mut buffer) {
            left = left.saturating_sub(n);
            if left == 0 {
                break;
            }
        }
        Poll::Ready(())
    })
    .await
}

/// `None` if the time is up. Without a timeout, the runtime needs no timer.
///
/// The work has memory of its own, which is freed when it is done: the caller may be the task that serves the connection, and would
/// keep room for the work until the end.
pub(crate) fn in_time<T>(
    timeout: Option<Duration>,
    work: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    let work = Box::pin(work);
    async move {
        match timeout {
            Some(timeout) => tokio::time::timeout(timeout, work).await.ok(),
            None => Some(work.await),
        }
    }
}
