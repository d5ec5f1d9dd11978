//! Wikitext as plain text: what a reader of the page sees of its sentences.
//!
//! Templates, tables, references, pictures and categories are left out; links and headings become their words. Templates
//! are not expanded, so a word that a template makes is missing.

use std::collections::HashMap;

/// Names of elements whose content is no text of the page.
const HIDDEN: [&str; 11] = [
    "ref",
    "gallery",
    "math",
    "timeline",
    "score",
    "syntaxhighlight",
    "source",
    "imagemap",
    "templatedata",
    "chem",
    "graph",
];

/// Links with such a prefix show a picture, or nothing. Others (`en:`, `Category:` in other languages) have a colon too.
const ELSEWHERE: &str = ":";

/// An element that is longer was never closed; so many bytes are looked through for its end.
const MAX_ELEMENT_BYTES: usize = 64 * 1024;

/// A closing tag that is longer is none.
const MAX_TAG_BYTES: usize = 1024;

/// A link that is longer was never closed.
const MAX_LINK_BYTES: usize = 4096;

pub(super) fn plain_text(wikitext: &str) -> String {
    let text = without(wikitext, "<!--", "-->");
    let text = without_hidden(&text);
    let text = without_nested(&text, "{{", "}}");
    let text = without_nested(&text, "{|", "|}");
    let text = links(&text);
    let text = without_tags(&text);
    let text = references(&text);
    lines(&text)
}

/// Leaves out everything from `open` to `close`; what is never closed stays.
fn without(text: &str, open: &str, close: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(open) {
        let Some(length) = rest[start..].find(close) else {
            break;
        };
        kept.push_str(&rest[..start]);
        rest = &rest[start + length + close.len()..];
    }
    kept + rest
}

/// As [`without`], for marks that may lie in each other.
fn without_nested(text: &str, open: &str, close: &str) -> String {
    let (mut kept, mut depth, mut at, mut from) =
        (String::with_capacity(text.len()), 0_usize, 0, 0);
    while let Some(step) = next_mark(&text[at..], open, close) {
        let place = at + step;
        if text[place..].starts_with(open) {
            if depth == 0 {
                kept.push_str(&text[from..place]);
                from = place;
            }
            depth += 1;
            at = place + open.len();
        } else {
            at = place + close.len();
            depth = depth.saturating_sub(1);
            if depth == 0 && text[from..].starts_with(open) {
                from = at;
            }
        }
    }
    // What is never closed stays.
    kept.push_str(&text[from..]);
    kept
}

/// The next of two marks. Looks at each byte once, whatever is missing.
fn next_mark(text: &str, open: &str, close: &str) -> Option<usize> {
    let (first, second) = (open.as_bytes()[0], close.as_bytes()[0]);
    memchr::memchr2_iter(first, second, text.as_bytes())
        .find(|&at| text[at..].starts_with(open) || text[at..].starts_with(close))
}

/// Finds the next place of something, and looks at each byte once, however often it is asked: places only go on.
struct Next<F> {
    find: F,
    /// What was found last, if anything was looked for; nothing more is `usize::MAX`.
    found: Option<usize>,
}

impl<F: Fn(usize) -> Option<usize>> Next<F> {
    /// `find` gives the first place from another place on.
    fn new(find: F) -> Self {
        Self { find, found: None }
    }

    fn from(&mut self, place: usize) -> Option<usize> {
        let known = self.found.filter(|&found| found >= place);
        let found = known.unwrap_or_else(|| (self.find)(place).unwrap_or(usize::MAX));
        self.found = Some(found);
        (found != usize::MAX).then_some(found)
    }
}

fn next_of<'a>(text: &'a str, mark: &'static str) -> Next<impl Fn(usize) -> Option<usize> + 'a> {
    Next::new(move |from| Some(from + text[from..].find(mark)?))
}

