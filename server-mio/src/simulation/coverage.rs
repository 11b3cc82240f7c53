//! Counts the faults and the paths that a simulation has met.

use std::fmt;

/// How often each [`Met`] was met.
#[derive(Clone)]
pub(super) struct Coverage([u64; NAMES.len()]);

macro_rules! met {
    ($($name:ident,)*) => {
        /// A fault of the kernel, a deed of a client, or a path of the server.
        #[derive(Clone, Copy, Debug)]
        pub(super) enum Met { $($name,)* }

        const NAMES: &[&str] = &[$(stringify!($name),)*];
    };
}

met! {
    // The kernel: reads, writes, events, the clock, accepting.
    ReadEndsEarly, CutByDescriptor, CutByUrgentData, ShortWrite, FullBuffer, InterruptedWrite, NoBuffersToWrite,
    HeldBack, LateEvent, MergedEvent, StaleEvent, FullBatch, ClockJump,
    NoDescriptors, NoBuffersToAccept, AbortedAccept, InterruptedAccept, FailedRegistration,
    // Resets, by the phase of the session.
    ResetInHandshake, ResetInOpen, ResetInClosing, ResetInDraining, ResetInShut, ResetInEnded, ResetInLine, ResetInWork,
    ResetInPause,
    // What a peer has got.
    Echo, CompressedEcho, LargeEcho, Pong, PongAfterClose, CloseAnswered, HalfClosedServed, Response,
    ProtocolError, BadText, TooBig, BadDeflate,
    // Paths of the server.
    Paused, Resumed, Again, Working, Heavy, Line, Called, Rest, PausedPart, ReplyInSteps, SentPing, SweepPostponed,
    TakenOver, ClosedAtOnce, ClosedAtOnceBeforeNoise, ClosedOnNoise,
    TimeoutOfHandshake, TimeoutOfPong, TimeoutOfClose, LongestClose, TimeoutOfMessage, Stopped, StoppedByDeadline,
}

impl Coverage {
    pub(super) const fn new() -> Self {
        Self([0; NAMES.len()])
    }

    pub(super) fn add(&mut self, met: Met) {
        self.0[met as usize] += 1;
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, more)| *sum += more);
    }

    /// The names of what was never met.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        NAMES.iter().zip(self.0).filter(|(_, count)| *count == 0).map(|(name, _)| *name).collect()
    }
}

/// One line: each name with its count.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, count)) in NAMES.iter().zip(self.0).enumerate() {
            write!(f, "{}{name} {count}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
