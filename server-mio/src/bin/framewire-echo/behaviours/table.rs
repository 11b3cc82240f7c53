//! The table of all parameters: it parses queries, and it is the page that lists them.

use super::plan::{Accept, After, Answer, Ending, Plan};
use crate::options::Size;
use framewire::{Close, CloseCode, Kind};
use std::{fmt, time::Duration};

/// A parameter of a query.
struct Parameter {
    name: &'static str,
    value: Value,
    what: &'static str,
}

/// What a parameter's value may be, and where it goes.
enum Value {
    Flag(fn(&mut Plan)),
    Time(Duration, Duration, fn(&mut Plan, Duration)),
    Size(u64, u64, fn(&mut Plan, usize)),
    Count(u64, u64, fn(&mut Plan, u64)),
    Words(&'static [&'static str], fn(&mut Plan, &str)),
    /// At most so many bytes.
    Text(usize, fn(&mut Plan, &str)),
    /// A token (RFC 9110 §5.6.2), as names in headers are.
    Token(usize, fn(&mut Plan, &str)),
    /// A path of this server.
    Path(usize, fn(&mut Plan, &str)),
    Code(fn(&mut Plan, CloseCode)),
    Answer(Duration, fn(&mut Plan, Answer)),
    After,
}

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

const fn s(number: u64) -> Duration {
    Duration::from_secs(number)
}

const MINUTE: Duration = s(60);
const HOUR: Duration = s(3600);
const NONE: Duration = Duration::ZERO;
const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
const G: u64 = 1 << 30;

/// The most that `after` counts.
const MOST_MESSAGES: u64 = 1_000_000;
const MOST_BYTES: u64 = G;

