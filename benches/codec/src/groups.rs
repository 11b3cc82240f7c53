//! The cases that are measured.

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
    /// Its name on the command line.
    pub name: &'static str,
    /// A description.
    pub about: &'static str,
    /// The thing to which each time refers.
    pub unit: &'static str,
    /// The cases.
    pub cases: fn() -> Vec<Recipe>,
}
