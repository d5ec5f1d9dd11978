//! Between documents and sentences of tagged tokens.

use std::ops::Range;

use vestnik_core::{
    ColumnScheme, Document, Entity, Span, TagProblem, read_tags, span_of_words, words_of_span,
};

use crate::formats::Segmenter;
use crate::loss::{Loss, LossKind};

/// A sentence of a document: its tokens and their tags.
#[derive(Debug, Default)]
pub(crate) struct TaggedSentence {
    pub(crate) tokens: Vec<Span>,
    pub(crate) tags: Vec<String>,
}

/// Divides a document into sentences of tagged tokens, and gives what tags cannot hold: of entities that overlap the
/// outermost is kept, and those that begin or end inside a token are left out. A sentence never ends inside an entity.
pub(crate) fn tag_document(
    document: &Document,
    segmenter: Segmenter<'_>,
    scheme: ColumnScheme,
) -> (Vec<TaggedSentence>, Vec<Loss>) {
    let sentences = with_all_visible(document.text(), segmenter(document.text()));
    let tokens: Vec<Span> = sentences.iter().flatten().copied().collect();
    let (ranges, losses) = word_ranges(document, &tokens);
    let mut end = 0;
    let ends = sentences.iter().map(|sentence| {
        end += sentence.len();
        end
    });
    let inside = |end: usize| ranges.iter().any(|&(a, b, _)| a < end && end < b);
    let ends: Vec<usize> = ends.filter(|&end| !inside(end)).collect();
    let mut tagged = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        let own = ranges.iter().filter(|&&(a, _, _)| start <= a && a < end);
        let own: Vec<_> = own
            .map(|&(a, b, label)| (a - start, b - start, label))
            .collect();
        tagged.push(TaggedSentence {
            tokens: tokens[start..end].to_vec(),
            tags: scheme.tags(end - start, &own),
        });
        start = end;
    }
    (tagged, losses)
}

/// Adds tokens for visible text that no token covers. Sentences without tokens are left out.
fn with_all_visible(text: &str, sentences: Vec<Vec<Span>>) -> Vec<Vec<Span>> {
    let mut all: Vec<Vec<Span>> = Vec::with_capacity(sentences.len());
    let mut end = 0;
    for sentence in sentences {
        let mut tokens = Vec::with_capacity(sentence.len());
        for token in sentence {
            let between = uncovered(text, end, token.start());
            match all.last_mut().filter(|_| tokens.is_empty()) {
                Some(last) => last.extend(between),
                None => tokens.extend(between),
            }
            tokens.push(token);
            end = token.end();
        }
        if !tokens.is_empty() {
            all.push(tokens);
        }
    }
    let rest: Vec<Span> = uncovered(text, end, text.len()).collect();
    match all.last_mut() {
        Some(last) => last.extend(rest),
        None if !rest.is_empty() => all.push(rest),
        None => {}
    }
    all
}

/// The visible stretches of a part of a text.
fn uncovered(text: &str, start: usize, end: usize) -> impl Iterator<Item = Span> + '_ {
    let part = text.get(start..end).unwrap_or_default();
    part.split(char::is_whitespace).filter_map(move |piece| {
        let offset = piece.as_ptr() as usize - text.as_ptr() as usize;
        Span::new(offset, offset + piece.len()).ok()
    })
}

type WordRange<'a> = (usize, usize, &'a str);

fn word_ranges<'a>(document: &'a Document, tokens: &[Span]) -> (Vec<WordRange<'a>>, Vec<Loss>) {
    let (mut ranges, mut losses) = (Vec::<WordRange<'_>>::new(), Vec::new());
    for entity in outermost_first(document) {
        let lost = |kind| Loss::of_entity(document, entity, kind);
        let words = words_of_span(tokens, entity.span)
            .filter(|words| span_of_words(tokens, words.clone()) == Some(entity.span));
        let Some(words) = words else {
            losses.push(lost(LossKind::CutsToken));
            continue;
        };
        if !is_plain(&entity.label) {
            losses.push(lost(LossKind::Label));
        } else if ranges.last().is_some_and(|last| words.start < last.1) {
            losses.push(lost(LossKind::Overlap));
        } else {
            ranges.push((words.start, words.end, &entity.label));
        }
    }
    (ranges, losses)
}

/// Whether a label can be a part of a tag in a column.
fn is_plain(label: &str) -> bool {
    label.trim() == label && !label.contains(['\t', '\n', '\r', '|', '\u{feff}'])
}

fn outermost_first(document: &Document) -> Vec<&Entity> {
    let mut entities: Vec<&Entity> = document.entities().iter().collect();
    entities.sort_by_key(|entity| (entity.span.start(), usize::MAX - entity.span.end()));
    entities
}

/// Where each token stands in a text that has all of them in this order, with nothing but white space between; `None`
/// when the text is another one.
pub(crate) fn align<'t>(
    text: &str,
    tokens: impl IntoIterator<Item = &'t str>,
) -> Option<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    let mut end = 0;
    for token in tokens {
        let rest = &text[end..];
        let start = end + (rest.len() - rest.trim_start().len());
        // A token may begin with white space itself.
        let start = [start, end]
            .into_iter()
            .find(|&start| text[start..].starts_with(token))?;
        end = start + token.len();
        ranges.push(start..end);
    }
    text[end..].trim().is_empty().then_some(ranges)
}

