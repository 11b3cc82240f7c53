//! SIGINT and SIGTERM: the first asks every loop to finish, the second ends the process.

#[cfg(unix)]
pub use unix::{Signals, exit_at_the_second};

#[cfg(not(unix))]
pub use elsewhere::{Signals, exit_at_the_second};

#[cfg(unix)]
mod unix {
    use mio::{Interest, Registry, Token, event::Source, net::UnixStream};
    use signal_hook::{consts::TERM_SIGNALS, flag, low_level::pipe};
    use std::{
        io,
        os::unix::net,
        sync::{Arc, atomic::AtomicBool},
    };

    /// A pipe that becomes readable when a signal has come: one for each loop, so that each hears of it.
    #[derive(Debug)]
    pub struct Signals(UnixStream);

    impl Signals {
        pub fn new() -> io::Result<Self> {
            let (read, write) = net::UnixStream::pair()?;
            read.set_nonblocking(true)?;
            write.set_nonblocking(true)?;
            for &signal in TERM_SIGNALS {
                pipe::register(signal, write.try_clone()?)?;
            }
            Ok(Self(UnixStream::from_std(read)))
        }

        pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
            self.0.register(registry, token, Interest::READABLE)
        }
    }

    /// Lets a second signal end the process at once, with the status that a shell expects.
    pub fn exit_at_the_second() -> io::Result<()> {
        let armed = Arc::new(AtomicBool::new(false));
        for &signal in TERM_SIGNALS {
            // In this order: the first signal finds the flag down, and raises it.
            flag::register_conditional_shutdown(signal, 128 + signal, armed.clone())?;
            flag::register(signal, armed.clone())?;
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use mio::{Registry, Token};
    use std::io;

    /// Elsewhere Ctrl-C ends the process, as it does by default.
    #[derive(Debug)]
    pub struct Signals;

    impl Signals {
        pub fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub fn register(&mut self, _: &Registry, _: Token) -> io::Result<()> {
            Ok(())
        }
    }

    pub fn exit_at_the_second() -> io::Result<()> {
        Ok(())
    }
}
