//! What is measured.

mod deflate;
mod mask;
mod messages;
mod utf8;

use crate::work::Recipe;

/// The groups, each with its cases.
pub const GROUPS: &[Group] = &[
    Group { name: "mask", about: "Masking", unit: "payload", cases: mask::cases },
    Group { name: "utf8", about: "Unmasking and validating text", unit: "text", cases: utf8::cases },
    Group { name: "decode", about: "Decoding", unit: "message", cases: messages::decode },
    Group { name: "encode", about: "Encoding", unit: "message", cases: messages::encode },
    Group { name: "echo", about: "Echo in memory", unit: "message", cases: messages::echo },
    Group { name: "deflate", about: "permessage-deflate", unit: "message", cases: deflate::cases },
];

/// Cases that belong together.
pub struct Group {
    /// How it is called on the command line.
    pub name: &'static str,
    /// The same in words.
    pub about: &'static str,
    /// What one of the things is of which the time is told.
    pub unit: &'static str,
    /// Its cases.
    pub cases: fn() -> Vec<Recipe>,
}
