//! Pages that a parser of HTML would take hours for are told before they are parsed.
//!
//! The rules of HTML make a parser look at all open elements for a tag, and at all attributes of a tag for the next one, so
//! that its time grows with the square of both. The number of open elements is estimated from above: elements that need no
//! end tag are not counted, nor is what closes itself.

use memchr::{memchr, memmem};

use crate::problem::Problem;

/// Elements inside each other.
const MAX_DEPTH: usize = 2000;
/// Attributes of an element.
const MAX_ATTRIBUTES: usize = 2000;

/// Elements that have no end tag, or may go without.
const NOT_COUNTED: [&str; 34] = [
    "area", "base", "body", "br", "caption", "col", "colgroup", "dd", "dt", "embed", "head", "hr",
    "html", "img", "input", "li", "link", "meta", "optgroup", "option", "p", "param", "rp", "rt",
    "source", "tbody", "td", "tfoot", "th", "thead", "tr", "track", "wbr", "path",
];

/// Elements whose content is no markup.
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];

/// Looks through a page.
///
/// # Errors
/// [`Problem::TooDeep`] for more elements inside each other, or more attributes of one, than any page has.
pub(super) fn check(html: &str) -> Result<(), Problem> {
    let bytes = html.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(step) = memchr(b'<', &bytes[at..]) {
        at += step + 1;
        if bytes[at..].starts_with(b"!--") {
            at += memmem::find(&bytes[at..], b"-->").unwrap_or(bytes.len() - at);
            continue;
        }
        let is_end = bytes.get(at) == Some(&b'/');
        let name = name(&bytes[at + usize::from(is_end)..]);
        if name.is_empty() {
            continue;
        }
        at += usize::from(is_end) + name.len();
        let tag = Tag::of(&bytes[at..]);
        if tag.n_attributes > MAX_ATTRIBUTES {
            return Err(too_deep("attributes of one element", MAX_ATTRIBUTES));
        }
        at += tag.length;
        if NOT_COUNTED.contains(&name.as_str()) {
            continue;
        }
        match is_end {
            true => depth = depth.saturating_sub(1),
            false if tag.closes_itself => {}
            false => depth += 1,
        }
        if depth > MAX_DEPTH {
            return Err(too_deep("elements inside each other", MAX_DEPTH));
        }
        if !is_end && RAW.contains(&name.as_str()) {
            at += end_of_raw(&bytes[at..], &name);
        }
    }
    Ok(())
}

fn too_deep(found: &'static str, limit: usize) -> Problem {
    Problem::TooDeep { found, limit }
}

/// The name at the start of a tag, in lower case.
fn name(bytes: &[u8]) -> String {
    let name = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-');
    let name: String = name
        .map(|&byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => String::new(),
    }
}

/// Where the end tag of an element starts whose content is no markup.
fn end_of_raw(bytes: &[u8], name: &str) -> usize {
    let is_end = |at: &usize| {
        let end = bytes.get(at + 2..at + 2 + name.len());
        end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
    };
    memmem::find_iter(bytes, b"</")
        .find(is_end)
        .unwrap_or(bytes.len())
}

/// The rest of a tag behind its name.
struct Tag {
    /// Up to behind its `>`.
    length: usize,
    n_attributes: usize,
    closes_itself: bool,
}

impl Tag {
    fn of(bytes: &[u8]) -> Self {
        let mut tag = Self {
            length: bytes.len(),
            n_attributes: 0,
            closes_itself: false,
        };
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'>' => {
                    tag.length = at;
                    break;
                }
                b'/' => tag.closes_itself = bytes.get(at) == Some(&b'>'),
                b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'=' => {}
                quote @ (b'"' | b'\'') => {
                    at += memchr(quote, &bytes[at..]).map_or(bytes.len() - at, |end| end + 1);
                }
                // A name, or a value without quotes: the latter only makes the number greater.
                _ => {
                    tag.n_attributes += 1;
                    let rest = bytes[at..].iter();
                    at += rest
                        .take_while(|byte| !b" \t\n\r\x0c=/>".contains(byte))
                        .count();
                }
            }
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(html: &str) -> Option<String> {
        check(html).err().map(|problem| problem.to_string())
    }

    #[test]
    fn hostile_pages_are_told() {
        let deep = "found more than 2000 elements inside each other, expected at most that many";
        for element in [
            "<div>",
            "<b><p>text",
            "<DIV class='>'>",
            "<x-y>",
            "<ul><li>",
        ] {
            assert_eq!(
                problem(&element.repeat(3000)).as_deref(),
                Some(deep),
                "{element}"
            );
        }
        let attributes = (0..3000).map(|n| format!(" a{n}")).collect::<String>();
        assert_eq!(
            problem(&format!("<p{attributes}>")).as_deref(),
            Some("found more than 2000 attributes of one element, expected at most that many")
        );
    }

    #[test]
    fn pages_as_they_are_pass() {
        for html in [
            "<p>never closed<br><img src=x>".repeat(5000),
            "<div><span a='>' b=\"<div>\">x</span></div>".repeat(5000),
            "<svg>".to_owned() + &"<path d='M1 2'/><circle r=1 />".repeat(5000) + "</svg>",
            format!("<script>{}</SCRIPT>", "if (a <b) '<div>'".repeat(5000)),
            format!("<!-- {} -->", "<div>".repeat(5000)),
            format!("<img src=\"data:{}\">", "a = / ".repeat(50_000)),
            "1 < 2 << 3 <".repeat(5000),
        ] {
            assert_eq!(problem(&html), None, "{}", &html[..40]);
        }
    }
}