/// Leaves out elements whose content is no text, such as `<ref>…</ref>` and `<ref … />`.
fn without_hidden(text: &str) -> String {
    let mut tag_ends = next_of(text, ">");
    let mut closing = HIDDEN.map(|name| Next::new(move |from| closing_tag(text, name, from)));
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(step) = text[at..].find('<') {
        let start = at + step;
        kept.push_str(&text[at..start]);
        let mut hidden_end = || {
            let name = hidden_name(&text[start + 1..])?;
            let end = tag_ends.from(start)?;
            if text[..end].ends_with('/') {
                return Some(end + 1);
            }
            let close = closing[name].from(start)?;
            let rest = &text[close..text.floor_char_boundary(close + MAX_TAG_BYTES)];
            let is_near = close - start <= MAX_ELEMENT_BYTES;
            rest.find('>')
                .filter(|_| is_near)
                .map(|end| close + end + 1)
        };
        at = match hidden_end() {
            Some(end) => end,
            None => {
                kept.push('<');
                start + 1
            }
        };
    }
    kept + &text[at..]
}

/// Which hidden element starts with this tag, of which the bracket is left out.
fn hidden_name(tag: &str) -> Option<usize> {
    HIDDEN.iter().position(|name| {
        let rest = tag.get(name.len()..);
        tag.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
            && rest.is_some_and(|rest| rest.starts_with([' ', '>', '/', '\n']))
    })
}

/// The next `</name` in a text.
fn closing_tag(text: &str, name: &str, from: usize) -> Option<usize> {
    let mut ends = text[from..].match_indices("</").map(|(at, _)| from + at);
    ends.find(|at| {
        text.get(at + 2..at + 2 + name.len())
            .is_some_and(|end| end.eq_ignore_ascii_case(name))
    })
}

/// Links become the words that they show.
fn links(text: &str) -> String {
    let ends = inner_link_ends(text);
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(step) = text[at..].find('[') {
        let start = at + step;
        kept.push_str(&text[at..start]);
        let is_inner = text[start..].starts_with("[[");
        let end = match is_inner {
            true => ends.get(&start).copied(),
            false => outer_link_end(text, start),
        };
        at = match end.filter(|end| end - start <= MAX_LINK_BYTES) {
            Some(end) if is_inner => {
                kept.push_str(&inner_link(&text[start + 2..end - 2]));
                end
            }
            Some(end) => {
                kept.push_str(&outer_link(&text[start + 1..end - 1]));
                end
            }
            None => {
                kept.push('[');
                start + 1
            }
        };
    }
    kept + &text[at..]
}

/// Where the links end that start with two brackets, by their starts.
fn inner_link_ends(text: &str) -> HashMap<usize, usize> {
    let (mut ends, mut open, mut at) = (HashMap::new(), Vec::new(), 0);
    while let Some(step) = next_mark(&text[at..], "[[", "]]") {
        at += step + 2;
        if text[at - 2..].starts_with("[[") {
            open.push(at - 2);
        } else if let Some(start) = open.pop() {
            ends.insert(start, at);
        }
    }
    ends
}

/// Where a link to elsewhere ends, such as `[https://… words]`.
fn outer_link_end(text: &str, start: usize) -> Option<usize> {
    let link = &text[start..text.floor_char_boundary(start + MAX_LINK_BYTES)];
    let mut starts = ["[http://", "[https://", "[//", "[ftp://", "[mailto:"].iter();
    if !starts.any(|start| link.starts_with(start)) {
        return None;
    }
    let end = link.find([']', '\n'])?;
    link[end..].starts_with(']').then_some(start + end + 1)
}

/// What `[[target|words]]` shows; nothing for pictures, categories and other languages.
fn inner_link(link: &str) -> String {
    let (target, words) = link.split_once('|').unwrap_or((link, link));
    if target.contains(ELSEWHERE) && !target.starts_with(':') {
        // A title may have a colon itself, but then a blank follows.
        let prefix_ends = target
            .find(ELSEWHERE)
            .is_some_and(|at| !target[at + 1..].starts_with(' '));
        if prefix_ends {
            return String::new();
        }
    }
    let shown = words.rsplit('|').next().unwrap_or(words);
    shown.trim_start_matches(':').to_owned()
}

/// What `[address words]` shows.
fn outer_link(link: &str) -> String {
    link.split_once(' ')
        .map_or("", |(_, words)| words)
        .to_owned()
}