/// The parameters, by topic.
const TABLE: &[(&str, &[Parameter])] = &[
    (
        "The opening handshake",
        &[
            Parameter {
                name: "handshake-delay",
                value: Value::Time(NONE, MINUTE, |plan, time| plan.opening.delay = time),
                what: "respond to the request so much later",
            },
            Parameter {
                name: "handshake-cut",
                value: Value::Size(0, 4 * K, |plan, n| plan.opening.cut = Some(n)),
                what: "send only so many bytes of the response, then end the stream (with abort: reset the connection)",
            },
            Parameter {
                name: "status",
                value: Value::Count(200, 599, |plan, n| plan.opening.status = u16::try_from(n).ok()),
                what: "respond with this HTTP status instead of the upgrade",
            },
            Parameter {
                name: "location",
                value: Value::Path(1000, |plan, path| plan.opening.location = Some(path.into())),
                what: "redirect there: the status must be 301, 302, 303, 307 or 308",
            },
            Parameter {
                name: "bearer",
                value: Value::Text(200, |plan, token| plan.opening.bearer = Some(token.into())),
                what: "respond with 401 unless the request has \"Authorization: Bearer\" with this token",
            },
            Parameter {
                name: "accept",
                value: Value::Words(&["wrong", "missing"], |plan, word| {
                    plan.opening.accept = if word == "wrong" { Accept::Wrong } else { Accept::Missing };
                }),
                what: "send a Sec-WebSocket-Accept that does not match the client's key, or none",
            },
            Parameter {
                name: "subprotocol",
                value: Value::Token(100, |plan, name| plan.opening.subprotocol = Some(name.into())),
                what: "choose this subprotocol, even if the client has not asked for it",
            },
            Parameter {
                name: "extension",
                value: Value::Token(100, |plan, name| plan.opening.extension = Some(name.into())),
                what: "accept this extension, even if the client has not offered it (and do not use it)",
            },
        ],
    ),
    (
        "Replies: a message is echoed unless they say otherwise",
        &[
            Parameter {
                name: "delay",
                value: Value::Time(NONE, MINUTE, |plan, time| plan.replies.delay = time),
                what: "send each reply so much later; messages are received meanwhile",
            },
            Parameter {
                name: "jitter",
                value: Value::Time(NONE, MINUTE, |plan, time| plan.replies.jitter = time),
                what: "add a random time up to this one to each delay; replies keep their order",
            },
            Parameter {
                name: "seed",
                value: Value::Count(0, u64::MAX, |plan, n| plan.replies.seed = Some(n)),
                what: "draw the same random times for the same seed",
            },
            Parameter {
                name: "echo",
                value: Value::Words(&["no"], |plan, _| plan.replies.none = true),
                what: "do not reply to messages",
            },
            Parameter {
                name: "max-message",
                value: Value::Size(1, 16 * M, |plan, n| plan.wire.max_message = Some(n as u64)),
                what: "close with 1009 if the client sends a longer message (1M unless given)",
            },
            Parameter {
                name: "pong",
                value: Value::Answer(MINUTE, |plan, answer| plan.pong = answer),
                what: "do not answer pings, or so much later",
            },
            Parameter {
                name: "close-reply",
                value: Value::Answer(MINUTE, |plan, answer| plan.close_reply = answer),
                what: "do not answer the client's close, or so much later",
            },
        ],
    ),
    (
        "Bytes and frames",
        &[
            Parameter {
                name: "fragment",
                value: Value::Size(1, 16 * M, |plan, n| plan.wire.fragment = Some(n)),
                what: "send each message in fragments with so many bytes of payload",
            },
            Parameter {
                name: "rate",
                value: Value::Size(1, G, |plan, n| plan.wire.rate = Some(n as u64)),
                what: "send at most so many bytes a second",
            },
            Parameter {
                name: "read-rate",
                value: Value::Size(1, G, |plan, n| plan.wire.read_rate = Some(n as u64)),
                what: "read at most so many bytes a second",
            },
            Parameter {
                name: "slice",
                value: Value::Size(1, 64 * K, |plan, n| plan.wire.slice = Some(n)),
                what: "write at most so many bytes at once: frames are cut anywhere",
            },
            Parameter {
                name: "gap",
                value: Value::Time(NONE, MINUTE, |plan, time| plan.wire.gap = time),
                what: "pause so long after each slice (1ms unless given)",
            },
        ],
    ),
    (
        "What the server sends of its own accord",
        &[
            Parameter {
                name: "greeting",
                value: Value::Text(1000, |plan, text| plan.own.greeting = Some(text.into())),
                what: "send this text as the first message",
            },
            Parameter {
                name: "headers",
                value: Value::Flag(|plan| plan.own.headers = true),
                what: "send the client's request first: JSON with method, target, peer, and headers by lower-case name",
            },
            Parameter {
                name: "stats",
                value: Value::Flag(|plan| plan.own.stats = true),
                what: "answer the text \"stats\" with what was received and sent, as JSON; send it before the server's close, too",
            },
            Parameter {
                name: "push",
                value: Value::Count(1, 1_000_000, |plan, n| plan.own.push = n),
                what: "send so many messages: texts that begin with their number, from 1",
            },
            Parameter {
                name: "push-size",
                value: Value::Size(1, M, |plan, n| plan.own.push_size = n),
                what: "the bytes of each (16 unless given)",
            },
            Parameter {
                name: "push-every",
                value: Value::Time(NONE, HOUR, |plan, time| plan.own.push_every = time),
                what: "the time between them (1s unless given); 0: as fast as they are taken",
            },
            Parameter {
                name: "push-kind",
                value: Value::Words(&["text", "binary"], |plan, word| {
                    plan.own.push_kind = if word == "text" { Kind::Text } else { Kind::Binary };
                }),
                what: "their kind",
            },
            Parameter {
                name: "ping",
                value: Value::Time(ms(10), HOUR, |plan, time| plan.own.ping = Some(time)),
                what: "send a ping that often; its payload is its number, from 1",
            },
        ],
    ),
    (
        "The end: one of these",
        &[
            Parameter {
                name: "close",
                value: Value::Code(|plan, code| plan.ending = Some(Ending::Close(code))),
                what: "close with this code",
            },
            Parameter {
                name: "abort",
                value: Value::Flag(|plan| plan.ending = Some(Ending::Abort)),
                what: "reset the connection (RST)",
            },
            Parameter {
                name: "drop",
                value: Value::Flag(|plan| plan.ending = Some(Ending::Drop)),
                what: "end the stream without a close frame (FIN)",
            },
            Parameter {
                name: "half-close",
                value: Value::Flag(|plan| plan.ending = Some(Ending::HalfClose)),
                what: "end the server's side of the stream, and read on, without replies, until the client ends its own",
            },
            Parameter {
                name: "silent",
                value: Value::Flag(|plan| plan.ending = Some(Ending::Silence)),
                what: "neither read nor write any more, but keep the connection, for up to ten minutes",
            },
            Parameter {
                name: "reason",
                value: Value::Text(Close::MAX_REASON, |plan, text| plan.reason = text.into()),
                what: "the reason in the close",
            },
            Parameter {
                name: "after",
                value: Value::After,
                what: "when: after so many messages, after a time, or (but for close) after so many bytes of frames; without it at once, or when all messages are pushed",
            },
        ],
    ),
];

