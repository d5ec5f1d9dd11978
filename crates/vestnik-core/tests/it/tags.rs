//! Properties of the way between spans and tags.

use proptest::prelude::*;
use vestnik_core::{
    Document, Entity, Error, LabelSet, Span, Tag, TagScheme, TagSet, TypedRange, span_of_words,
    words_of_span,
};

use crate::texts;

const TYPES: [&str; 3] = ["PER", "PRO-GAME", "ЛИЦО"];

pub(crate) fn tag_set(scheme: TagScheme) -> TagSet {
    TagSet::new(scheme, &LabelSet::new(TYPES).unwrap())
}

fn schemes() -> impl Strategy<Value = TagSet> {
    prop::sample::select(vec![tag_set(TagScheme::Bio), tag_set(TagScheme::Bioes)])
}

/// Tag sets as models bring them: types that lack some tags, in any order.
fn any_tag_set() -> impl Strategy<Value = TagSet> {
    let read = |labels: &[&str]| {
        TagSet::from_labels(&LabelSet::new(labels.iter().copied()).unwrap()).unwrap()
    };
    prop::sample::select(vec![
        tag_set(TagScheme::Bio),
        tag_set(TagScheme::Bioes),
        read(&["PER", "O", "LOC"]),
        read(&["I-PER", "B-LOC", "I-LOC", "O"]),
        read(&["L-A", "U-A", "B-A", "I-A", "B-B", "I-B", "O", "C"]),
    ])
}

/// Ranges that do not overlap, touching ones among them, over up to `n_words` words.
pub(crate) fn flat_ranges(n_words: usize) -> impl Strategy<Value = Vec<TypedRange>> {
    let step = (0_usize..3, 1_usize..5, 0..TYPES.len());
    prop::collection::vec(step, 0..8).prop_map(move |steps| {
        let mut behind = 0;
        let mut ranges = Vec::new();
        for (gap, len, type_id) in steps {
            let (start, end) = (behind + gap, behind + gap + len);
            if end <= n_words {
                ranges.push(TypedRange {
                    start,
                    end,
                    type_id,
                });
            }
            behind = end;
        }
        ranges
    })
}

/// A valid sequence of tags: each of `choices` picks one of the tags that may follow.
fn valid_tags(tags: &TagSet, choices: &[usize]) -> Vec<usize> {
    let mut ids: Vec<usize> = Vec::new();
    for choice in choices {
        let previous = ids.last().copied();
        let allowed: Vec<usize> = (0..tags.len())
            .filter(|&id| tags.may_follow(previous, id))
            .collect();
        ids.push(allowed[choice % allowed.len()]);
    }
    while let Some(last) = ids.last().copied().filter(|&last| !tags.may_end(last)) {
        ids.extend((0..tags.len()).find(|&id| tags.may_follow(Some(last), id) && tags.may_end(id)));
    }
    ids
}

