//! From annotated documents to labelled examples.

use vestnik_core::{Document, LabelSet, Span, Tag, TagSet, TypedRange};

use crate::{Example, IGNORE, TokenizedText, Window};

/// The windows of a document as examples for training a token classifier.
///
/// The first token of a word carries the word's tag, its other tokens are [`IGNORE`], and so are the tokens of a
/// window that belong to another one. A word is inside an entity when the two overlap; of entities that share a word
/// the first keeps it. Entities of types that `tags` does not know are left out.
///
/// Where the document annotates only some types, a word without an entity may still be one of the others: its set of
/// possible tags ([`Example::allowed`]) is `O` and every tag of the types that are not annotated.
#[must_use]
pub fn ner_examples(
    document: &Document,
    text: &TokenizedText,
    windows: &[Window],
    tags: &TagSet,
) -> Vec<Example> {
    let word_tags = word_tags(document, &text.words, tags);
    let open = open_tags(document.annotated(), tags);
    let example = |(window, place): (usize, &Window)| {
        let mut labels = vec![IGNORE; place.tokens.len()];
        let mut allowed = vec![0; place.tokens.len()];
        for token in place.core.clone() {
            let Some(word) = first_token_word(text, token) else {
                continue;
            };
            let tag = word_tags[word];
            labels[token - place.tokens.start] = tag as i64;
            if tag == tags.outside() {
                allowed[token - place.tokens.start] = open;
            }
        }
        Example {
            document: 0,
            window,
            ids: text.tokens.ids[place.tokens.clone()].to_vec(),
            labels: Some(labels),
            allowed: (open != 0).then_some(allowed),
        }
    };
    windows.iter().enumerate().map(example).collect()
}

/// The word that `token` is the first of.
fn first_token_word(text: &TokenizedText, token: usize) -> Option<usize> {
    let word = text.token_word[token]? as usize;
    (text.word_first_token[word] == Some(token as u32)).then_some(word)
}

/// A tag for every word.
fn word_tags(document: &Document, words: &[Span], tags: &TagSet) -> Vec<usize> {
    let mut ranges: Vec<TypedRange> = vec![];
    for entity in document.entities() {
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
    tags.encode(words.len(), &ranges)
        .expect("ranges are ordered, disjoint and of known types")
}

/// The tags that a word without an entity may have, as bits; 0 when the annotation covers all types.
fn open_tags(annotated: Option<&[String]>, tags: &TagSet) -> u64 {
    let Some(annotated) = annotated else { return 0 };
    let is_open = |types: &LabelSet, type_id: usize| {
        types
            .label(type_id)
            .is_some_and(|label| !annotated.iter().any(|name| name == label))
    };
    let open = (0..tags.len().min(64)).filter(|&id| match tags.tag(id) {
        Tag::Outside => false,
        Tag::Begin(type_id) | Tag::Inside(type_id) | Tag::End(type_id) | Tag::Single(type_id) => {
            is_open(tags.types(), type_id)
        }
    });
    let bits = open.fold(0, |bits, id| bits | 1 << id);
    if bits == 0 {
        0
    } else {
        bits | 1 << tags.outside()
    }
}
