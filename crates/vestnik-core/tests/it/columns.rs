//! Properties of reading the tag columns of files.

use proptest::prelude::*;
use vestnik_core::{ColumnScheme, TagScheme, TypedRange, read_tags, spans_of_tags};

use crate::tags::{flat_ranges, tag_set};

const N_WORDS: usize = 24;

/// The tags of the ranges in a scheme, written without the help of the crate's own encoder.
fn written(ranges: &[TypedRange], scheme: ColumnScheme) -> Vec<String> {
    let mut tags = vec!["O".to_owned(); N_WORDS];
    let mut previous: Option<TypedRange> = None;
    for &range in ranges {
        let touches = previous.is_some_and(|previous| {
            previous.end == range.start && previous.type_id == range.type_id
        });
        let kind = ["PER", "PRO-GAME", "ЛИЦО"][range.type_id];
        for (word, tag) in tags
            .iter_mut()
            .enumerate()
            .take(range.end)
            .skip(range.start)
        {
            let (first, last) = (word == range.start, word + 1 == range.end);
            let letter = match scheme {
                ColumnScheme::Iob1 if first && touches => 'B',
                ColumnScheme::Iob1 => 'I',
                ColumnScheme::Bioes if first && last => 'S',
                ColumnScheme::Bilou if first && last => 'U',
                _ if first => 'B',
                ColumnScheme::Bioes if last => 'E',
                ColumnScheme::Bilou if last => 'L',
                _ => 'I',
            };
            *tag = format!("{letter}-{kind}");
        }
        previous = Some(range);
    }
    tags
}

fn expected(ranges: &[TypedRange]) -> Vec<(usize, usize, String)> {
    let tags = tag_set(TagScheme::Bio);
    let kind = |type_id| tags.types().label(type_id).unwrap().to_owned();
    ranges
        .iter()
        .map(|range| (range.start, range.end, kind(range.type_id)))
        .collect()
}

fn column_schemes() -> impl Strategy<Value = ColumnScheme> {
    use ColumnScheme::{Bilou, Bioes, Iob1, Iob2};
    prop::sample::select(vec![Iob1, Iob2, Bioes, Bilou])
}

proptest! {
    #[test]
    fn every_scheme_is_found_and_read(ranges in flat_ranges(N_WORDS), scheme in column_schemes()) {
        let tags = written(&ranges, scheme);
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        prop_assert_eq!(spans_of_tags(&tags, scheme), Ok(expected(&ranges)));
        if !ranges.is_empty() {
            let found = ColumnScheme::detect([tags.iter().copied()]);
            prop_assert_eq!(spans_of_tags(&tags, found), Ok(expected(&ranges)), "as {}", found);
        }
    }

    #[test]
    fn a_model_writes_what_a_file_would(ranges in flat_ranges(N_WORDS)) {
        let pairs = [
            (TagScheme::Bio, ColumnScheme::Iob2),
            (TagScheme::Bioes, ColumnScheme::Bioes),
        ];
        for (scheme, column) in pairs {
            let tags = tag_set(scheme);
            let ids = tags.encode(N_WORDS, &ranges).unwrap();
            let names: Vec<String> = ids.iter().map(|&id| tags.labels()[id].clone()).collect();
            prop_assert_eq!(names, written(&ranges, column));
        }
    }

    #[test]
    fn anything_is_read(
        tags in prop::collection::vec("[OBIESLU]?-?(PER|LOC|-)?|\\PC{0,4}", 0..12),
        scheme in column_schemes(),
    ) {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let reading = read_tags(&tags, scheme);
        for (start, end, kind) in &reading.spans {
            prop_assert!(start < end && *end <= tags.len() && !kind.is_empty());
        }
        prop_assert!(reading.spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        prop_assert!(reading.problems.iter().all(|problem| problem.tag == tags[problem.index]));
        prop_assert!(reading.problems.is_sorted_by_key(|problem| problem.index));
        prop_assert_eq!(spans_of_tags(&tags, scheme).is_ok(), reading.problems.is_empty());
        let _ = ColumnScheme::detect([tags]);
    }
}
