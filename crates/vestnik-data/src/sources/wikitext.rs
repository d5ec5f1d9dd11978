//! Wikitext as plain text: what a reader of the page sees of its sentences.
//!
//! Templates, tables, references, pictures and categories are left out; links and headings become their words. Templates
//! are not expanded, so a word that a template makes is missing.

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
    if depth == 0 {
        kept.push_str(&text[from..]);
    }
    kept
}

/// The next of two marks. Looks at each byte once, whatever is missing.
fn next_mark(text: &str, open: &str, close: &str) -> Option<usize> {
    let (first, second) = (open.as_bytes()[0], close.as_bytes()[0]);
    memchr::memchr2_iter(first, second, text.as_bytes())
        .find(|&at| text[at..].starts_with(open) || text[at..].starts_with(close))
}

/// Leaves out elements whose content is no text, such as `<ref>…</ref>` and `<ref … />`.
fn without_hidden(text: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        kept.push_str(before);
        rest = match hidden_element(tag) {
            Some(length) => &tag[length..],
            None => {
                kept.push('<');
                &tag[1..]
            }
        };
    }
    kept + rest
}

/// The length of a hidden element at the start of a text.
fn hidden_element(tag: &str) -> Option<usize> {
    let name = HIDDEN.into_iter().find(|name| {
        let rest = tag[1..].get(name.len()..);
        tag[1..]
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
            && rest.is_some_and(|rest| rest.starts_with([' ', '>', '/', '\n']))
    })?;
    let end = tag.find('>')?;
    if tag[..end].ends_with('/') {
        return Some(end + 1);
    }
    let within = &tag[..tag.floor_char_boundary(MAX_ELEMENT_BYTES)];
    let mut ends = within.match_indices("</").map(|(at, _)| at);
    let is_close = |at: usize| {
        within[at + 2..]
            .get(..name.len())
            .is_some_and(|end| end.eq_ignore_ascii_case(name))
    };
    let close = ends.find(|&at| is_close(at))?;
    Some(close + within[close..].find('>')? + 1)
}

/// Links become the words that they show.
fn links(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        let (shown, length) = match link_length(rest) {
            Some(length) if rest.starts_with("[[") => (inner_link(&rest[2..length - 2]), length),
            Some(length) => (outer_link(&rest[1..length - 1]), length),
            None => ("[".to_owned(), 1),
        };
        kept.push_str(&shown);
        rest = &rest[length..];
    }
    kept + rest
}

/// The length of a link at the start of a text, its brackets included.
fn link_length(text: &str) -> Option<usize> {
    if !text.starts_with("[[") {
        let is_link = ["[http://", "[https://", "[//", "[ftp://", "[mailto:"]
            .iter()
            .any(|start| text.starts_with(start));
        return text[..text.floor_char_boundary(MAX_LINK_BYTES)]
            .find([']', '\n'])
            .filter(|&end| is_link && text[end..].starts_with(']'))
            .map(|end| end + 1);
    }
    let text = &text[..text.floor_char_boundary(MAX_LINK_BYTES)];
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(step) = next_mark(&text[at..], "[[", "]]") {
        at += step + 2;
        depth = match text[at - 2..].starts_with("[[") {
            true => depth + 1,
            false => depth.saturating_sub(1),
        };
        if depth == 0 {
            return Some(at);
        }
    }
    None
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
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match rest.find('>').filter(|_| is_tag) {
            Some(end) => {
                if rest[1..].starts_with("br") {
                    kept.push('\n');
                }
                rest = &rest[end + 1..];
            }
            None => {
                kept.push('<');
                rest = &rest[1..];
            }
        }
    }
    kept + rest
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
        for mark in ["[[", "{{", "}}", "<ref>", "[http://", "<"] {
            let long = mark.repeat(2000);
            assert!(plain_text(&long).len() <= long.len());
        }
    }
}
