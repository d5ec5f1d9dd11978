//! The tag column of a file: its scheme, the entities that it marks, and what is wrong with it.

mod scheme;

pub use scheme::ColumnScheme;

use crate::Result;
use crate::chunks::Chunker;

/// What is wrong with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagDefect {
    /// The tag is none of the scheme.
    Unknown,
    /// The tag continues or ends an entity, and there is none before it.
    Orphan,
    /// The tag begins or continues an entity that nothing ends.
    Unclosed,
}

impl TagDefect {
    fn message(self) -> &'static str {
        match self {
            Self::Unknown => "is not a tag of",
            Self::Orphan => "continues an entity that nothing began, by the rules of",
            Self::Unclosed => "leaves an entity without an end, by the rules of",
        }
    }
}

/// A tag that does not fit the scheme of its column, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tag {tag:?} at position {index} {} {scheme}", defect.message())]
pub struct TagProblem {
    /// Position of the tag in its sentence, from 0.
    pub index: usize,
    /// The tag as it is written.
    pub tag: String,
    /// What is wrong with it.
    pub defect: TagDefect,
    /// The scheme of the column.
    pub scheme: ColumnScheme,
}

/// The entities that the tags of a sentence mark, and all that is wrong with the tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagReading {
    /// First word, word behind the last one, entity type; in the order of the words.
    pub spans: Vec<(usize, usize, String)>,
    /// Everything that is wrong, in the order of the tags.
    pub problems: Vec<TagProblem>,
}

/// Reads the tags of one sentence and refuses defects: first word, word behind the last one and
/// type of each entity.
///
/// # Errors
/// [`Error::Tag`](crate::Error::Tag) with the first tag that does not fit the scheme. [`read_tags`]
/// gives all of them.
///
/// # Example
/// ```
/// use vestnik_core::{ColumnScheme, spans_of_tags};
///
/// let tags = ["B-PER", "L-PER", "O", "U-LOC"];
/// let spans = spans_of_tags(&tags, ColumnScheme::Bilou)?;
/// assert_eq!(spans, [(0, 2, "PER".to_owned()), (3, 4, "LOC".to_owned())]);
///
/// let error = spans_of_tags(&["O", "I-PER"], ColumnScheme::Iob2).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"tag "I-PER" at position 1 continues an entity that nothing began, by the rules of IOB2"#,
/// );
/// # Ok::<(), vestnik_core::Error>(())
/// ```
pub fn spans_of_tags(tags: &[&str], scheme: ColumnScheme) -> Result<Vec<(usize, usize, String)>> {
    let TagReading { spans, problems } = read_tags(tags, scheme);
    match problems.into_iter().next() {
        Some(problem) => Err(problem.into()),
        None => Ok(spans),
    }
}

/// Reads the tags of one sentence whatever is wrong with them, and lists all defects.
///
/// Where tags are wrong, the entities are those of conlleval's lenient rules: a tag that continues
/// nothing starts an entity, an entity need not be closed, a change of type starts a new entity, an
/// unknown tag is an `O`.
///
/// Under IOB1 a label without prefix, such as `PER`, is read as `I-PER`.
///
/// # Example
/// ```
/// use vestnik_core::{ColumnScheme, TagDefect, read_tags};
///
/// let reading = read_tags(&["B-PER", "O", "I-LOC", "?"], ColumnScheme::Iob2);
/// assert_eq!(reading.spans, [(0, 1, "PER".to_owned()), (2, 3, "LOC".to_owned())]);
/// let [orphan, unknown] = &reading.problems[..] else { panic!("two tags are wrong") };
/// assert_eq!((orphan.index, orphan.defect), (2, TagDefect::Orphan));
/// assert_eq!((unknown.index, unknown.defect), (3, TagDefect::Unknown));
/// ```
#[must_use]
pub fn read_tags(tags: &[&str], scheme: ColumnScheme) -> TagReading {
    let parsed: Vec<Option<ColumnTag<'_>>> = tags.iter().map(|tag| scheme.parse(tag)).collect();
    let problem = |(index, defect)| TagProblem {
        index,
        tag: tags[index].to_owned(),
        defect,
        scheme,
    };
    TagReading {
        spans: spans(&parsed),
        problems: defects(&parsed, scheme).into_iter().map(problem).collect(),
    }
}

/// A tag of a file, with the letters of BILOU changed to those of BIOES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ColumnTag<'a> {
    /// One of `O B I E S`.
    letter: char,
    /// Entity type; empty for `O`.
    kind: &'a str,
}

const OUTSIDE: ColumnTag<'static> = ColumnTag {
    letter: 'O',
    kind: "",
};

impl ColumnTag<'_> {
    /// Whether the entity goes on behind the tag, if it follows the rules of BIOES.
    fn is_open(self) -> bool {
        matches!(self.letter, 'B' | 'I')
    }

    /// Whether the entity has begun before the tag.
    fn is_continued(self) -> bool {
        matches!(self.letter, 'I' | 'E')
    }
}

