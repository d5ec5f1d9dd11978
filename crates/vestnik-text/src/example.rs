//! From annotated documents to labelled examples.

use vestnik_core::{Document, Span, TagSet, TypedRange};

use crate::{Example, IGNORE, TokenizedText, Window};

/// The windows of a document as examples for training a token classifier.
///
/// The first token of a word carries the word's tag, its other tokens are [`IGNORE`], and so are the tokens of a
/// window that belong to another one. A word is inside an entity when the two overlap; of entities that share a word
/// the first keeps it, of entities that start together the longest. Entities of types that `tags` does not know are left
/// out; words of an entity that `tags` cannot write (a type with `B-` alone and several words) are [`IGNORE`].
///
/// Where the document annotates only some types, a word without an entity may still be one of the others: its set of
/// possible tags ([`Example::allowed`]) is `O` and every tag of the types that are not annotated. With more than 64 tags
/// such words are [`IGNORE`].
///
/// [`Example::document`] is 0; the caller numbers documents.
#[must_use]
pub fn ner_examples(
    document: &Document,
    text: &TokenizedText,
    windows: &[Window],
    tags: &TagSet,
) -> Vec<Example> {
    let labels = WordLabels::new(document, &text.words, tags);
    let windows = windows.iter().enumerate();
    windows
        .map(|(number, window)| example(text, number, window, &labels))
        .collect()
}

fn example(text: &TokenizedText, number: usize, window: &Window, words: &WordLabels) -> Example {
    let mut labels = vec![IGNORE; window.tokens.len()];
    let mut allowed = vec![0; window.tokens.len()];
    for token in window.core.clone() {
        let Some(word) = text.word_begun_by(token) else {
            continue;
        };
        let at = token - window.tokens.start;
        labels[at] = words.labels[word];
        if labels[at] == words.outside {
            allowed[at] = words.open;
        }
    }
    Example {
        document: 0,
        window: number,
        ids: text.tokens.ids[window.tokens.clone()].to_vec(),
        labels: Some(labels),
        allowed: (words.open != 0).then_some(allowed),
    }
}

/// The labels of all words of a document.
struct WordLabels {
    labels: Vec<i64>,
    /// The label of words without an entity; it is [`IGNORE`] when nothing can be learnt from them.
    outside: i64,
    /// The tags that a word without an entity may have, as bits; 0 when it has none but `O`.
    open: u64,
}

impl WordLabels {
    fn new(document: &Document, words: &[Span], tags: &TagSet) -> Self {
        let open = open_tags(document, tags);
        let outside = if open.is_some() {
            tags.outside() as i64
        } else {
            IGNORE
        };
        let mut labels = vec![outside; words.len()];
        for range in entity_words(document, words, tags) {
            write_tags(tags, range, &mut labels[range.start..range.end]);
        }
        Self {
            labels,
            outside,
            open: open.unwrap_or(0),
        }
    }
}

/// The words of each entity, in order and disjoint.
fn entity_words(document: &Document, words: &[Span], tags: &TagSet) -> Vec<TypedRange> {
    let mut entities: Vec<_> = document.entities().iter().collect();
    entities.sort_by_key(|entity| (entity.span.start(), std::cmp::Reverse(entity.span.end())));
    let mut ranges: Vec<TypedRange> = Vec::new();
    for entity in entities {
        let Some(type_id) = tags.types().id(&entity.label) else {
            continue;
        };
        let start = words.partition_point(|word| word.end() <= entity.span.start());
        let end = words.partition_point(|word| word.start() < entity.span.end());
        let start = start.max(ranges.last().map_or(0, |last| last.end));
        if start < end {
            ranges.push(TypedRange {
                start,
                end,
                type_id,
            });
        }
    }
    ranges
}

/// Labels the words of one entity.
fn write_tags(tags: &TagSet, range: TypedRange, labels: &mut [i64]) {
    let n_words = labels.len();
    let alone = TypedRange {
        start: 0,
        end: n_words,
        ..range
    };
    match tags.encode(n_words, &[alone]) {
        Ok(ids) => labels
            .iter_mut()
            .zip(ids)
            .for_each(|(label, id)| *label = id as i64),
        Err(_) => labels.fill(IGNORE),
    }
}

