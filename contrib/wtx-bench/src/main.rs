use framewire_tokio::{Acceptor, Config};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Without timers, as the other servers have none.
    let acceptor = Acceptor::new(Config::server().without_timers());
    let listener = TcpListener::bind("0.0.0.0:9000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        stream.set_quickack(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut socket) = acceptor.accept(stream).await else {
                return;
            };
            // It ends with the connection, and every send fails after a close.
            let _ = socket
                .serve_fn(|message, reply| {
                    let _ = reply.send(message);
                })
                .await;
        });
    }
}