/// The parameters of which a plan has at most one: they end the connection.
const ENDINGS: [&str; 5] = ["close", "abort", "drop", "half-close", "silent"];

/// Parses a query. The error says what is allowed.
pub(super) fn parse(query: &str) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let mut given: Vec<&str> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(parameter) = parameters().find(|parameter| parameter.name == name) else {
            return Err(format!("no behaviour is called {name:?}; there are: {}", names()));
        };
        let name = parameter.name;
        if given.contains(&name) {
            return Err(format!("{name} is given twice"));
        }
        if let Some(other) = given.iter().find(|other| ENDINGS.contains(other) && ENDINGS.contains(&name)) {
            return Err(format!("a connection ends only once: {other} and {name} exclude each other"));
        }
        given.push(name);
        if parameter.value.set(&mut plan, &value).is_none() {
            return Err(format!("{name}={value}: {name} is {}", parameter.value));
        }
    }
    let has = |name: &str| given.contains(&name);
    let needs = |name: &str, other: &str| has(name) && !has(other);
    let is_redirect = |status: Option<u16>| matches!(status, Some(301 | 302 | 303 | 307 | 308));
    let wrong = match () {
        () if has("location") && !is_redirect(plan.opening.status) => {
            "location needs a status that redirects: 301, 302, 303, 307 or 308"
        }
        () if has("status") && !may_be_status(plan.opening.status) => {
            "a response with this status has no body"
        }
        () if needs("reason", "close") => "reason needs close",
        () if matches!(plan.ending, Some(Ending::Close(CloseCode::NO_STATUS))) && !plan.reason.is_empty() => {
            "a close without a code has no reason"
        }
        () if has("after") && plan.ending.is_none() => {
            "after needs one of close, abort, drop, half-close, silent"
        }
        () if matches!((plan.ending, plan.after), (Some(Ending::Close(_)), Some(After::Bytes(_)))) => {
            "a close cannot come after so many bytes: it would lie inside of a frame"
        }
        () if needs("gap", "slice") => "gap needs slice",
        () if ["push-size", "push-every", "push-kind"].iter().any(|name| needs(name, "push")) => {
            "push-size, push-every and push-kind need push"
        }
        () => {
            if has("slice") && !has("gap") {
                plan.wire.gap = ms(1);
            }
            return Ok(plan);
        }
    };
    Err(wrong.into())
}

/// The list of all parameters, as text: the page of the server, and a part of docs/behaviours.md.
pub(super) fn list() -> String {
    use fmt::Write;
    let mut text = String::new();
    for (topic, parameters) in TABLE {
        let _ = writeln!(text, "{topic}");
        for Parameter { name, value, what } in *parameters {
            let form = if matches!(value, Value::Flag(_)) {
                (*name).into()
            } else {
                format!("{name}={}", value.form())
            };
            let _ = writeln!(text, "  {form:<25}  {what}");
            if !matches!(value, Value::Flag(_) | Value::Words(..)) {
                let _ = writeln!(text, "  {:<25}  ({value})", "");
            }
        }
        text.push('\n');
    }
    text
}

fn parameters() -> impl Iterator<Item = &'static Parameter> {
    TABLE.iter().flat_map(|(_, parameters)| *parameters)
}

fn names() -> String {
    parameters().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ")
}

/// Whether a response with this status can have a body (RFC 9110 §15).
fn may_be_status(status: Option<u16>) -> bool {
    !matches!(status, Some(204 | 205 | 304))
}

impl Value {
    /// Sets the value in a plan. `None`: it is not allowed.
    fn set(&self, plan: &mut Plan, text: &str) -> Option<()> {
        match self {
            Self::Flag(set) => ["", "yes"].contains(&text).then(|| set(plan)),
            Self::Time(least, most, set) => time(text, *least, *most).map(|time| set(plan, time)),
            Self::Size(least, most, set) => size(text, *least, *most).map(|n| set(plan, n as usize)),
            Self::Count(least, most, set) => count(text, *least, *most).map(|n| set(plan, n)),
            Self::Words(words, set) => words.contains(&text).then(|| set(plan, text)),
            Self::Text(most, set) => (!text.is_empty() && text.len() <= *most).then(|| set(plan, text)),
            Self::Token(most, set) => (is_token(text) && text.len() <= *most).then(|| set(plan, text)),
            Self::Path(most, set) => (is_path(text) && text.len() <= *most).then(|| set(plan, text)),
            Self::Code(set) => match text {
                "none" => Some(CloseCode::NO_STATUS),
                _ => text.parse().ok().map(CloseCode::new).filter(|code| code.may_be_sent()),
            }
            .map(|code| set(plan, code)),
            Self::Answer(most, set) => match text {
                "no" => Some(Answer::Never),
                _ => time(text, NONE, *most).map(Answer::Late),
            }
            .map(|answer| set(plan, answer)),
            Self::After => after(text).map(|after| plan.after = Some(after)),
        }
    }

