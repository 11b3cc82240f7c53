//! A race between the addresses of a host (RFC 8305, "Happy Eyeballs").

use super::error::Unreachable;
use std::{
    future::poll_fn,
    io, mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
    vec,
};
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep},
};

/// The time after which the next address is tried, too, although the last has not failed (RFC 8305 §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first of these addresses that accepts. The other attempts are dropped, as all are with the future.
pub(super) async fn dial(addresses: Vec<SocketAddr>) -> Result<TcpStream, Unreachable> {
    race(addresses, |address| async move {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    })
    .await
}

async fn race<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> Result<T, Unreachable>
where
    F: Future<Output = io::Result<T>>,
{
    let mut race = Race {
        connect,
        waiting: addresses.into_iter(),
        running: Vec::new(),
        failed: Vec::new(),
        delay: None,
    };
    poll_fn(|cx| race.poll(cx)).await
}

struct Race<C, F> {
    connect: C,
    waiting: vec::IntoIter<SocketAddr>,
    running: Vec<(SocketAddr, Pin<Box<F>>)>,
    failed: Vec<(SocketAddr, io::Error)>,
    /// Ends when the next address is tried, unless an attempt fails before.
    delay: Option<Pin<Box<Sleep>>>,
}

impl<C, F, T> Race<C, F>
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Unreachable>> {
        loop {
            let failed = self.failed.len();
            if let Poll::Ready(winner) = self.poll_running(cx) {
                return Poll::Ready(Ok(winner));
            }
            let is_due = self.running.is_empty()
                || self.failed.len() > failed
                || self.delay.as_mut().is_some_and(|delay| delay.as_mut().poll(cx).is_ready());
            if !is_due {
                return Poll::Pending;
            }
            let Some(address) = self.waiting.next() else {
                if self.running.is_empty() {
                    return Poll::Ready(Err(Unreachable::Tcp(mem::take(&mut self.failed))));
                }
                return Poll::Pending;
            };
            self.running.push((address, Box::pin((self.connect)(address))));
            // Without a further address, no timer is needed.
            self.delay = (self.waiting.len() > 0).then(|| Box::pin(sleep(ATTEMPT_DELAY)));
        }
    }

    /// Returns what the first attempt that succeeds gives, and collects the errors of those that fail.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let mut i = 0;
        while let Some((address, attempt)) = self.running.get_mut(i) {
            match attempt.as_mut().poll(cx) {
                Poll::Pending => i += 1,
                Poll::Ready(Ok(winner)) => return Poll::Ready(winner),
                Poll::Ready(Err(error)) => {
                    self.failed.push((*address, error));
                    self.running.remove(i);
                }
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPT_DELAY, race};
    use crate::connect::error::Unreachable;
    use std::{
        io,
        net::SocketAddr,
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tokio::time::{Instant, sleep};

    const SECOND: Duration = Duration::from_secs(1);

    /// What becomes of an attempt, and after how long.
    type Fate = (bool, Duration);

    /// Runs a race between addresses with these fates, by a clock that does not wait. Returns the place of the winner or the
    /// places of those that failed, and when each attempt began.
    async fn run(fates: &[Fate]) -> (Result<u16, Vec<u16>>, Vec<Duration>) {
        let addresses = (0..fates.len()).map(|i| SocketAddr::from(([127, 0, 0, 1], i as u16))).collect();
        let (start, begun) = (Instant::now(), Mutex::new(Vec::new()));
        let open = Arc::new(());
        let winner = race(addresses, |address| {
            begun.lock().unwrap().push(start.elapsed());
            let (connects, after) = fates[usize::from(address.port())];
            let open = open.clone();
            async move {
                let _open = open;
                sleep(after).await;
                if connects { Ok(address.port()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
            }
        })
        .await;
        assert_eq!(Arc::strong_count(&open), 1, "an attempt goes on");
        let winner = winner.map_err(|error| match error {
            Unreachable::Tcp(failed) => failed.iter().map(|(address, _)| address.port()).collect(),
            _ => unreachable!("only TCP is tried"),
        });
        (winner, begun.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_the_delay() {
        let (winner, begun) = run(&[(true, 60 * SECOND), (true, SECOND / 100)]).await;
        assert_eq!(winner, Ok(1));
        assert_eq!(begun, [Duration::ZERO, ATTEMPT_DELAY]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_at_once() {
        let soon = SECOND / 100;
        let (winner, begun) = run(&[(false, soon), (false, soon), (true, soon)]).await;
        assert_eq!(winner, Ok(2));
        assert_eq!(begun, [Duration::ZERO, soon, 2 * soon]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_may_still_win() {
        let (winner, begun) = run(&[(true, SECOND / 3), (true, SECOND), (true, SECOND)]).await;
        assert_eq!(winner, Ok(0));
        assert_eq!(begun, [Duration::ZERO, ATTEMPT_DELAY]);
    }

    #[tokio::test(start_paused = true)]
    async fn all_errors_are_kept() {
        let (winner, begun) = run(&[(false, SECOND), (false, SECOND / 100), (false, 2 * SECOND)]).await;
        assert_eq!(winner, Err(vec![1, 0, 2]));
        assert_eq!(begun, [Duration::ZERO, ATTEMPT_DELAY, ATTEMPT_DELAY + SECOND / 100]);
    }
}