/// The tags that a word without an entity may have, as bits: 0 when the annotation covers all types, `None` when the bits
/// are too few.
fn open_tags(document: &Document, tags: &TagSet) -> Option<u64> {
    let is_open = |&id: &usize| {
        let label = tags
            .tag(id)
            .type_id()
            .and_then(|type_id| tags.types().label(type_id));
        label.is_some_and(|label| !document.annotates(label))
    };
    let open: Vec<usize> = (0..tags.len()).filter(is_open).collect();
    if open.is_empty() {
        return Some(0);
    }
    let bit = |id: usize| (id < 64).then(|| 1_u64 << id);
    open.into_iter()
        .chain([tags.outside()])
        .try_fold(0, |bits, id| Some(bits | bit(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoding, WindowOptions, windows};
    use vestnik_core::{Entity, LabelSet, TagScheme};

    /// The words of a text, two tokens for each word of more than three bytes.
    fn tokenized(text: &str) -> TokenizedText {
        let words = crate::words(text);
        let mut tokenized = TokenizedText {
            words: words.clone(),
            ..TokenizedText::default()
        };
        for (number, word) in words.iter().enumerate() {
            let first = tokenized.tokens.len() as u32;
            tokenized.word_first_token.push(Some(first));
            for _ in 0..if word.len() > 3 { 2 } else { 1 } {
                let Encoding { ids, offsets } = &mut tokenized.tokens;
                ids.push(ids.len() as u32);
                offsets.push((word.start(), word.end()));
                tokenized.token_word.push(Some(number as u32));
            }
        }
        tokenized
    }

    fn document(text: &str, entities: &[(&str, &str)]) -> Document {
        let mut document = Document::new("1", text);
        for (name, label) in entities {
            let start = text.find(name).unwrap();
            let span = Span::new(start, start + name.len()).unwrap();
            document.push_entity(Entity::new(span, *label)).unwrap();
        }
        document
    }

    fn tags() -> TagSet {
        // O, B-PER, I-PER, B-LOC, I-LOC
        TagSet::new(TagScheme::Bio, &LabelSet::new(["PER", "LOC"]).unwrap())
    }

    fn examples(document: &Document, max_tokens: usize, context: usize) -> Vec<Example> {
        let text = tokenized(document.text());
        let windows = windows(
            &text,
            &WindowOptions {
                max_tokens,
                context,
            },
        );
        ner_examples(document, &text, &windows, &tags())
    }

    #[test]
    fn the_first_token_of_a_word_has_its_tag() {
        let document = document("Jo Smith of Rome", &[("Jo Smith", "PER"), ("Rome", "LOC")]);
        let found = examples(&document, 10, 0);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].ids, [0, 1, 2, 3, 4, 5]);
        assert_eq!(found[0].labels, Some(vec![1, 2, IGNORE, 0, 3, IGNORE]));
        assert_eq!(found[0].allowed, None);
    }

    #[test]
    fn context_is_not_labelled_and_every_word_is_once() {
        let document = document("a b c d e f g h", &[("c d", "PER")]);
        let found = examples(&document, 4, 1);
        assert!(found.len() > 1);
        let labels: Vec<i64> = found
            .iter()
            .flat_map(|e| e.labels.clone().unwrap())
            .filter(|&label| label != IGNORE)
            .collect();
        assert_eq!(labels, [0, 0, 1, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn a_word_that_overlaps_is_inside_and_the_longest_first_entity_keeps_it() {
        let document = document(
            "US-Iran talks in New York",
            &[
                ("US", "LOC"),
                ("Iran", "LOC"),
                ("New", "PER"),
                ("New York", "LOC"),
            ],
        );
        let labels = examples(&document, 20, 0)[0].labels.clone().unwrap();
        let labels: Vec<i64> = labels
            .into_iter()
            .filter(|&label| label != IGNORE)
            .collect();
        assert_eq!(labels, [3, 0, 0, 3, 4]);
    }

    #[test]
    fn words_without_entity_may_be_of_the_types_that_are_not_annotated() {
        let document =
            document("Jo of Rome", &[("Jo", "PER"), ("Rome", "EVT")]).with_annotated(["PER"]);
        let found = examples(&document, 10, 0);
        let open = 0b11001;
        assert_eq!(found[0].labels, Some(vec![1, 0, 0, IGNORE]));
        assert_eq!(found[0].allowed, Some(vec![0, open, open, 0]));
        let all = document.with_annotated(["LOC", "PER", "EVT"]);
        assert_eq!(examples(&all, 10, 0)[0].allowed, None);
    }

    #[test]
    fn tag_sets_that_cannot_say_it_teach_nothing_wrong() {
        let document = document("Jo Roe in Rome", &[("Jo Roe", "PER"), ("Rome", "LOC")]);
        let text = tokenized(document.text());
        let windows = windows(
            &text,
            &WindowOptions {
                max_tokens: 9,
                context: 0,
            },
        );
        let only_begin =
            TagSet::from_labels(&LabelSet::new(["O", "B-PER", "B-LOC"]).unwrap()).unwrap();
        let found = ner_examples(&document, &text, &windows, &only_begin);
        assert_eq!(found[0].labels, Some(vec![IGNORE, IGNORE, 0, 2, IGNORE]));

        let many: Vec<String> = (0..40)
            .map(|i| format!("T{i}"))
            .chain(["PER".to_owned()])
            .collect();
        let many = TagSet::new(TagScheme::Bio, &LabelSet::new(many).unwrap());
        let partly = document.with_annotated(["PER"]);
        let found = ner_examples(&partly, &text, &windows, &many);
        assert_eq!(found[0].labels, Some(vec![81, 82, IGNORE, IGNORE, IGNORE]));
        assert_eq!(found[0].allowed, None);
    }
}
