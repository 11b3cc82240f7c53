//! An echo server for `wss://`, with rustls beside the codec: `cargo run --bin rustls_server [ADDR]`
//!
//! TLS turns one stream of bytes into another, and the codec does not see it. The host manages the certificates (here, a
//! self-signed one for this run, which is printed for clients to trust), the provider of the cryptography, and the TLS
//! handshake, which needs a time limit, too. All replies to one read are written at once, and so share a TLS record.

use framewire_examples::accept;
use framewire_tokio::{Acceptor, Config};
use std::{env, error::Error, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (tls, acceptor) = (tls()?, Acceptor::new(Config::server()));
    let listener = TcpListener::bind(env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9005")).await?;
    println!("listening on wss://localhost:{}/", listener.local_addr()?.port());
    loop {
        let (stream, peer) = accept(&listener).await;
        let (tls, acceptor) = (tls.clone(), acceptor.clone());
        tokio::spawn(async move {
            if let Err(error) = serve(stream, tls, acceptor).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    acceptor: Acceptor,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = timeout(Duration::from_secs(10), tls.accept(stream)).await??;
    let mut socket = acceptor.accept(stream).await?;
    while let Some(message) = socket.recv().await {
        socket.feed(message?).await?;
    }
    Ok(())
}

fn tls() -> Result<TlsAcceptor, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    println!("{}", made.cert.pem());
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    // If HTTP/2 is offered, a browser takes it, and then asks for a WebSocket by RFC 8441: see hyper_upgrade.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
