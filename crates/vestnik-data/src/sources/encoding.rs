//! Text in other encodings than UTF-8: by the user's word, by a byte order mark, or by what the text declares.

use std::fmt;
use std::io::BufReader;
use std::str::FromStr;

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::compression::Source;
use crate::lines::is_utf16;

/// An encoding of text, by one of the names that the web has for it: `windows-1251`, `koi8-r`, `utf-16le`, ….
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// The text of bytes. What is no text in the encoding becomes U+FFFD; a byte order mark is believed before the name.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
        self.0.decode(bytes).0.into_owned()
    }

    /// The encoding that the head of an XML or HTML text declares.
    pub(super) fn declared(head: &[u8]) -> Option<Self> {
        let head = String::from_utf8_lossy(&head[..head.len().min(1024)]).to_ascii_lowercase();
        let after = |mark: &str| {
            let at = head.find(mark)? + mark.len();
            let rest = head[at..].trim_start_matches(['"', '\'', ' ', '=']);
            let end = rest
                .find(['"', '\'', ' ', '>', ';', '?', '/'])
                .unwrap_or(rest.len());
            rest[..end].parse().ok()
        };
        if head.trim_start().starts_with("<?xml") {
            return after("encoding=").or_else(|| after("charset="));
        }
        after("charset=")
    }
}

impl FromStr for TextEncoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Encoding::for_label(name.as_bytes());
        found
            .map(Self)
            .ok_or_else(|| "the name of an encoding, such as windows-1251 or koi8-r".to_owned())
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Debug for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A source as UTF-8: decoded when an encoding is named, or its head shows UTF-16. UTF-8 is passed on as it is, sound or
/// not.
pub(super) fn as_utf8(source: Source, head: &[u8], encoding: Option<TextEncoding>) -> Source {
    let named = encoding.filter(|encoding| encoding.0 != encoding_rs::UTF_8);
    if named.is_none() && !is_utf16(head) {
        return source;
    }
    let decoder = DecodeReaderBytesBuilder::new()
        .encoding(named.map(|encoding| encoding.0))
        .bom_override(true)
        .strip_bom(true)
        .build(source);
    Box::new(BufReader::with_capacity(1 << 16, decoder))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn read(bytes: &[u8], encoding: Option<&str>) -> Vec<u8> {
        let source: Source = Box::new(Cursor::new(bytes.to_vec()));
        let mut text = Vec::new();
        as_utf8(source, bytes, encoding.map(|name| name.parse().unwrap()))
            .read_to_end(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn names_and_marks_decide() {
        assert_eq!(
            read(b"\xd0\xe8\xec", Some("windows-1251")),
            "Рим".as_bytes()
        );
        assert_eq!(read(b"\xf2\xc9\xcd", Some("KOI8-R")), "Рим".as_bytes());
        assert_eq!(read(b"\xff\xfe\x20\x04", None), "Р".as_bytes());
        assert_eq!(
            read(b"\xfe\xff\x04\x20", Some("windows-1251")),
            "Р".as_bytes()
        );
        assert_eq!(read(b"a\xff", None), b"a\xff");
        assert_eq!(read(b"a\xff", Some("utf-8")), b"a\xff");
        assert!("klingon".parse::<TextEncoding>().is_err());
    }

    #[test]
    fn declarations_are_found() {
        let declared = |head: &str| {
            TextEncoding::declared(head.as_bytes())
                .as_ref()
                .map(ToString::to_string)
        };
        assert_eq!(
            declared("<?xml version=\"1.0\" encoding='KOI8-R'?>").as_deref(),
            Some("KOI8-R")
        );
        assert_eq!(
            declared("<html><meta charset=windows-1251>").as_deref(),
            Some("windows-1251")
        );
        let old = "<META http-equiv=\"Content-Type\" content=\"text/html; charset=cp1251\">";
        assert_eq!(declared(old).as_deref(), Some("windows-1251"));
        assert_eq!(declared("<html>"), None);
    }
}
