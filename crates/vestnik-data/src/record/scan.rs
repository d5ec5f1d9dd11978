//! A pass over JSON text that checks it and says where the values lie, without making them.
//!
//! `serde_json` gives values, and with them it loses how a number was spelled (`1E400`). Here the text stays what it is.

use std::ops::Range;

use memchr::memchr2;

/// How deep arrays and objects may lie in each other, by default; the same limit that `serde_json` has.
pub(crate) const MAX_DEPTH: usize = 127;

/// Why a text is no JSON value; [`serde_json`] tells it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// It is no JSON.
    Syntax,
    /// Arrays and objects lie in each other too deep.
    TooDeep,
}

type Scanned<T> = Result<T, Defect>;

/// Reads one value after another out of a text.
pub(crate) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    max_depth: usize,
}

/// A name of a field as it is written, with its quotes, and its value.
pub(crate) type Place = (Range<usize>, Range<usize>);

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            max_depth,
        }
    }

    /// The fields of a text that is one object and nothing else.
    pub(crate) fn object(mut self) -> Scanned<Vec<Place>> {
        self.blanks();
        let mut places = Vec::new();
        self.fields(|name, value| places.push((name, value)))?;
        self.blanks();
        match self.at == self.bytes.len() {
            true => Ok(places),
            false => Err(Defect::Syntax),
        }
    }

    fn fields(&mut self, mut take: impl FnMut(Range<usize>, Range<usize>)) -> Scanned<()> {
        self.enter(b'{')?;
        if self.leave(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            let value = self.value()?;
            take(name, value);
            if self.leave(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.blanks();
        }
    }

    fn array(&mut self) -> Scanned<()> {
        self.enter(b'[')?;
        if self.leave(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if self.leave(b']') {
                return Ok(());
            }
            self.expect(b',')?;
            self.blanks();
        }
    }

    fn value(&mut self) -> Scanned<Range<usize>> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{') => self.fields(|_, _| ())?,
            Some(b'[') => self.array()?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => self.number()?,
        }
        Ok(start..self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Scanned<()> {
        if self.peek() != Some(byte) {
            return Err(Defect::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    fn enter(&mut self, bracket: u8) -> Scanned<()> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > self.max_depth {
            return Err(Defect::TooDeep);
        }
        self.blanks();
        Ok(())
    }

    /// Takes the closing bracket, if it is there.
    fn leave(&mut self, bracket: u8) -> bool {
        self.blanks();
        let there = self.peek() == Some(bracket);
        if there {
            self.at += 1;
            self.depth -= 1;
        }
        there
    }

    fn word(&mut self, word: &str) -> Scanned<()> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(Defect::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Scanned<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(Defect::Syntax);
        }
        Ok(())
    }

    fn number(&mut self) -> Scanned<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Scanned<Range<usize>> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            let rest = &self.bytes[self.at..];
            let length = memchr2(b'"', b'\\', rest).ok_or(Defect::Syntax)?;
            if has_controls(&rest[..length]) {
                return Err(Defect::Syntax);
            }
            self.at += length + 1;
            if rest[length] == b'"' {
                return Ok(start..self.at);
            }
            self.escape()?;
        }
    }

    /// What is behind a backslash. Half a surrogate pair is no character.
    fn escape(&mut self) -> Scanned<()> {
        let byte = self.peek().ok_or(Defect::Syntax)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.unit()? {
                0xd800..=0xdbff => {
                    self.word("\\u")?;
                    match self.unit()? {
                        0xdc00..=0xdfff => Ok(()),
                        _ => Err(Defect::Syntax),
                    }
                }
                0xdc00..=0xdfff => Err(Defect::Syntax),
                _ => Ok(()),
            },
            _ => Err(Defect::Syntax),
        }
    }

    fn unit(&mut self) -> Scanned<u16> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Defect::Syntax)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Defect::Syntax);
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).map_err(|_| Defect::Syntax)
    }
}

/// Whether a string has a control character. The compiler makes vectors of a loop that does not stop early.
fn has_controls(string: &[u8]) -> bool {
    let mut chunks = string.chunks(64);
    chunks.any(|chunk| {
        chunk
            .iter()
            .fold(false, |found, byte| found | (*byte < b' '))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn fields(text: &str) -> Option<Vec<(String, String)>> {
        let places = Scan::new(text, MAX_DEPTH).object().ok()?;
        let pair = |(name, value): Place| (text[name].to_owned(), text[value].to_owned());
        Some(places.into_iter().map(pair).collect())
    }

    #[test]
    fn values_are_found_as_they_are_written() {
        let text = " {\"a\\\"\" : 1E400,\"b\":[ 1, {\"c\":\"}\"}],\"d\":\"\\ud83d\\ude00\" , \"e\":-0.10e-7}\r\n";
        let expected = [
            ("\"a\\\"\"", "1E400"),
            ("\"b\"", "[ 1, {\"c\":\"}\"}]"),
            ("\"d\"", "\"\\ud83d\\ude00\""),
            ("\"e\"", "-0.10e-7"),
        ];
        assert_eq!(
            fields(text).unwrap(),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(fields("{ }").unwrap(), []);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(fields(&nested(MAX_DEPTH - 1)).is_some());
        let deep = nested(MAX_DEPTH);
        let found = Scan::new(&deep, MAX_DEPTH).object();
        assert_eq!(found, Err(Defect::TooDeep));
        let found = Scan::new(&nested(1_000_000), MAX_DEPTH).object();
        assert_eq!(found, Err(Defect::TooDeep));
    }

    /// Text that is nearly JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        const TOKENS: [&str; 29] = [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"a\":",
            "{\"b\":",
            " ",
            "1",
            "-",
            "0",
            ".5",
            "e+3",
            "E9",
            "true",
            "fals",
            "null",
            "\\",
            "\\u00e9",
            "\\ud83d",
            "\\ude00",
            "\\ud83d\\ude00",
            "\\n",
            "\u{1}",
            "щ",
            "\n",
        ];
        let token = proptest::sample::select(&TOKENS[..]);
        proptest::collection::vec(token, 0..12)
            .prop_map(|tokens| format!("{{\"a\":{}}}", tokens.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_is_sound_is_what_serde_json_takes(text in nearly_json()) {
            let parsed = serde_json::from_str::<serde_json::Map<String, Value>>(&text);
            prop_assert_eq!(fields(&text).is_some(), parsed.is_ok(), "{}", text);
        }
    }
}
