//! Whether the server had a reason to close a connection's socket.

use super::{
    connection::Connection,
    coverage::Met,
    track::{CLOSE_TIMEOUTS, Track},
};
use crate::{
    config::Config,
    session::{Phase, Queue},
};
use std::time::Duration;

/// Whether the peer may miss something because of it, and what was met. An error if there was no reason.
pub(super) fn of(
    connection: &Connection,
    track: &Track,
    now: Duration,
    config: &Config,
    stopping: bool,
) -> Result<(bool, Option<Met>), String> {
    if connection.taken {
        return Ok((true, Some(Met::TakenOver)));
    }
    // Then the peer itself checks that it misses nothing.
    let clean = (false, Some(Met::ClosedAtOnce));
    let Some(view) = track.view else {
        if connection.closes_cleanly() {
            return Ok(clean);
        }
        // It lasted for less than a turn, or was never registered.
        let reason = connection.seen.error || connection.seen.end || stopping || connection.reset;
        return if reason { Ok((true, None)) } else { Err("a new connection is dropped".into()) };
    };
    if connection.seen.error {
        let met = match view.phase {
            _ if view.paused => Met::ResetInPause,
            Phase::Open if view.queue == Queue::Line => Met::ResetInLine,
            Phase::Open if matches!(view.queue, Queue::Working | Queue::Heavy) => Met::ResetInWork,
            Phase::Securing | Phase::Handshake => Met::ResetInHandshake,
            Phase::Open => Met::ResetInOpen,
            Phase::Closing => Met::ResetInClosing,
            Phase::Draining => Met::ResetInDraining,
            Phase::Shut => Met::ResetInShut,
            Phase::Ended => Met::ResetInEnded,
            Phase::Taken => return Err("a session outlives its turn although it was taken over".into()),
        };
        return Ok((true, connection.reset.then_some(met)));
    }
    if stopping && view.phase == Phase::Handshake {
        return Ok((true, None));
    }
    let is_over = |since: Duration, timeout: u32| now - since >= Duration::from_secs(timeout.into());
    let life = track.life.max(connection.seen.read).max(connection.seen.written);
    if view.phase == Phase::Open && view.pinged && is_over(life, config.pong_timeout) && !connection.seen.end
    {
        return Ok((true, Some(Met::TimeoutOfPong)));
    }
    let mut since = track.closing.max(track.draining).max(track.flushed).max(track.replied).unwrap_or(now);
    if view.backlog > 0 {
        // Bytes that the peer took are room for others.
        since = since.max(connection.seen.taken);
    }
    if view.phase > Phase::Open && is_over(since, config.close_timeout) {
        return Ok((true, Some(Met::TimeoutOfClose)));
    }
    if track.backlog.is_some_and(|since| is_over(since, CLOSE_TIMEOUTS * config.close_timeout)) {
        return Ok((true, Some(Met::LongestClose)));
    }
    if view.phase <= Phase::Closing && connection.closes_cleanly() {
        return Ok(clean);
    }
    if connection.seen.end {
        return Ok((false, None)); // the peer itself checks that it misses nothing
    }
    Err("the server drops a peer too early".into())
}