    /// The name of its kind.
    fn form(&self) -> String {
        match self {
            Self::Flag(_) => "",
            Self::Time(..) => "TIME",
            Self::Size(..) => "SIZE",
            Self::Count(..) => "N",
            Self::Words(words, _) => return words.join("|"),
            Self::Text(..) => "TEXT",
            Self::Token(..) => "NAME",
            Self::Path(..) => "PATH",
            Self::Code(_) => "CODE",
            Self::Answer(..) => "no|TIME",
            Self::After => "N|TIME|BYTES",
        }
        .into()
    }
}

/// What is allowed.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(_) => write!(f, "given alone, or yes"),
            Self::Time(least, most, _) => {
                write!(f, "a time from {} to {}, as in 100ms, 2s, 1m", Time(*least), Time(*most))
            }
            Self::Size(least, most, _) => {
                write!(f, "a number of bytes from {least} to {}, as in 100, 64K, 1M", Bytes(*most))
            }
            Self::Count(least, most, _) => write!(f, "a number from {least} to {most}"),
            Self::Words(words, _) => write!(f, "{}", words.join(" or ")),
            Self::Text(most, _) => write!(f, "a text of 1 to {most} bytes"),
            Self::Token(most, _) => write!(f, "a token of 1 to {most} bytes (RFC 9110 §5.6.2)"),
            Self::Path(most, _) => write!(f, "a path of this server, of 1 to {most} bytes, as in /echo"),
            Self::Code(_) => write!(f, "1000 to 1003, 1007 to 1014, 3000 to 4999, or none"),
            Self::Answer(most, _) => write!(f, "no, or a time up to {}, as in 100ms, 2s", Time(*most)),
            Self::After => write!(
                f,
                "a number of messages up to {MOST_MESSAGES}, a time up to {}, as in 2s, or bytes up to {}B, as in 10B, 64KB",
                Time(HOUR),
                Bytes(MOST_BYTES)
            ),
        }
    }
}

struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            0 => f.write_str("0"),
            n if n % 3_600_000 == 0 => write!(f, "{}h", n / 3_600_000),
            n if n % 60_000 == 0 => write!(f, "{}m", n / 60_000),
            n if n % 1000 == 0 => write!(f, "{}s", n / 1000),
            n => write!(f, "{n}ms"),
        }
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n % G == 0 => write!(f, "{}G", n / G),
            n if n % M == 0 => write!(f, "{}M", n / M),
            n if n % K == 0 => write!(f, "{}K", n / K),
            n => write!(f, "{n}"),
        }
    }
}

fn time(text: &str, least: Duration, most: Duration) -> Option<Duration> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let millis = match text {
        "0" => 0,
        _ => units
            .into_iter()
            .find_map(|(unit, millis)| digits(text.strip_suffix(unit)?)?.checked_mul(millis))?,
    };
    Some(ms(millis)).filter(|time| (least..=most).contains(time))
}

fn size(text: &str, least: u64, most: u64) -> Option<u64> {
    let size = if text == "0" { 0 } else { text.parse::<Size>().ok()?.get() as u64 };
    (least..=most).contains(&size).then_some(size)
}

fn count(text: &str, least: u64, most: u64) -> Option<u64> {
    digits(text).filter(|n| (least..=most).contains(n))
}

fn after(text: &str) -> Option<After> {
    if let Some(bytes) = text.strip_suffix('B') {
        return size(bytes, 0, MOST_BYTES).map(After::Bytes);
    }
    let messages = digits(text).filter(|&n| n <= MOST_MESSAGES).map(After::Messages);
    messages.or_else(|| time(text, NONE, HOUR).map(After::Time))
}

