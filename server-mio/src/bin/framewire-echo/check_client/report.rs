//! The results of a client, as a table and as JSON.

use super::results::Outcome;
use crate::bad::{self, Case, Did, SECTIONS, Section, Verdict};
use serde_json::{Value, json};
use std::fmt::Write;

/// Whether the client was strict in all cases. `None`: it has not had all.
pub(crate) fn passed(results: &[Outcome]) -> Option<bool> {
    let verdicts: Option<Vec<Verdict>> = results.iter().map(|result| Some((*result)?.1)).collect();
    let strict = |verdict| matches!(verdict, Verdict::Strict | Verdict::OtherCode | Verdict::Untested);
    verdicts.map(|verdicts| verdicts.into_iter().all(strict))
}

/// A table for people: each case, what a strict client does, what this one did, and what that means.
pub(crate) fn table(client: &str, results: &[Outcome]) -> String {
    let mut text = String::new();
    let width = |of: fn(&Case) -> usize| bad::all().map(of).max().unwrap_or(0);
    let names = width(|case| case.name.len());
    let dues = width(|case| case.expected.to_string().len());
    for (section, cases) in sections(results) {
        let _ = writeln!(text, "\n{}\n", section.title);
        for (case, result) in cases {
            let (did, verdict) = match result {
                Some((did, verdict)) => (did.to_string(), verdict.to_string()),
                None => ("-".into(), "not run".into()),
            };
            let expected = case.expected.to_string();
            let _ = writeln!(text, "  {:names$}  {expected:dues$}  {did:15}  {verdict}", case.name);
        }
    }
    let who = if client.is_empty() { "The client" } else { client };
    let of = |wanted: Verdict| results.iter().flatten().filter(|result| result.1 == wanted).count();
    let strict = of(Verdict::Strict) + of(Verdict::OtherCode);
    let _ = writeln!(text, "\n{who} was strict in {strict} of {} cases.", results.len());
    for (verdict, what) in [
        (Verdict::Lenient, "It accepted"),
        (Verdict::Broken, "It did not accept, although it must"),
        (Verdict::NoReaction, "It did nothing in time"),
        (Verdict::Untested, "Not tested, as it offers no compression, or always does"),
    ] {
        let named = named(results, Some(verdict));
        if !named.is_empty() {
            let _ = writeln!(text, "{what}: {}.", named.join(", "));
        }
    }
    let missing = named(results, None);
    if !missing.is_empty() {
        let _ = writeln!(text, "Not finished: {} cases were not run.", missing.len());
    }
    text
}

/// The same for programs.
pub(crate) fn json(client: &str, results: &[Outcome]) -> String {
    let cases = sections(results).flat_map(|(section, cases)| {
        cases.map(|(case, result)| {
            json!({
                "name": case.name,
                "section": section.title,
                "what": case.what,
                "rfc": case.rfc,
                "expected": case.expected.to_string(),
                "did": result.map(|(did, _)| did.to_string()),
                "code": result.and_then(|(did, _)| match did {
                    Did::Close(code) => Some(code),
                    _ => None,
                }),
                "verdict": result.map_or("not run", |(_, verdict)| key(verdict)),
            })
        })
    });
    let report = json!({
        "client": client,
        "by": concat!("framewire-echo ", env!("CARGO_PKG_VERSION")),
        "finished": passed(results).is_some(),
        "strict": passed(results) == Some(true),
        "cases": cases.collect::<Vec<Value>>(),
    });
    format!("{report:#}\n")
}

/// A verdict for programs.
const fn key(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Strict => "strict",
        Verdict::OtherCode => "other code",
        Verdict::Lenient => "lenient",
        Verdict::Broken => "broken",
        Verdict::NoReaction => "no reaction",
        Verdict::Untested => "untested",
    }
}

/// The names of the cases with this verdict, or without one.
fn named(results: &[Outcome], verdict: Option<Verdict>) -> Vec<&'static str> {
    let cases = bad::all().zip(results);
    let wanted = cases.filter(|(_, result)| result.map(|result| result.1) == verdict);
    wanted.map(|(case, _)| case.name).collect()
}

/// The sections, each with its cases and their results.
fn sections(
    results: &[Outcome],
) -> impl Iterator<Item = (&'static Section, impl Iterator<Item = (&'static Case, Outcome)>)> {
    let mut rest = results;
    SECTIONS.iter().map(move |section| {
        let (these, behind) = rest.split_at(section.cases.len().min(rest.len()));
        rest = behind;
        (section, section.cases.iter().zip(these.iter().copied()))
    })
}
