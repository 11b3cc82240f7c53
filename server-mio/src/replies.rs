//! Replies that are compressed in steps.

use crate::budget::Budget;
use framewire::{
    Server,
    deflate::{DeflatePool, Deflater, Deflating},
    outbox::Outbox,
};
use std::{collections::VecDeque, ops::ControlFlow};

/// Replies that wait, in their order, because the first of them is being compressed.
#[derive(Debug, Default)]
pub(crate) struct Replies(VecDeque<Queued>);

#[derive(Debug)]
enum Queued {
    Message(Deflating),
    Frame(Vec<u8>),
}

impl Replies {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are not compressed yet.
    #[cfg(test)]
    pub(crate) fn remaining(&self) -> usize {
        let of = |reply: &Queued| if let Queued::Message(message) = reply { message.remaining() } else { 0 };
        self.0.iter().map(of).sum()
    }

    pub(crate) fn push(&mut self, message: Deflating) {
        self.0.push_back(Queued::Message(message));
    }

    pub(crate) fn push_frame(&mut self, frame: &[u8]) {
        self.0.push_back(Queued::Frame(frame.to_vec()));
    }

    /// Compresses and sends them, as far as the budget allows.
    pub(crate) fn send(
        &mut self,
        deflater: &mut Deflater<Server>,
        outbox: &mut Outbox<'_>,
        pool: &mut DeflatePool,
        budget: &mut Budget,
    ) {
        while let Some(reply) = self.0.pop_front() {
            match reply {
                Queued::Frame(frame) => outbox.push(&frame),
                Queued::Message(message) if budget.is_spent() => {
                    return self.0.push_front(Queued::Message(message));
                }
                Queued::Message(message) => {
                    let (most, before) = (budget.left(), message.remaining());
                    match message.step(deflater, pool, most) {
                        ControlFlow::Break(frame) => {
                            budget.spend(before.min(most));
                            outbox.push_deflated(frame);
                        }
                        ControlFlow::Continue(message) => {
                            budget.spend(before - message.remaining());
                            self.0.push_front(Queued::Message(message));
                        }
                    }
                }
            }
        }
    }
}
