//! An accept loop that goes on.

use std::{net::SocketAddr, time::Duration};
use tokio::net::{TcpListener, TcpStream};

/// Accepts a connection. If it cannot, for example for want of descriptors, it tries again a little later: that must end neither the
/// server nor the connections that are open.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => eprintln!("accept: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