/// The entities of a sentence whose tokens stand at `tokens`, and what is wrong with the tags.
pub(crate) fn entities(
    tags: &[&str],
    scheme: ColumnScheme,
    tokens: &[Range<usize>],
) -> (Vec<Entity>, Vec<TagProblem>) {
    let reading = read_tags(tags, scheme);
    let spans = reading.spans.into_iter();
    let entities = spans.filter_map(|(first, end, label)| {
        let span = Span::new(tokens[first].start, tokens[end - 1].end).ok()?;
        Some(Entity::new(span, label))
    });
    (entities.collect(), reading.problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<Span>> {
        let sentence = |line: &str| {
            let words = line.split(' ').filter(|word| word.is_ascii());
            words
                .filter_map(|word| {
                    let start = word.as_ptr() as usize - text.as_ptr() as usize;
                    Span::new(start, start + word.len()).ok()
                })
                .collect()
        };
        text.lines().map(sentence).collect()
    }

    fn tag(text: &str, entities: &[(usize, usize, &str)]) -> (String, Vec<String>) {
        let mut document = Document::new("d", text);
        for &(start, end, label) in entities {
            let span = Span::new(start, end).unwrap();
            document.push_entity(Entity::new(span, label)).unwrap();
        }
        let (sentences, losses) = tag_document(&document, &words, ColumnScheme::Iob2);
        let shown = sentences.iter().map(|sentence| {
            let tokens = sentence.tokens.iter().zip(&sentence.tags);
            let tokens = tokens.map(|(span, tag)| format!("{}/{tag}", &text[span.range()]));
            tokens.collect::<Vec<_>>().join(" ")
        });
        let losses = losses.iter().map(ToString::to_string).collect();
        (shown.collect::<Vec<_>>().join("|"), losses)
    }

    #[test]
    fn a_sentence_never_ends_inside_an_entity() {
        assert_eq!(
            tag("San\nMarino x\ny", &[(0, 10, "LOC")]).0,
            "San/B-LOC Marino/I-LOC x/O|y/O"
        );
    }

    #[test]
    fn visible_text_is_always_in_a_token() {
        assert_eq!(tag("щ a ъ b\nю", &[]).0, "щ/O a/O ъ/O b/O ю/O");
        assert_eq!(tag("щ", &[]).0, "щ/O");
        assert_eq!(tag("", &[]).0, "");
    }

    #[test]
    fn what_tags_cannot_hold_is_listed() {
        let (tags, losses) = tag(
            "New York City",
            &[
                (4, 8, "LOC"),
                (0, 8, "LOC"),
                (0, 9, "LOC"),
                (9, 12, "LOC"),
                (9, 13, "A|B"),
            ],
        );
        assert_eq!(tags, "New/B-LOC York/I-LOC City/O");
        insta::assert_snapshot!(losses.join("\n"), @r#"
        document "d": LOC 0..9 "New York ": the entity begins or ends inside a token
        document "d": LOC 4..8 "York": the entity overlaps another one, and tags hold only entities side by side
        document "d": A|B 9..13 "City": the label has characters that the format cannot hold
        document "d": LOC 9..12 "Cit": the entity begins or ends inside a token
        "#);
    }

    #[test]
    fn tokens_are_found_in_their_text() {
        assert_eq!(align(" a  b", ["a", "b"]), Some(vec![1..2, 4..5]));
        assert_eq!(align("ab ", ["a", "b"]), Some(vec![0..1, 1..2]));
        assert_eq!(align("a c", ["a", "b"]), None);
        assert_eq!(align("a b c", ["a", "b"]), None);
    }
}
