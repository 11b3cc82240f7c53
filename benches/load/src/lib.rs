//! A WebSocket load generator on the codec's client role: one thread, one mio poll.
//!
//! ```text
//! options ──▶ plan ──▶ generator (the loop: connect, warm up, measure, drain) ──▶ peer (one connection)
//!                        schedule   when an open loop sends                        corpus   what is sent, and what must come back
//!                        process    what the server has used, from /proc           compression   where it was agreed on
//!                                                      generator ──▶ report: a table, a JSON line, CSV
//! ```
//!
//! It is a library so that what starts it ([`Plan`], [`run`]) and what reads its output ([`Report`]) can share the
//! types.

mod compression;
mod corpus;
mod failure;
mod generator;
mod options;
mod peer;
mod plan;
mod process;
mod random;
mod report;
mod schedule;

pub use failure::{Failure, Wrong};
pub use generator::run;
pub use options::{Format, Options};
pub use plan::{Handler, Load, Payload, Plan, Sizes, Until, Url};
pub use process::{Usage, resident};
pub use report::Report;