/// A number without a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// Whether it is a path (and query) that stays on this server.
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_query_is_an_echo() {
        assert_eq!(parse(""), Ok(Plan::default()));
    }

    #[test]
    fn parameters_can_be_combined() {
        let plan =
            parse("delay=100ms&jitter=2s&seed=7&fragment=64K&close=1001&reason=so+%C3%BC&after=3").unwrap();
        assert_eq!((plan.replies.delay, plan.replies.jitter, plan.replies.seed), (ms(100), s(2), Some(7)));
        assert_eq!((plan.wire.fragment, &*plan.reason), (Some(64 << 10), "so ü"));
        assert_eq!(
            (plan.ending, plan.after),
            (Some(Ending::Close(CloseCode::GOING_AWAY)), Some(After::Messages(3)))
        );
    }

    #[test]
    fn every_parameter_has_a_value_that_changes_the_plan_and_values_that_are_refused() {
        for (name, right, wrong) in [
            ("handshake-delay", "1m", &["1", "-1s", "61s", "1h", "ms", "1.5s", ""][..]),
            ("handshake-cut", "0", &["5K", "-1", "x"]),
            ("status", "503", &["101", "199", "600", "204", "x", "+200"]),
            (
                "location",
                "/echo?x=1&status=302",
                &[
                    "//evil.example/&status=302",
                    "http://evil.example/&status=302",
                    "&status=302",
                    "/\\evil.example&status=302",
                    "/a b&status=302",
                    "/echo",
                ],
            ),
            ("bearer", "secret", &[""]),
            ("accept", "wrong", &["right", ""]),
            ("subprotocol", "chat.v1", &["", "a b", "a,b", "ü"]),
            ("extension", "x-unasked", &["", "a; b", "\r\n"]),
            ("delay", "100ms", &["61s", "100"]),
            ("jitter", "100ms", &["2m"]),
            ("seed", "18446744073709551615", &["18446744073709551616", "-1"]),
            ("echo", "no", &["yes", ""]),
            ("max-message", "1K", &["0", "17M"]),
            ("pong", "no", &["yes", "2m"]),
            ("close-reply", "2s", &["yes", "2m"]),
            ("fragment", "1", &["0", "17M"]),
            ("rate", "1", &["0", "2G"]),
            ("read-rate", "1G", &["0", "2G"]),
            ("slice", "64K", &["0", "65K"]),
            ("gap", "1s&slice=1", &["2m&slice=1", "1s"]),
            ("greeting", "hello", &[""]),
            ("headers", "", &["no"]),
            ("stats", "yes", &["no"]),
            ("push", "10", &["0", "1000001"]),
            ("push-size", "1M&push=1", &["0&push=1", "2M&push=1", "1K"]),
            ("push-every", "0&push=1", &["2h&push=1", "1s"]),
            ("push-kind", "binary&push=1", &["both&push=1", "text"]),
            ("ping", "10ms", &["9ms", "61m"]),
            ("close", "none", &["1004", "1005", "1006", "1015", "2999", "5000", "999", "65536", ""]),
            ("abort", "", &["no", "&drop"]),
            ("drop", "", &["no", "&close=1000"]),
            ("half-close", "", &["1", "&silent"]),
            ("silent", "", &["1", "&abort"]),
            ("reason", "bye&close=1000", &["bye", "bye&close=none"]),
            ("after", "64KB&abort", &["1GB1&abort", "1", "2h&abort", "1000001&abort", "64KB&close=1000"]),
        ] {
            assert!(parameters().any(|parameter| parameter.name == name), "{name}");
            let plan =
                parse(&format!("{name}={right}")).unwrap_or_else(|error| panic!("{name}={right}: {error}"));
            assert_ne!(plan, Plan::default(), "{name}={right}");
            for wrong in wrong {
                assert!(parse(&format!("{name}={wrong}")).is_err(), "{name}={wrong}");
            }
            assert!(parse(&format!("{name}={right}&{name}={right}")).is_err(), "{name} twice");
        }
        assert_eq!(parameters().count(), 35, "add new parameters to this test");
    }

    #[test]
    fn an_error_says_what_is_allowed() {
        let error = |query: &str| parse(query).unwrap_err();
        assert_eq!(error("delay=1h"), "delay=1h: delay is a time from 0 to 1m, as in 100ms, 2s, 1m");
        assert!(
            error("dealy=1s").starts_with("no behaviour is called \"dealy\"; there are: handshake-delay, ")
        );
        assert_eq!(
            error("abort&close=1000"),
            "a connection ends only once: abort and close exclude each other"
        );
    }

    #[test]
    fn the_list_names_every_parameter_and_its_caps() {
        let list = list();
        for parameter in parameters() {
            assert!(list.contains(&format!("\n  {}", parameter.name)), "{}", parameter.name);
        }
        assert!(list.contains("a number of bytes from 1 to 16M"));
    }
}
