//! `tokio-tungstenite-tls CERT KEY`: an echo server on tokio-tungstenite over tokio-rustls with ring, as its authors write one for
//! speed: on one thread, with TCP_NODELAY, and one write for the replies to all received messages.

use futures_util::{FutureExt, SinkExt, StreamExt};
use std::{env, error::Error, io::Write, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};
use tokio_tungstenite::{accept_async_with_config, tungstenite::protocol::WebSocketConfig};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let [certificate, key] = &env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("usage: tokio-tungstenite-tls CERT KEY".into());
    };
    let certificates = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1; // as framewire-echo
    let acceptor = TlsAcceptor::from(Arc::new(config));
    rlimit::increase_nofile_limit(u64::MAX)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on wss://{}/", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = serve(acceptor.clone(), stream);
            tokio::spawn(tokio::task::unconstrained(async move {
                let _ = connection.await; // a client may leave at any time
            }));
        }
    })
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> Outcome {
    let config = WebSocketConfig::default().read_buffer_size(16 << 10);
    let mut ws = accept_async_with_config(acceptor.accept(stream).await?, Some(config)).await?;
    while let Some(message) = ws.next().await {
        let mut message = message?;
        loop {
            if message.is_text() || message.is_binary() {
                ws.feed(message).await?;
            }
            match ws.next().now_or_never() {
                Some(Some(next)) => message = next?,
                Some(None) => return Ok(()),
                None => break,
            }
        }
        ws.flush().await?;
    }
    Ok(())
}
