//! A WebSocket load generator on the codec's client role: one thread, one mio poll.
//!
//! ```text
//! options ──▶ plan ──▶ generator (the loop: connect, warm up, measure, drain) ──▶ peer (one connection)
//!              └▶ churn (the loop if connections come and go)
//!                        schedule   when an open loop sends                        corpus   messages, and their right replies
//!                        process    the server's usage, from /proc                 compression   if it was agreed on
//!                        tally      what is counted                                outgoing   messages on their way
//!                                                          tally ──▶ report: a table, a JSON line, CSV
//! ```
//!
//! It is a library so that the program that starts it ([`Plan`], [`run`]) and programs that read its output ([`Report`])
//! can share the types.

mod churn;
mod compression;
mod corpus;
mod failure;
mod generator;
mod options;
mod outgoing;
mod peer;
mod plan;
mod process;
mod random;
mod report;
mod schedule;
mod tally;

pub use failure::{Failure, Wrong};
pub use generator::run;
pub use options::{Format, Options};
pub use plan::{Churn, Handler, Leave, Load, Payload, Plan, Sizes, Until, Url};
pub use process::{Usage, resident};
pub use report::Report;
