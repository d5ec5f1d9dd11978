//! A text with its entities marked.

use std::cmp::Reverse;

use super::markup::escape;
use crate::report::worst::{Excerpt, Mark};

/// A place of a text, once as annotated and once as predicted.
pub(super) fn excerpt(excerpt: &Excerpt) -> String {
    let line = |side: &str, marks: &[Mark]| {
        let [before, behind] = excerpt.cut.map(|cut| if cut { "…" } else { "" });
        format!(
            "<p dir=\"auto\"><span class=\"side\">{side}:</span> {before}{}{behind}</p>\n",
            marked(&excerpt.text, marks)
        )
    };
    format!(
        "<div class=\"excerpt\">\n{}{}</div>\n",
        line("gold", &excerpt.gold),
        line("predicted", &excerpt.predicted)
    )
}

/// The text with an element around each entity. Where entities overlap without nesting, the later one is closed and
/// opened again, so that the elements nest; its label stands at its end.
fn marked(text: &str, marks: &[Mark]) -> String {
    let mut marks: Vec<&Mark> = marks.iter().collect();
    marks.sort_by_key(|mark| (mark.range.start, Reverse(mark.range.end)));
    let mut edges: Vec<usize> = marks
        .iter()
        .flat_map(|mark| [mark.range.start, mark.range.end])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut html = String::new();
    let mut open: Vec<&Mark> = Vec::new();
    let mut position = 0;
    for edge in edges {
        html.push_str(&escape(&text[position..edge]));
        position = edge;
        close_at(edge, &mut open, &mut html);
        for mark in marks.iter().filter(|mark| mark.range.start == edge) {
            html.push_str(&format!("{}[", opening(mark)));
            open.push(mark);
        }
    }
    html.push_str(&escape(&text[position..]));
    html
}

/// Closes what ends here; what lies within it and goes on is opened again.
fn close_at(edge: usize, open: &mut Vec<&Mark>, html: &mut String) {
    let Some(first) = open.iter().position(|mark| mark.range.end == edge) else {
        return;
    };
    let closed = open.split_off(first);
    for mark in closed.iter().rev() {
        html.push_str(&closing(mark, edge));
    }
    for mark in closed {
        if mark.range.end > edge {
            html.push_str(&opening(mark));
            open.push(mark);
        }
    }
}

fn opening(mark: &Mark) -> String {
    let class = if mark.right { "right" } else { "wrong" };
    format!("<mark class=\"{class}\">")
}

fn closing(mark: &Mark, edge: usize) -> String {
    if mark.range.end > edge {
        return "</mark>".to_owned();
    }
    let cross = if mark.right { "" } else { " ✗" };
    let score = mark
        .score
        .map_or(String::new(), |score| format!(" {score:.2}"));
    format!(" <b>{}{score}{cross}</b>]</mark>", escape(&mark.label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(start: usize, end: usize, label: &str, right: bool) -> Mark {
        Mark {
            start,
            end,
            label: label.to_owned(),
            right,
            score: None,
            range: start..end,
        }
    }

    #[test]
    fn texts_and_labels_are_escaped() {
        let html = marked("a<b>c", &[mark(1, 4, "<i>", true)]);
        assert_eq!(
            html,
            "a<mark class=\"right\">[&lt;b&gt; <b>&lt;i&gt;</b>]</mark>c"
        );
    }

    #[test]
    fn predictions_have_their_scores() {
        let mut sure = mark(0, 1, "LOC", false);
        sure.score = Some(0.876);
        let html = marked("a", &[sure]);
        assert_eq!(html, "<mark class=\"wrong\">[a <b>LOC 0.88 ✗</b>]</mark>");
    }

    #[test]
    fn nested_entities_nest() {
        let html = marked("abcd", &[mark(1, 2, "LOC", true), mark(0, 3, "ORG", false)]);
        assert_eq!(
            html,
            "<mark class=\"wrong\">[a<mark class=\"right\">[b <b>LOC</b>]</mark>c <b>ORG ✗</b>]</mark>d"
        );
    }

    #[test]
    fn overlapping_entities_are_opened_again() {
        let html = marked("abcd", &[mark(0, 2, "LOC", true), mark(1, 4, "ORG", true)]);
        assert_eq!(
            html,
            "<mark class=\"right\">[a<mark class=\"right\">[b</mark> <b>LOC</b>]</mark>\
             <mark class=\"right\">cd <b>ORG</b>]</mark>"
        );
    }

    #[test]
    fn equal_spans_are_both_marked() {
        let html = marked("a", &[mark(0, 1, "LOC", true), mark(0, 1, "ORG", true)]);
        assert_eq!(
            html.matches("<mark").count(),
            html.matches("</mark>").count()
        );
        assert!(html.contains("LOC") && html.contains("ORG"));
    }
}
