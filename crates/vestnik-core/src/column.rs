//! Tag columns of files: which scheme they follow, and the entities that they mark.

use std::fmt;

use crate::chunks::Chunker;
use crate::{Error, Result};

/// How the tag column of a file marks the words of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnScheme {
    /// `I` for every word; `B` only for the first word behind an entity of the same type.
    Iob1,
    /// `B` for the first word, `I` for the others (BIO).
    Iob2,
    /// `B` first, `I` between, `E` last, `S` alone.
    Bioes,
    /// `B` first, `I` between, `L` last, `U` alone.
    Bilou,
}

impl ColumnScheme {
    /// Finds the scheme from the tags of all sentences.
    pub fn detect<'a, S, T>(sentences: S) -> Self
    where
        S: IntoIterator<Item = T>,
        T: IntoIterator<Item = &'a str>,
    {
        let mut evidence = Evidence::default();
        for sentence in sentences {
            evidence.add(sentence.into_iter());
        }
        evidence.scheme()
    }
}

/// Shows the name: `IOB1`, `IOB2`, `BIOES` or `BILOU`.
impl fmt::Display for ColumnScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Iob1 => "IOB1",
            Self::Iob2 => "IOB2",
            Self::Bioes => "BIOES",
            Self::Bilou => "BILOU",
        })
    }
}

/// What the tags of a file speak for.
#[derive(Debug, Default)]
struct Evidence {
    /// `B` that follows no word of its type: IOB1 would write `I`.
    fresh_begins: usize,
    /// `I` (or a label without prefix) that follows no word of its type: IOB2 would write `B`.
    orphans: usize,
    end_or_single: usize,
    last_or_unit: usize,
}

impl Evidence {
    fn add<'a>(&mut self, sentence: impl Iterator<Item = &'a str>) {
        let mut previous_type = "";
        for tag in sentence {
            let (letter, kind) = split(tag).unwrap_or(('I', tag));
            match letter {
                'E' | 'S' => self.end_or_single += 1,
                'L' | 'U' => self.last_or_unit += 1,
                'B' if kind != previous_type => self.fresh_begins += 1,
                'I' if kind != previous_type => self.orphans += 1,
                _ => {}
            }
            previous_type = kind;
        }
    }

    fn scheme(&self) -> ColumnScheme {
        if self.last_or_unit > self.end_or_single {
            ColumnScheme::Bilou
        } else if self.end_or_single > 0 {
            ColumnScheme::Bioes
        } else if self.orphans > self.fresh_begins {
            ColumnScheme::Iob1
        } else {
            ColumnScheme::Iob2
        }
    }
}

/// Letter and type of a tag; `O` has an empty type. `None` for anything else.
fn split(tag: &str) -> Option<(char, &str)> {
    if tag == "O" {
        return Some(('O', ""));
    }
    let (prefix, kind) = tag.split_once('-')?;
    let letter = match prefix {
        "B" => 'B',
        "I" => 'I',
        "E" => 'E',
        "S" => 'S',
        "L" => 'L',
        "U" => 'U',
        _ => return None,
    };
    (!kind.is_empty()).then_some((letter, kind))
}

/// What is wrong with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagDefect {
    /// Not a tag of the scheme.
    Unknown,
    /// Continues or ends an entity that nothing began.
    Orphan,
    /// Begins or continues an entity that nothing ends.
    Unclosed,
}

/// A tag that does not fit its column's scheme, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl fmt::Display for TagProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            index, tag, scheme, ..
        } = self;
        match self.defect {
            TagDefect::Unknown => write!(f, "tag {index} ({tag:?}) is not a tag of {scheme}"),
            TagDefect::Orphan => write!(
                f,
                "tag {index} ({tag:?}) continues no entity, as {scheme} demands"
            ),
            TagDefect::Unclosed => write!(
                f,
                "tag {index} ({tag:?}) is not followed by the end of its entity, as {scheme} demands"
            ),
        }
    }
}