proptest! {
    #[test]
    fn spans_of_text_come_back_from_tags(
        text in texts::text(40),
        ranges in flat_ranges(12),
        tags in schemes(),
    ) {
        let words = texts::words(&text);
        let mut document = Document::new("1", text.as_str());
        for range in &ranges {
            if let Some(span) = span_of_words(&words, range.start..range.end) {
                document.push_entity(Entity::new(span, TYPES[range.type_id])).unwrap();
            }
        }
        let to_range = |entity: &Entity| {
            let words = words_of_span(&words, entity.span).unwrap();
            let type_id = tags.types().id(&entity.label).unwrap();
            TypedRange { start: words.start, end: words.end, type_id }
        };
        let encoded: Vec<TypedRange> = document.entities().iter().map(to_range).collect();
        let ids = tags.encode(words.len(), &encoded).unwrap();
        let to_entity = |range: TypedRange| {
            let span = span_of_words(&words, range.start..range.end).unwrap();
            Entity::new(span, tags.types().label(range.type_id).unwrap())
        };
        let decoded: Vec<Entity> = tags.decode(&ids).into_iter().map(to_entity).collect();
        prop_assert_eq!(decoded, document.entities());
    }

    #[test]
    fn ranges_come_back_from_tags(
        (sorted, shuffled) in flat_ranges(20)
            .prop_flat_map(|ranges| (Just(ranges.clone()), Just(ranges).prop_shuffle())),
        tags in schemes(),
    ) {
        let ids = tags.encode(20, &shuffled).unwrap();
        prop_assert_eq!(tags.decode(&ids), &sorted[..]);
        prop_assert_eq!(tags.decode_lenient(&ids), sorted);
        prop_assert!(tags.may_follow(None, ids[0]) && tags.may_end(ids[19]));
        prop_assert!(ids.windows(2).all(|pair| tags.may_follow(Some(pair[0]), pair[1])));
    }

    #[test]
    fn valid_tags_come_back_from_ranges(
        tags in any_tag_set(),
        choices in prop::collection::vec(0_usize..100, 0..20),
    ) {
        let ids = valid_tags(&tags, &choices);
        let ranges = tags.decode(&ids);
        prop_assert_eq!(tags.decode_lenient(&ids), &ranges[..]);
        prop_assert_eq!(tags.encode(ids.len(), &ranges).unwrap(), ids);
    }

    #[test]
    fn any_tags_are_read(
        (tags, ids) in any_tag_set().prop_flat_map(|tags| {
            let ids = prop::collection::vec(0..tags.len(), 0..20);
            (Just(tags), ids)
        }),
    ) {
        let strict = tags.decode(&ids);
        let lenient = tags.decode_lenient(&ids);
        for ranges in [&strict, &lenient] {
            let fits = |range: &TypedRange| range.start < range.end && range.end <= ids.len();
            prop_assert!(ranges.iter().all(fits));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
        // The strict reading takes only what it would write.
        for &range in &strict {
            let written = tags.encode(ids.len(), &[range]).unwrap();
            prop_assert_eq!(&written[range.start..range.end], &ids[range.start..range.end]);
        }
        // The lenient reading leaves out no tag.
        for (word, &id) in ids.iter().enumerate() {
            let inside = lenient.iter().any(|range| range.start <= word && word < range.end);
            prop_assert_eq!(inside, id != tags.outside());
        }
    }

    #[test]
    fn the_words_of_a_span_are_those_that_overlap_it(
        text in texts::text(20),
        start in 0_usize..60,
        len in 1_usize..30,
    ) {
        let words = texts::words(&text);
        let span = Span::new(start, start + len).unwrap();
        let overlaps = |&word: &usize| words[word].overlaps(span);
        let expected: Vec<usize> = (0..words.len()).filter(overlaps).collect();
        let found: Vec<usize> = words_of_span(&words, span).unwrap_or_default().collect();
        prop_assert_eq!(found, expected);
    }
}

fn range(start: usize, end: usize, type_id: usize) -> TypedRange {
    TypedRange {
        start,
        end,
        type_id,
    }
}

#[test]
fn ranges_that_tags_cannot_hold_are_refused() {
    let tags = tag_set(TagScheme::Bio);
    let out_of_bounds = |start, end| {
        Err(Error::RangeOutOfBounds {
            start,
            end,
            n_words: 4,
        })
    };
    assert_eq!(tags.encode(4, &[range(2, 5, 0)]), out_of_bounds(2, 5));
    assert_eq!(tags.encode(4, &[range(2, 2, 0)]), out_of_bounds(2, 2));
    assert_eq!(tags.encode(4, &[range(3, 2, 0)]), out_of_bounds(3, 2));
    assert_eq!(
        tags.encode(4, &[range(9, usize::MAX, 0)]),
        out_of_bounds(9, usize::MAX)
    );
    assert_eq!(
        tags.encode(4, &[range(2, 4, 1), range(0, 3, 0)]),
        Err(Error::RangesOverlap {
            first: (0, 3),
            second: (2, 4)
        })
    );
    assert_eq!(
        tags.encode(4, &[range(0, 1, 3)]),
        Err(Error::UnknownType {
            type_id: 3,
            n_types: 3
        })
    );
    assert_eq!(tags.encode(0, &[]), Ok(vec![]));
}

#[test]
fn a_model_without_a_tag_says_which_one() {
    let labels = LabelSet::new(["O", "B-PER", "E-PER", "B-LOC"]).unwrap();
    let tags = TagSet::from_labels(&labels).unwrap();
    let missing = |tag: &str, n_words| {
        Err(Error::TagMissing {
            tag: tag.to_owned(),
            n_words,
        })
    };
    assert_eq!(
        tags.encode(3, &[range(0, 2, 0), range(2, 3, 1)]),
        Ok(vec![1, 2, 3])
    );
    assert_eq!(tags.encode(3, &[range(0, 3, 0)]), missing("I-PER", 3));
    assert_eq!(tags.encode(3, &[range(0, 1, 0)]), missing("S-PER", 1));
    assert_eq!(tags.encode(3, &[range(0, 2, 1)]), missing("I-LOC", 2));
}

#[test]
fn labels_without_prefix_join_touching_entities() {
    let tags = TagSet::from_labels(&LabelSet::new(["O", "PER", "LOC"]).unwrap()).unwrap();
    let ids = tags
        .encode(5, &[range(0, 2, 0), range(2, 3, 0), range(3, 4, 1)])
        .unwrap();
    assert_eq!(ids, [1, 1, 1, 2, 0]);
    assert_eq!(tags.decode(&ids), [range(0, 3, 0), range(3, 4, 1)]);
    assert!((0..3).all(|id| tags.may_follow(None, id) && tags.may_end(id)));
}

/// Which tag may follow which, written out: rows are the tag before (`^` the start), columns the
/// next one.
fn transitions(tags: &TagSet) -> Vec<String> {
    let row = |previous: Option<usize>| {
        let mark = |id| {
            if tags.may_follow(previous, id) {
                'x'
            } else {
                '.'
            }
        };
        let end = previous.is_none_or(|last| tags.may_end(last));
        let end = if end { 'x' } else { '.' };
        (0..tags.len()).map(mark).chain([' ', end]).collect()
    };
    [None]
        .into_iter()
        .chain((0..tags.len()).map(Some))
        .map(row)
        .collect()
}

#[test]
fn transitions_of_bio() {
    let tags = TagSet::new(TagScheme::Bio, &LabelSet::new(["A", "B"]).unwrap());
    assert_eq!(tags.labels(), ["O", "B-A", "I-A", "B-B", "I-B"]);
    let expected = [
        "xx.x. x", "xx.x. x", "xxxx. x", "xxxx. x", "xx.xx x", "xx.xx x",
    ];
    assert_eq!(transitions(&tags), expected);
}

#[test]
fn transitions_of_bioes() {
    let tags = TagSet::new(TagScheme::Bioes, &LabelSet::new(["A"]).unwrap());
    assert_eq!(tags.labels(), ["O", "B-A", "I-A", "E-A", "S-A"]);
    let expected = [
        "xx..x x", "xx..x x", "..xx. .", "..xx. .", "xx..x x", "xx..x x",
    ];
    assert_eq!(transitions(&tags), expected);
    assert_eq!(tags.tag(4), Tag::Single(0));
}
