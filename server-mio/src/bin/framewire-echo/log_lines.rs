//! The lines of the log, as text or as JSON. What a peer has sent cannot begin a line, end a value, or move a terminal's cursor.

use clap::ValueEnum;
use log::{
    Record,
    kv::{self, Key, Value, VisitSource, VisitValue},
};
use std::{
    fmt::{self, Display, Write as _},
    io,
};

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// `[TIME LEVEL] message key=value`
    Text,
    /// An object on each line: time, level, target, message, and further members
    Json,
}

impl LogFormat {
    /// Writes a line.
    pub(crate) fn write(
        self,
        out: &mut impl io::Write,
        time: impl Display,
        record: &Record<'_>,
    ) -> io::Result<()> {
        let level = record.level();
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Text => write!(line, "[{time} {level:<5}] {}", Escaped(record.args(), false)),
            Self::Json => write!(
                line,
                "{{\"time\":\"{time}\",\"level\":\"{}\",\"target\":\"{}\",\"message\":\"{}\"",
                level.as_str().to_ascii_lowercase(),
                Escaped(record.target(), true),
                Escaped(record.args(), true)
            ),
        };
        let _ = record.key_values().visit(&mut Members { line: &mut line, format: self });
        line.push_str(if self == Self::Json { "}\n" } else { "\n" });
        out.write_all(line.as_bytes())
    }
}

/// The text with characters escaped, as in a string of JSON, that would do something else than be shown. If it is `quoted`, also
/// those that end a string.
struct Escaped<T>(T, bool);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>, bool);

        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|char| match char {
                    '"' | '\\' if self.1 => write!(self.0, "\\{char}"),
                    '\n' => self.0.write_str("\\n"),
                    '\r' => self.0.write_str("\\r"),
                    '\t' => self.0.write_str("\\t"),
                    char if is_active(char) => write!(self.0, "\\u{:04x}", u32::from(char)),
                    char => self.0.write_char(char),
                })
            }
        }

        write!(Escape(f, self.1), "{}", self.0)
    }
}

/// Whether a terminal or an editor does something at this character: controls, line and paragraph separators, marks that change
/// the direction of writing. All are of the first 65,536, so `\u` and four digits name them.
fn is_active(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends the key-value pairs of a record.
struct Members<'a> {
    line: &'a mut String,
    format: LogFormat,
}

impl<'k> VisitSource<'k> for Members<'_> {
    fn visit_pair(&mut self, key: Key<'k>, value: Value<'k>) -> Result<(), kv::Error> {
        let _ = match self.format {
            LogFormat::Text => write!(self.line, " {}=", Escaped(key.as_str(), false)),
            LogFormat::Json => write!(self.line, ",\"{}\":", Escaped(key.as_str(), true)),
        };
        value.visit(self)
    }
}

impl<'v> VisitValue<'v> for Members<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        let _ = write!(self.line, "{value}");
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
        let _ = if self.format == LogFormat::Text && !value.is_empty() && value.bytes().all(plain) {
            write!(self.line, "{value}")
        } else {
            write!(self.line, "\"{}\"", Escaped(value, true))
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    fn line(format: LogFormat, message: &str, pairs: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        let pairs = pairs.to_vec();
        let mut record = Record::builder();
        record.level(Level::Info).target("access").key_values(&pairs);
        format
            .write(&mut out, "2026-11-29T00:00:00.000Z", &record.args(format_args!("{message}")).build())
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text() {
        let text =
            line(LogFormat::Text, "opened", &[("path", "/a?b&c"), ("agent", "a \"b\""), ("empty", "")]);
        let expected =
            "[2026-11-29T00:00:00.000Z INFO ] opened path=/a?b&c agent=\"a \\\"b\\\"\" empty=\"\"\n";
        assert_eq!(text, expected);
        // A value that looks like another pair is quoted.
        assert!(line(LogFormat::Text, "", &[("path", "status=200")]).ends_with(" path=\"status=200\"\n"));
    }

    /// Every character, alone and beside others, in each place of a line.
    #[test]
    fn nothing_leaves_its_place() {
        for char in (0..=0x10_ffff).filter_map(char::from_u32) {
            let hostile = format!("a{char}b\",\"level\":\"x");
            for format in [LogFormat::Text, LogFormat::Json] {
                if char > '\u{2fff}' && u32::from(char) % 251 != 0 {
                    continue;
                }
                let line = line(format, &hostile, &[("path", &hostile), ("last", "1")]);
                let shown = line.strip_suffix('\n').unwrap();
                assert!(!shown.chars().any(is_active), "{char:?}: {shown}");
                if format == LogFormat::Json {
                    let object: serde_json::Value = serde_json::from_str(shown).unwrap();
                    assert_eq!(object["message"], hostile);
                    assert_eq!(object["path"], hostile);
                    assert_eq!((&object["level"], &object["last"]), (&"info".into(), &"1".into()));
                    assert_eq!(object.as_object().unwrap().len(), 6);
                } else {
                    assert!(shown.ends_with(" last=1"), "{shown}");
                    let (_, quoted) = shown.split_once(" path=").unwrap();
                    let value: String =
                        serde_json::from_str(quoted.strip_suffix(" last=1").unwrap()).unwrap();
                    assert_eq!(value, hostile);
                }
            }
        }
    }
}
