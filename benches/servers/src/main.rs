//! Echo servers on other WebSocket libraries, and on framewire-tokio and framewire-axum, each as its authors write one for speed: a
//! thread (tokio's, if the library is built for tokio), TCP_NODELAY, messages of up to 64 MiB, and no compression unless asked for.
//! If a library can gather replies, the replies to all received messages leave with one write.

mod axum;
mod fastwebsockets;
mod framewire_tokio;
mod handshake;
mod sockudo_ws;
mod tokio_bare;
mod tokio_tungstenite;
mod tokio_websockets;
mod web_socket;
mod wtx;
mod yawc;

use clap::{Parser, ValueEnum};
use std::{error::Error, io, io::Write};
use tokio::net::{TcpListener, TcpStream};

/// An echo server on another library. It listens on a free port of the loopback interface, and prints the address.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The library.
    #[arg(value_enum)]
    library: Library,

    /// The reply to a message.
    #[arg(long, value_enum, default_value_t = Handler::Echo)]
    handler: Handler,

    /// Compress at this level, 1 to 9, for clients that offer permessage-deflate. Not all libraries can.
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=9))]
    compression: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Library {
    Axum,
    Fastwebsockets,
    FramewireAxum,
    FramewireTokio,
    FramewireTokioServe,
    SockudoWs,
    TokioBare,
    TokioTungstenite,
    TokioWebsockets,
    WebSocket,
    Wtx,
    Yawc,
}

/// The reply to a message: the message itself, or a text with its number of bytes and the value of the last one.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Handler {
    Echo,
    Length,
}

impl Handler {
    fn length(payload: &[u8]) -> String {
        format!("{} {}", payload.len(), payload.last().copied().unwrap_or(0))
    }
}

/// The largest message.
const MAX: usize = 64 << 20;

/// Shorter messages are not compressed, if the library can be told so: as in framewire-echo.
const MIN_COMPRESSED: usize = 64;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> io::Result<()> {
    let Options { library, handler, compression: level } = Options::parse();
    if level.is_some()
        && !matches!(
            library,
            Library::FramewireTokio
                | Library::FramewireTokioServe
                | Library::SockudoWs
                | Library::Wtx
                | Library::Yawc
        )
    {
        return Err(io::Error::other(format!("{library:?} cannot compress")));
    }
    rlimit::increase_nofile_limit(u64::MAX)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match library {
        Library::Axum => runtime.block_on(axum::listen(axum::on_its_own(handler))),
        Library::Fastwebsockets => runtime.block_on(listen(move |s| fastwebsockets::serve(s, handler))),
        Library::FramewireAxum => {
            let acceptor = framewire_tokio::acceptor(None);
            runtime.block_on(axum::listen(axum::on_framewire(acceptor, handler)))
        }
        Library::FramewireTokio => {
            let acceptor = framewire_tokio::acceptor(level);
            runtime.block_on(listen(move |s| framewire_tokio::owned(acceptor.clone(), s, handler)))
        }
        Library::FramewireTokioServe => {
            let acceptor = framewire_tokio::acceptor(level);
            runtime.block_on(listen(move |s| framewire_tokio::lent(acceptor.clone(), s, handler)))
        }
        Library::SockudoWs => runtime.block_on(listen(move |s| sockudo_ws::serve(s, handler, level))),
        Library::TokioBare => runtime.block_on(listen(tokio_bare::serve)),
        Library::TokioTungstenite => runtime.block_on(listen(move |s| tokio_tungstenite::serve(s, handler))),
        Library::TokioWebsockets => runtime.block_on(listen(move |s| tokio_websockets::serve(s, handler))),
        Library::WebSocket => runtime.block_on(listen(move |s| web_socket::serve(s, handler))),
        Library::Wtx => runtime.block_on(listen(move |s| wtx::serve(s, handler, level))),
        Library::Yawc => runtime.block_on(listen(move |s| yawc::serve(s, handler, level))),
    }
}

/// A task for each connection, outside of tokio's budgets, which would make a busy connection yield although no other waits.
async fn listen<F: Future<Output = Outcome> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F,
) -> io::Result<()> {
    let listener = bind().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = serve(stream);
        tokio::spawn(tokio::task::unconstrained(async move {
            // A client may leave at any time.
            let _ = connection.await;
        }));
    }
}

async fn bind() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    io::stdout().flush()?;
    Ok(listener)
}