/// Leaves out tags, and keeps what stands between them.
fn without_tags(text: &str) -> String {
    let mut tag_ends = next_of(text, ">");
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(step) = text[at..].find('<') {
        let start = at + step;
        kept.push_str(&text[at..start]);
        let tag = &text[start + 1..];
        let is_tag = tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        at = match tag_ends.from(start).filter(|_| is_tag) {
            Some(end) => {
                if tag.starts_with("br") {
                    kept.push('\n');
                }
                end + 1
            }
            None => {
                kept.push('<');
                start + 1
            }
        };
    }
    kept + &text[at..]
}

/// The references that authors write themselves.
fn references(text: &str) -> String {
    let pairs = [
        ("&nbsp;", "\u{a0}"),
        ("&ndash;", "–"),
        ("&mdash;", "—"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&thinsp;", "\u{2009}"),
        ("&amp;", "&"),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (name, character)| {
            text.replace(name, character)
        })
}

/// Lines without the marks of headings, lists and letters, and without what shows nothing.
fn lines(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line
            .replace("'''''", "")
            .replace("'''", "")
            .replace("''", "");
        let mut line = line.trim().trim_start_matches(['*', '#', ':', ';']).trim();
        if line.starts_with('=') && line.ends_with('=') {
            line = line.trim_matches('=').trim();
        }
        if line.starts_with("__") || line.starts_with("|") || line.starts_with("----") {
            continue;
        }
        if line.is_empty() {
            if !plain.is_empty() && !plain.ends_with("\n\n") {
                plain.push('\n');
            }
            continue;
        }
        plain.push_str(line);
        plain.push('\n');
    }
    plain.truncate(plain.trim_end().len());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_without_end_are_read_in_one_pass() {
        const MARKS: [&str; 12] = [
            "<", "<a", "<ref>", "<ref ", "<!--", "[[", "]]", "{{", "}}", "{|", "''", "[http://",
        ];
        for mark in MARKS {
            let text = mark.repeat(100_000);
            assert!(plain_text(&text).len() <= text.len(), "{mark}");
        }
        assert_eq!(plain_text("[[[c]]] <ref>d</ref "), "[c] d</ref");
    }

    #[test]
    fn marks_are_left_out_and_words_stay() {
        for (wikitext, plain) in [
            (
                "'''Рим''' е ''столица'' на [[Италия]].",
                "Рим е столица на Италия.",
            ),
            (
                "{{Инфо|име={{nowrap|x}}|y}}Текст {{lang|it|Roma}}край",
                "Текст край",
            ),
            (
                "[[Файл:Rome.jpg|thumb|Изглед към [[Тибър]]]]Градът",
                "Градът",
            ),
            ("[[Категория:Градове]][[en:Rome]]", ""),
            (
                "[[Звезди: епизод|епизод]] и [[:Категория:X]]",
                "епизод и Категория:X",
            ),
            (
                "a<ref name=\"x\">{{cite}}</ref>, b<ref name=x />, c<ref>y</REF>.",
                "a, b, c.",
            ),
            (
                "[https://example.org Сайт] и [https://example.org] и [1]",
                "Сайт и  и [1]",
            ),
            (
                "== История ==\n\n\n* едно\n** две\n",
                "История\n\nедно\nдве",
            ),
            ("{| class=x\n| a || b\n|}\nслед", "след"),
            ("a<br />b <b>c</b> 1 < 2 <!-- d -->", "a\nb c 1 < 2"),
            ("5&nbsp;км &ndash; &amp;c", "5\u{a0}км – &c"),
            ("__NOTOC__\nтекст", "текст"),
        ] {
            assert_eq!(plain_text(wikitext), plain, "{wikitext}");
        }
    }

    #[test]
    fn what_is_never_closed_does_no_harm() {
        for wikitext in [
            "{{", "a {{b", "[[", "a [[b", "<ref>", "<", "}}", "]]", "<!--", "{|", "[[[[a]]",
            "<ref", "[", "=", "&",
        ] {
            let _ = plain_text(wikitext);
        }
        assert_eq!(plain_text("a }} b ]] c"), "a }} b ]] c");
        assert_eq!(plain_text("a {{b}} {{c d. e"), "a  {{c d. e");
        for mark in ["[[", "{{", "}}", "<ref>", "[http://", "<"] {
            let long = mark.repeat(2000);
            assert!(plain_text(&long).len() <= long.len());
        }
    }
}
