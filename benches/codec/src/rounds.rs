//! Contenders take turns, so that other work on the machine affects all of them alike.

use crate::work::{Case, Part};
use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The number of rounds.
    pub rounds: usize,
    /// The length of a turn, which is at least one pass.
    pub turn: Duration,
}

impl Default for Effort {
    fn default() -> Self {
        Self { rounds: 30, turn: Duration::from_millis(1) }
    }
}

/// The measurements of a case.
pub struct Measured {
    /// As [`Case::name`].
    pub case: String,
    /// Mean payload of a message, in bytes.
    pub bytes: f64,
    /// In the order of the contenders.
    pub timings: Vec<Timing>,
}

/// The measurements of a contender, in ns a message.
pub struct Timing {
    /// As [`Contender::name`](crate::work::Contender::name).
    pub name: String,
    /// Its part in the comparison.
    pub part: Part,
    /// The fastest pass.
    pub min: f64,
    /// The median of all passes.
    pub median: f64,
}

impl Measured {
    /// The contender with this part, of which there is one.
    pub fn one(&self, part: Part) -> Option<&Timing> {
        self.timings.iter().find(|timing| timing.part == part)
    }

    /// The fastest of the peers.
    pub fn best_peer(&self) -> Option<&Timing> {
        self.timings
            .iter()
            .filter(|timing| timing.part == Part::Peer)
            .min_by(|one, other| one.min.total_cmp(&other.min))
    }
}

/// Measures a case: in each round, each contender has a turn, and another contender begins. A turn is an unmeasured pass to
/// warm the caches, and then as many passes as fit, at least one.
pub fn measure(mut case: Case, effort: Effort) -> Measured {
    let mut passes = vec![Vec::new(); case.contenders.len()];
    for round in 0..effort.rounds {
        for turn in 0..passes.len() {
            let whose = (round + turn) % passes.len();
            let work = &mut case.contenders[whose].work;
            work.prepare();
            work.run(); // for the caches
            let turn_began = Instant::now();
            loop {
                work.prepare();
                let began = Instant::now();
                work.run();
                passes[whose].push(began.elapsed().as_nanos() as f64 / case.messages as f64);
                if turn_began.elapsed() >= effort.turn {
                    break;
                }
            }
        }
    }
    let timings = case.contenders.into_iter().zip(passes).map(|(contender, mut passes)| {
        passes.sort_by(f64::total_cmp);
        Timing {
            name: contender.name,
            part: contender.part,
            min: passes[0],
            median: passes[passes.len() / 2],
        }
    });
    Measured { timings: timings.collect(), case: case.name, bytes: case.bytes as f64 / case.messages as f64 }
}
