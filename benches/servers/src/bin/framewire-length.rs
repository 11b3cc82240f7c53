//! The server of framewire-echo with another handler: it answers each message with its length and its last byte. The
//! difference shows how much of a figure is true of echoes only.

use clap::Parser;
use framewire::Kind;
use framewire_mio::{Address, Config, Handler, Reply, Server};
use std::{borrow::Cow, io};

struct Length;

impl Handler for Length {
    #[inline]
    fn message<'b>(&mut self, _: Kind, payload: Cow<'b, [u8]>, mut reply: Reply<'_, 'b>) {
        let text = format!("{} {}", payload.len(), payload.last().copied().unwrap_or(0));
        // Refused only if a close was sent already: then the peer does not wait for an answer.
        let _ = reply.send(Kind::Text, text.into_bytes().into());
    }
}

/// Answers each message with its length and the value of its last byte.
#[derive(Parser)]
struct Options {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
    listen: Address,
}

fn main() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let server = Server::bind(&[Options::parse().listen], Config::default(), Length)?;
    println!("listening on ws://{}/", server.listeners()[0]);
    server.run()
}
