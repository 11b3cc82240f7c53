//! A simple, slow reader of heads and of lists of extensions.

use std::borrow::Cow;

/// The lines of a head that the codec has accepted.
pub(super) struct Lines<'a> {
    pub(super) start: Cow<'a, str>,
    headers: Vec<(String, &'a [u8])>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(head: &'a [u8]) -> Self {
        let mut lines = split(head, b"\r\n").into_iter().skip_while(|line| line.is_empty());
        let start = lines.next().expect("a first line");
        let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
            let colon = line.iter().position(|&byte| byte == b':').expect("a name");
            let name = String::from_utf8(line[..colon].to_ascii_lowercase()).expect("a token");
            (name, line[colon + 1..].trim_ascii())
        });
        let headers = headers.collect();
        // The reason phrase of a status may be any bytes.
        Self { start: String::from_utf8_lossy(start), headers }
    }

    /// The values of a header, which must be text.
    pub(super) fn all(&self, name: &str) -> Vec<&'a str> {
        let values = self.headers.iter().filter(|(found, _)| found == name);
        values.map(|(_, value)| str::from_utf8(value).expect("text")).collect()
    }

    /// Whether a header is a list that has this element.
    pub(super) fn lists(&self, name: &str, element: &str) -> bool {
        let values = self.headers.iter().filter(|(found, _)| found == name);
        let mut elements = values.flat_map(|(_, value)| split(value, b","));
        elements.any(|found| found.trim_ascii().eq_ignore_ascii_case(element.as_bytes()))
    }

    /// RFC 6455 §4.2.1.
    pub(super) fn demand_upgrade(&self) {
        assert!(self.start.starts_with("GET ") && self.start.ends_with(" HTTP/1.1"), "1. {}", self.start);
        let [host] = self.all("host")[..] else { panic!("2.") };
        assert!(!host.is_empty() && !host.starts_with(':'), "2.");
        let port = host.rsplit(']').next().and_then(|rest| rest.split_once(':')).map_or("", |(_, port)| port);
        assert!(port.is_empty() || port.parse::<u16>().is_ok(), "RFC 3986 §3.2.3");
        let target = self.start.split(' ').nth(1).expect("a target");
        assert!(
            target.bytes().all(|byte| byte > b' ' && byte < 0x7f && !b"\"<>#".contains(&byte)),
            "1. {target}"
        );
        if !target.starts_with('/') {
            let name = |authority: &str| authority.split(':').next().map(str::to_ascii_lowercase);
            let authority = target.split(['/', '?']).nth(2).expect("an authority"); // "http:", "", and it
            assert_eq!(name(authority), name(host), "RFC 9112 §3.2.2");
        }
        assert!(self.lists("upgrade", "websocket"), "3.");
        assert!(self.lists("connection", "upgrade"), "4.");
        let [key] = self.all("sec-websocket-key")[..] else { panic!("5.") };
        let (digits, padding) = key.split_at(22);
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        assert!(digits.bytes().all(is_digit) && padding == "==", "5. {key}");
        assert_eq!(self.all("sec-websocket-version"), ["13"], "6.");
        let has_body = self.lists("transfer-encoding", "chunked")
            || self.all("content-length").iter().any(|n| *n != "0");
        assert!(!has_body, "what follows would not be frames");
    }
}

fn split<'a>(mut bytes: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(found) = bytes.windows(at.len()).position(|window| window == at) {
        parts.push(&bytes[..found]);
        bytes = &bytes[found + at.len()..];
    }
    parts.push(bytes);
    parts
}

/// Name, and parameters with or without a value.
pub(super) type Extension = (String, Vec<(String, Option<String>)>);

/// RFC 6455 §9.1, with empty elements (RFC 9110 §5.6.1); `None` if the list does not follow that grammar.
pub(super) fn extensions(list: &str) -> Option<Vec<Extension>> {
    let elements = outside_quotes(list, ',')?;
    let elements = elements.into_iter().map(trim).filter(|element| !element.is_empty());
    elements
        .map(|element| {
            let parts = outside_quotes(element, ';')?;
            let (name, params) = parts.split_first()?;
            let params = params.iter().map(|param| {
                let (name, value) = match param.split_once('=') {
                    Some((name, value)) => (name, Some(self::value(trim(value))?)),
                    None => (*param, None),
                };
                Some((token(trim(name))?, value))
            });
            Some((token(trim(name))?, params.collect::<Option<_>>()?))
        })
        .collect()
}

fn value(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else { return token(text) };
    let mut unquoted = String::new();
    let mut chars = quoted.strip_suffix('"')?.chars();
    while let Some(char) = chars.next() {
        unquoted.push(if char == '\\' { chars.next()? } else { char });
    }
    token(&unquoted)
}

fn token(text: &str) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_token)).then(|| text.to_owned())
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Splits, but not inside quotes; `None` if a quote is open at the end.
fn outside_quotes(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text
        .split(|char| {
            let here = char == at && !quoted;
            if escaped {
                escaped = false;
            } else if char == '"' {
                quoted = !quoted;
            } else {
                escaped = quoted && char == '\\';
            }
            here
        })
        .collect();
    (!quoted).then_some(parts)
}
