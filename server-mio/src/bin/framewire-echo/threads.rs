//! Several servers, each on a thread of its own.

use framewire_mio::{Handler, Server, StopHandle};
use std::{io, sync::Arc, thread};

/// All servers.
#[derive(Clone)]
pub(crate) struct StopAll(Arc<[StopHandle]>);

impl StopAll {
    pub(crate) fn new<H: Handler>(servers: &[Server<H>]) -> Self {
        Self(servers.iter().map(Server::stop_handle).collect())
    }

    pub(crate) fn handles(&self) -> &[StopHandle] {
        &self.0
    }

    fn stop(&self) {
        for handle in self.handles() {
            if let Err(error) = handle.stop() {
                log::error!("cannot stop a server: {error}");
            }
        }
    }
}

/// Runs the servers until they are stopped. If one ends by an error or a panic, all others are stopped: they say goodbye to their
/// peers before this returns.
///
/// # Errors
/// That error.
pub(crate) fn run<H: Handler + Send>(servers: Vec<Server<H>>, stop: &StopAll) -> io::Result<()> {
    let mut servers = servers.into_iter();
    // The first server runs on this thread; usually it is the only one.
    let Some(first) = servers.next() else { return Ok(()) };
    // The scope also waits for the others if the first one panics.
    thread::scope(|scope| {
        let mut others = Vec::new();
        for server in servers {
            let builder = thread::Builder::new();
            match builder.spawn_scoped(scope, move || serve(server, stop)) {
                Ok(thread) => others.push(thread),
                Err(error) => {
                    stop.stop();
                    return Err(error);
                }
            }
        }
        let mut outcome = serve(first, stop);
        for thread in others {
            let other = thread.join().unwrap_or_else(|_| Err(io::Error::other("a server panicked")));
            outcome = outcome.and(other);
        }
        outcome
    })
}

/// Runs one server. When it ends, also by an error or a panic, all others are stopped.
fn serve<H: Handler>(server: Server<H>, stop: &StopAll) -> io::Result<()> {
    struct StopOthers<'a>(&'a StopAll);

    impl Drop for StopOthers<'_> {
        fn drop(&mut self) {
            self.0.stop();
        }
    }

    let _at_the_end = StopOthers(stop);
    server.run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use framewire::Kind;
    use framewire_mio::{Config, Listener, Reply};
    use framewire_testing::peer::Client;
    use std::{borrow::Cow, num::NonZeroUsize, panic};

    /// Fails at a message.
    struct Fails;

    impl Handler for Fails {
        fn message<'b>(&mut self, _: Kind, payload: Cow<'b, [u8]>, _: Reply<'_, 'b>) {
            panic::resume_unwind(Box::new(payload.len())); // without a message on standard error
        }
    }

    /// One server fails, be it the first or another: the peers of the others get a close, and then the program learns of it.
    #[test]
    fn if_one_server_fails_the_others_stop_in_order() {
        for failing in 0..4 {
            let config = Arc::new(Config::default());
            let servers = NonZeroUsize::new(4).unwrap();
            let lists = Listener::bind(&["127.0.0.1:0".parse().unwrap()], servers, &config).unwrap();
            let new = |listeners| Server::new(Arc::clone(&config), listeners, Fails).unwrap();
            let servers: Vec<_> = lists.into_iter().map(new).collect();
            let (address, stop) = (servers[0].listeners()[0].to_string(), StopAll::new(&servers));
            let stats: Vec<_> = servers.iter().map(Server::stats).collect();
            let thread = thread::spawn(move || run(servers, &stop));
            // One after the other, so that it is known which server has which.
            let mut clients: Vec<(usize, Client)> = Vec::new();
            for _ in 0..16 {
                let before: Vec<u64> = stats.iter().map(|stats| stats.accepted.get()).collect();
                let client = Client::connect(&address);
                let is_new =
                    |(stats, before): (&Arc<framewire_mio::Stats>, &u64)| stats.accepted.get() > *before;
                clients.push((stats.iter().zip(&before).position(is_new).unwrap(), client));
            }
            let (theirs, mut others): (Vec<_>, Vec<_>) =
                clients.into_iter().partition(|(server, _)| *server == failing);
            let mut theirs = theirs.into_iter().map(|(_, client)| client);
            theirs.next().expect("connections are spread evenly").text("fail");
            for (_, client) in &mut others {
                client.expect_close(1001);
                client.send(&framewire_testing::peer::close(1001, ""));
                client.expect_end();
            }
            match thread.join() {
                Ok(outcome) => assert_eq!(outcome.unwrap_err().to_string(), "a server panicked"),
                Err(panic) => assert_eq!((failing, panic.downcast_ref()), (0, Some(&"fail".len()))),
            }
        }
    }
}