fn spans(tags: &[Option<ColumnTag<'_>>]) -> Vec<(usize, usize, String)> {
    let mut chunker = Chunker::new(OUTSIDE.kind);
    tags.iter()
        .map(|tag| tag.unwrap_or(OUTSIDE))
        .chain([OUTSIDE])
        .filter_map(|tag| chunker.push(tag.letter, tag.kind))
        .map(|(start, end, kind)| (start, end, kind.to_owned()))
        .collect()
}

/// Position and kind of everything that is wrong.
fn defects(tags: &[Option<ColumnTag<'_>>], scheme: ColumnScheme) -> Vec<(usize, TagDefect)> {
    let mut defects = Vec::new();
    let mut previous = OUTSIDE;
    for (index, &tag) in tags.iter().enumerate() {
        let next = tag.unwrap_or(OUTSIDE);
        let joined = previous.is_open() && next.is_continued() && previous.kind == next.kind;
        if index > 0 && previous.is_open() && !joined && scheme.closes_entities() {
            defects.push((index - 1, TagDefect::Unclosed));
        }
        if tag.is_none() {
            defects.push((index, TagDefect::Unknown));
        }
        if next.is_continued() && !joined && scheme.marks_beginnings() {
            defects.push((index, TagDefect::Orphan));
        }
        previous = next;
    }
    if previous.is_open() && scheme.closes_entities() {
        defects.push((tags.len() - 1, TagDefect::Unclosed));
    }
    defects
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scheme: ColumnScheme, tags: &str, spans: &str, problems: &str) {
        let tags: Vec<&str> = tags.split_whitespace().collect();
        let reading = read_tags(&tags, scheme);
        let shown: Vec<String> = reading
            .spans
            .iter()
            .map(|(start, end, kind)| format!("{start}..{end} {kind}"))
            .collect();
        assert_eq!(shown.join(", "), spans, "{tags:?}");
        let shown: Vec<String> = reading
            .problems
            .iter()
            .map(|problem| format!("{} {:?}", problem.index, problem.defect))
            .collect();
        assert_eq!(shown.join(", "), problems, "{tags:?}");
        assert_eq!(spans_of_tags(&tags, scheme).is_ok(), problems.is_empty());
    }

    #[test]
    fn iob1_begins_only_behind_the_same_type() {
        let scheme = ColumnScheme::Iob1;
        check(scheme, "", "", "");
        check(scheme, "I-PER I-PER O I-LOC", "0..2 PER, 3..4 LOC", "");
        check(scheme, "I-PER B-PER I-PER", "0..1 PER, 1..3 PER", "");
        check(scheme, "I-PER I-LOC", "0..1 PER, 1..2 LOC", "");
        check(scheme, "PER PER O LOC", "0..2 PER, 3..4 LOC", "");
        check(scheme, "I-PER E-PER", "0..1 PER", "1 Unknown");
    }

    #[test]
    fn iob2_begins_with_b() {
        let scheme = ColumnScheme::Iob2;
        check(
            scheme,
            "B-PER I-PER B-PER O B-LOC",
            "0..2 PER, 2..3 PER, 4..5 LOC",
            "",
        );
        check(scheme, "O I-PER I-PER", "1..3 PER", "1 Orphan");
        check(
            scheme,
            "B-PER I-LOC I-LOC",
            "0..1 PER, 1..3 LOC",
            "1 Orphan",
        );
        check(
            scheme,
            "B-PER PER o B- -PER",
            "0..1 PER",
            "1 Unknown, 2 Unknown, 3 Unknown, 4 Unknown",
        );
    }

    #[test]
    fn bioes_and_bilou_close_entities() {
        check(
            ColumnScheme::Bioes,
            "S-PER B-PER I-PER E-PER B-A E-A",
            "0..1 PER, 1..4 PER, 4..6 A",
            "",
        );
        check(
            ColumnScheme::Bilou,
            "U-PER B-PER I-PER L-PER B-A L-A",
            "0..1 PER, 1..4 PER, 4..6 A",
            "",
        );
        check(ColumnScheme::Bioes, "B-PER O", "0..1 PER", "0 Unclosed");
        check(ColumnScheme::Bioes, "O B-PER", "1..2 PER", "1 Unclosed");
        check(
            ColumnScheme::Bioes,
            "B-PER I-LOC E-LOC",
            "0..1 PER, 1..3 LOC",
            "0 Unclosed, 1 Orphan",
        );
        check(
            ColumnScheme::Bioes,
            "E-PER E-PER",
            "0..1 PER, 1..2 PER",
            "0 Orphan, 1 Orphan",
        );
        check(
            ColumnScheme::Bilou,
            "B-PER E-PER",
            "0..1 PER",
            "0 Unclosed, 1 Unknown",
        );
    }

    #[test]
    fn types_may_hold_hyphens_and_any_letters() {
        check(
            ColumnScheme::Iob2,
            "B-PRO-GAME I-PRO-GAME B-ЛИЦО",
            "0..2 PRO-GAME, 2..3 ЛИЦО",
            "",
        );
    }

    #[test]
    fn an_empty_tag_is_unknown() {
        let problems = read_tags(&["", "B-PER"], ColumnScheme::Iob1).problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(
            (problems[0].index, problems[0].defect),
            (0, TagDefect::Unknown)
        );
    }
}