/// The entities of a sentence's tags and everything that is wrong with the tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagReading {
    /// First word, word behind the last one, type; by the lenient rules of conlleval where tags are wrong.
    pub spans: Vec<(usize, usize, String)>,
    /// Everything that is wrong, in the order of the tags.
    pub problems: Vec<TagProblem>,
}

/// Reads the tags of one sentence strictly: start and end of every entity in words, and its type.
///
/// # Errors
/// [`Error::Tag`] with the first tag that does not fit the scheme.
pub fn spans_of_tags(tags: &[&str], scheme: ColumnScheme) -> Result<Vec<(usize, usize, String)>> {
    let reading = read_tags(tags, scheme);
    match reading.problems.into_iter().next() {
        Some(problem) => Err(Error::Tag(problem)),
        None => Ok(reading.spans),
    }
}

/// Reads the tags of one sentence leniently and lists all problems.
#[must_use]
pub fn read_tags(tags: &[&str], scheme: ColumnScheme) -> TagReading {
    let parsed: Vec<Option<(char, &str)>> = tags.iter().map(|tag| parse(tag, scheme)).collect();
    let problems = problems(&parsed)
        .filter(|(_, defect)| scheme != ColumnScheme::Iob1 || *defect == TagDefect::Unknown)
        .filter(|(_, defect)| scheme != ColumnScheme::Iob2 || *defect != TagDefect::Unclosed)
        .map(|(index, defect)| TagProblem {
            index,
            tag: tags[index].to_owned(),
            defect,
            scheme,
        })
        .collect();
    TagReading {
        spans: spans(&parsed),
        problems,
    }
}

fn spans(tags: &[Option<(char, &str)>]) -> Vec<(usize, usize, String)> {
    let mut chunker = Chunker::new("");
    tags.iter()
        .copied()
        .chain([None])
        .map(|tag| tag.unwrap_or(('O', "")))
        .filter_map(|(letter, kind)| chunker.push(letter, kind))
        .map(|(start, end, kind)| (start, end, kind.to_owned()))
        .collect()
}

/// Letter (of `O B I E S`) and type of a tag of the scheme.
fn parse(tag: &str, scheme: ColumnScheme) -> Option<(char, &str)> {
    let (letter, kind) = match split(tag) {
        Some(parts) => parts,
        None if scheme == ColumnScheme::Iob1 && !tag.is_empty() => ('I', tag),
        None => return None,
    };
    let letter = match (scheme, letter) {
        (_, 'O' | 'B' | 'I') | (ColumnScheme::Bioes, 'E' | 'S') => letter,
        (ColumnScheme::Bilou, 'L') => 'E',
        (ColumnScheme::Bilou, 'U') => 'S',
        _ => return None,
    };
    Some((letter, kind))
}

/// Position and kind of every defect, by the rules of BIOES.
fn problems<'a>(
    tags: &'a [Option<(char, &'a str)>],
) -> impl Iterator<Item = (usize, TagDefect)> + 'a {
    let tag = |index: usize| tags.get(index).copied().flatten().unwrap_or(('O', ""));
    (0..tags.len()).flat_map(move |index| {
        let (letter, kind) = tag(index);
        let opened = index.checked_sub(1).map_or(('O', ""), tag);
        let continued = tag(index + 1);
        let continues = matches!(opened.0, 'B' | 'I') && opened.1 == kind;
        let goes_on = matches!(continued.0, 'I' | 'E') && continued.1 == kind;
        [
            tags[index].is_none().then_some(TagDefect::Unknown),
            (matches!(letter, 'I' | 'E') && !continues).then_some(TagDefect::Orphan),
            (matches!(letter, 'B' | 'I') && !goes_on).then_some(TagDefect::Unclosed),
        ]
        .into_iter()
        .flatten()
        .map(move |defect| (index, defect))
    })
}
