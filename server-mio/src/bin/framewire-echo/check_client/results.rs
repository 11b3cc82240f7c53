//! What each client did in each case.

use crate::bad::{self, Case, Did, Verdict};
use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The name of a client, as it calls itself in Autobahn's protocol; empty for a client that does not use that.
pub(crate) type Agent = String;

/// What a client did in a case, if it has had that case.
pub(crate) type Outcome = Option<(Did, Verdict)>;

/// The results of all clients.
#[derive(Debug, Default)]
pub(crate) struct Results {
    state: Mutex<State>,
    /// A case has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The results of each client, by the names of the cases.
    clients: HashMap<Agent, HashMap<&'static str, (Did, Verdict)>>,
    /// The client that has had a case last.
    last: Option<Agent>,
    /// The next case for a client that does not name the case.
    next: usize,
    /// How many cases are being played.
    playing: usize,
}

/// How many clients there may be. The results of others are not kept.
const MAX_CLIENTS: usize = 64;

impl Results {
    /// The next case for a client that does not name one. `None`: there is none left.
    pub(crate) fn next(&self) -> Option<&'static Case> {
        let mut state = self.state();
        let case = bad::all().nth(state.next)?;
        state.next += 1;
        Some(case)
    }

    /// Notes that a case begins, which [`end`](Self::end) ends.
    pub(crate) fn begin(&self) {
        self.state().playing += 1;
    }

    /// Keeps a result, and returns whether the client has had all cases.
    pub(crate) fn end(&self, client: &str, case: &'static Case, result: (Did, Verdict)) -> bool {
        let mut state = self.state();
        state.playing -= 1;
        self.ended.notify_all();
        if state.clients.len() >= MAX_CLIENTS && !state.clients.contains_key(client) {
            return false;
        }
        state.last = Some(client.to_owned());
        let cases = state.clients.entry(client.to_owned()).or_default();
        cases.insert(case.name, result);
        cases.len() == bad::all().count()
    }

    /// Waits until no case is being played: a client knows that a case is over before its result is here.
    pub(crate) fn settle(&self, patience: Duration) {
        let _ = self.ended.wait_timeout_while(self.state(), patience, |state| state.playing > 0);
    }

    /// The results of a client, in the order of the cases.
    pub(crate) fn of(&self, client: &str) -> Vec<Outcome> {
        let state = self.state();
        let cases = state.clients.get(client);
        bad::all().map(|case| cases?.get(case.name).copied()).collect()
    }

    /// The client that has had a case last.
    pub(crate) fn last(&self) -> Option<Agent> {
        self.state().last.clone()
    }

    /// A thread that panicked has left nothing half written.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
