//! SIGINT, SIGTERM and SIGQUIT: the first stops the servers, the second ends the process.

#[cfg(unix)]
pub(crate) use unix::{call_at_the_first, stop_at_the_first};

#[cfg(not(unix))]
pub(crate) use elsewhere::{call_at_the_first, stop_at_the_first};

#[cfg(unix)]
mod unix {
    use framewire_mio::StopHandle;
    use signal_hook::{consts::TERM_SIGNALS, flag, low_level::pipe};
    use std::{
        io::{self, Read},
        os::{fd::AsFd, unix::net::UnixStream},
        sync::{Arc, atomic::AtomicBool},
        thread,
    };

    /// Stops all servers at the first signal. A second one ends the process at once, with status 128 + the signal's number.
    ///
    /// The signal handler itself writes to the stop handles. A thread that waits for signals would make the process
    /// multi-threaded, and each system call of a server with one thread slower.
    pub(crate) fn stop_at_the_first(servers: &[StopHandle]) -> io::Result<()> {
        let armed = Arc::new(AtomicBool::new(false));
        for &signal in TERM_SIGNALS {
            for server in servers {
                pipe::register(signal, server.as_fd().try_clone_to_owned()?)?;
            }
            // In this order: the first signal finds the flag unset, and sets it.
            flag::register_conditional_shutdown(signal, 128 + signal, armed.clone())?;
            flag::register(signal, armed.clone())?;
        }
        Ok(())
    }

    /// Calls this on a thread of its own at the first signal. A second one ends the process at once.
    pub(crate) fn call_at_the_first(call: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (mut read, write) = UnixStream::pair()?;
        let armed = Arc::new(AtomicBool::new(false));
        for &signal in TERM_SIGNALS {
            pipe::register(signal, write.try_clone()?)?;
            flag::register_conditional_shutdown(signal, 128 + signal, armed.clone())?;
            flag::register(signal, armed.clone())?;
        }
        thread::Builder::new().name("signals".into()).spawn(move || {
            if read.read_exact(&mut [0]).is_ok() {
                call();
            }
        })?;
        Ok(())
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use framewire_mio::StopHandle;
    use std::io;

    /// Does nothing: Ctrl-C ends the process at once, as by default.
    pub(crate) fn stop_at_the_first(_: &[StopHandle]) -> io::Result<()> {
        Ok(())
    }

    /// The same.
    pub(crate) fn call_at_the_first(_: impl FnOnce() + Send + 'static) -> io::Result<()> {
        Ok(())
    }
}
