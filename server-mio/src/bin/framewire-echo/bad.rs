//! Violations of the protocol by name, one each, to see whether a client refuses them; and some things that a client must accept.
//! docs/conformance.md names the case of each rule.
//!
//! ```text
//! wire        frames, right or wrong
//! bits        deflate streams, right or wrong
//! head        the response to a handshake, right or wrong
//! case        what a case is, and what its client may do
//! opening … good   the cases
//! play        plays a case, and finds out what the client does
//! ```

mod bits;
mod case;
mod closing;
mod compressed;
mod framing;
mod good;
mod head;
mod opening;
mod play;
#[cfg(test)]
mod tests;
mod text;
mod wire;

pub(crate) use case::{Case, Did, Verdict};
pub(crate) use play::Peer;
use std::fmt::Write;

/// Cases that are about the same.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) cases: &'static [Case],
}

/// All cases.
pub(crate) static SECTIONS: [Section; 10] = [
    Section { title: "Opening handshake", cases: &opening::HANDSHAKE },
    Section { title: "Opening handshake, compression", cases: &opening::DEFLATE_HANDSHAKE },
    Section { title: "Headers", cases: &framing::HEADERS },
    Section { title: "Control frames", cases: &framing::CONTROL },
    Section { title: "Fragments", cases: &framing::FRAGMENTS },
    Section { title: "Text", cases: &text::TEXTS },
    Section { title: "Closing", cases: &closing::CLOSES },
    Section { title: "Compression", cases: &compressed::COMPRESSED },
    Section { title: "To be accepted", cases: &good::GOOD },
    Section { title: "To be accepted, compressed", cases: &good::GOOD_DEFLATE },
];

/// All cases, in order.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    SECTIONS.iter().flat_map(|section| section.cases)
}

/// The case with this name.
pub(crate) fn find(name: &str) -> Option<&'static Case> {
    all().find(|case| case.name == name)
}

/// A page that lists all cases, as text.
pub(crate) fn list() -> String {
    let mut page = String::from(
        "Each case is one violation of the protocol by the server, or something that a client must accept.\n\
         The columns are its name, what the server does, the rule, and what a strict client does.\n\
         The first N bytes of the text are right with /bad/utf8-middle?at=N, and so with each case of that section.\n",
    );
    let width = |of: fn(&Case) -> usize| all().map(of).max().unwrap_or(0);
    let (names, whats, rules) = (
        width(|case| case.name.len()),
        width(|case| case.what.chars().count()),
        width(|case| case.rfc.chars().count()),
    );
    for section in &SECTIONS {
        let _ = writeln!(page, "\n{}\n", section.title);
        for Case { name, what, rfc, expected, .. } in section.cases {
            let _ = writeln!(page, "  {name:names$}  {what:whats$}  {rfc:rules$}  {expected}");
        }
    }
    page
}
