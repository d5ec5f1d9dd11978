//! The schemes of tag columns, and how to tell them apart.

use std::fmt;
use std::str::FromStr;

use super::{ColumnTag, OUTSIDE};
use crate::{Error, Result};

/// How the tag column of a file marks the words of an entity.
///
/// | words | IOB1 | IOB2 | BIOES | BILOU |
/// |---|---|---|---|---|
/// | Лев | `I-PER` | `B-PER` | `B-PER` | `B-PER` |
/// | Толстой | `I-PER` | `I-PER` | `E-PER` | `L-PER` |
/// | Пушкин | `B-PER` | `B-PER` | `S-PER` | `U-PER` |
/// | в | `O` | `O` | `O` | `O` |
/// | Ясной | `I-LOC` | `B-LOC` | `B-LOC` | `B-LOC` |
/// | Поляне | `I-LOC` | `I-LOC` | `E-LOC` | `L-LOC` |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnScheme {
    /// `I` for every word; `B` only for the first word of an entity that touches another of its
    /// type.
    Iob1,
    /// `B` for the first word, `I` for the others. Also called BIO.
    Iob2,
    /// `B` for the first of several words, `I` between, `E` for the last, `S` for a single word.
    Bioes,
    /// As BIOES, with `L` for `E` and `U` for `S`.
    Bilou,
}

impl ColumnScheme {
    /// Finds the scheme of a file from the tags of all its sentences.
    ///
    /// The majority decides, so that a few wrong tags in a file are later reported as wrong and do
    /// not turn the reading of the whole file. A file without entities counts as IOB2.
    ///
    /// # Example
    /// ```
    /// use vestnik_core::ColumnScheme;
    ///
    /// let sentences = [vec!["I-PER", "I-PER", "O"], vec!["O", "I-LOC"]];
    /// let scheme = ColumnScheme::detect(sentences);
    /// assert_eq!(scheme, ColumnScheme::Iob1);
    /// assert_eq!(scheme.to_string(), "IOB1");
    /// ```
    pub fn detect<'a, S, T>(sentences: S) -> Self
    where
        S: IntoIterator<Item = T>,
        T: IntoIterator<Item = &'a str>,
    {
        let mut evidence = Evidence::default();
        for sentence in sentences {
            evidence.add(sentence);
        }
        evidence.scheme()
    }

    /// The tags of a sentence of `n_words` words with entities at `spans`: first word, word behind the last one, type.
    ///
    /// [`read_tags`](crate::read_tags) gives the same spans back. Spans must be sorted and must not overlap; what reaches
    /// past the words is left out.
    ///
    /// # Example
    /// ```
    /// use vestnik_core::ColumnScheme;
    ///
    /// let spans = [(0, 2, "PER"), (2, 3, "PER")];
    /// assert_eq!(ColumnScheme::Iob1.tags(4, &spans), ["I-PER", "I-PER", "B-PER", "O"]);
    /// assert_eq!(ColumnScheme::Bilou.tags(4, &spans), ["B-PER", "L-PER", "U-PER", "O"]);
    /// ```
    #[must_use]
    pub fn tags(self, n_words: usize, spans: &[(usize, usize, &str)]) -> Vec<String> {
        let mut tags = vec!["O".to_owned(); n_words];
        let mut previous = (0, "");
        for &(start, end, kind) in spans {
            let touches = previous == (start, kind);
            let words = tags.iter_mut().take(end).skip(start).enumerate();
            for (index, tag) in words {
                let letter = self.letter(index, end - start, touches);
                *tag = format!("{letter}-{kind}");
            }
            previous = (end, kind);
        }
        tags
    }

    /// The letter for word `index` of an entity of `n_words` words that touches or does not touch one of its type.
    fn letter(self, index: usize, n_words: usize, touches: bool) -> char {
        let (last, single) = match self {
            Self::Iob1 if touches => ('I', 'B'),
            Self::Iob1 => return 'I',
            Self::Iob2 => ('I', 'B'),
            Self::Bioes => ('E', 'S'),
            Self::Bilou => ('L', 'U'),
        };
        match (index, index + 1 == n_words) {
            (0, true) => single,
            (0, false) => 'B',
            (_, true) => last,
            (_, false) => 'I',
        }
    }

    /// Reads a tag; `None` when it is none of the scheme.
    pub(super) fn parse(self, tag: &str) -> Option<ColumnTag<'_>> {
        let (letter, kind) = match split(tag) {
            None if self == Self::Iob1 && !tag.is_empty() => ('I', tag),
            parts => parts?,
        };
        let letter = match (self, letter) {
            (_, 'O' | 'B' | 'I') | (Self::Bioes, 'E' | 'S') => letter,
            (Self::Bilou, 'L') => 'E',
            (Self::Bilou, 'U') => 'S',
            _ => return None,
        };
        Some(ColumnTag { letter, kind })
    }

    /// Whether only `B` and `S` may begin an entity.
    pub(super) fn marks_beginnings(self) -> bool {
        self != Self::Iob1
    }

    /// Whether several words must end with `E` or `L`.
    pub(super) fn closes_entities(self) -> bool {
        matches!(self, Self::Bioes | Self::Bilou)
    }
}

/// Reads a name in upper or lower case; `BIO` is IOB2.
impl FromStr for ColumnScheme {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "iob1" => Ok(Self::Iob1),
            "iob2" | "bio" => Ok(Self::Iob2),
            "bioes" | "iobes" => Ok(Self::Bioes),
            "bilou" => Ok(Self::Bilou),
            _ => Err(Error::UnknownColumnScheme {
                name: name.to_owned(),
            }),
        }
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

/// Letter (of `O B I E S L U`) and type of a tag; `None` for anything else.
fn split(tag: &str) -> Option<(char, &str)> {
    if tag == "O" {
        return Some(('O', OUTSIDE.kind));
    }
    let (prefix, kind) = tag.split_once('-')?;
    let letter = prefix.chars().next()?;
    let known = prefix.len() == 1 && matches!(letter, 'B' | 'I' | 'E' | 'S' | 'L' | 'U');
    (known && !kind.is_empty()).then_some((letter, kind))
}

/// How many tags of a file speak for which scheme.
#[derive(Debug, Default)]
struct Evidence {
    /// `B`.
    begins: usize,
    /// `B` that does not touch a word of its type, where IOB1 would write `I`.
    begins_apart: usize,
    /// `I`, or a label without prefix, that does not touch a word of its type, where IOB2 would
    /// write `B`.
    insides_apart: usize,
    /// `E` and `S`.
    ends: usize,
    /// `L` and `U`.
    lasts: usize,
}

impl Evidence {
    fn add<'a>(&mut self, sentence: impl IntoIterator<Item = &'a str>) {
        let mut previous = OUTSIDE.kind;
        for tag in sentence {
            let (letter, kind) = split(tag).unwrap_or(('I', tag));
            let apart = usize::from(kind != previous);
            match letter {
                'B' => {
                    self.begins += 1;
                    self.begins_apart += apart;
                }
                'I' => self.insides_apart += apart,
                'E' | 'S' => self.ends += 1,
                'L' | 'U' => self.lasts += 1,
                _ => {}
            }
            previous = kind;
        }
    }

    fn scheme(&self) -> ColumnScheme {
        // Where entities are closed, there are at least as many ends as beginnings.
        let beginnings = self.begins + self.insides_apart;
        let closings = self.ends.max(self.lasts);
        if closings > 0 && 2 * closings >= beginnings {
            if self.lasts > self.ends {
                ColumnScheme::Bilou
            } else {
                ColumnScheme::Bioes
            }
        } else if self.insides_apart > self.begins_apart {
            ColumnScheme::Iob1
        } else {
            ColumnScheme::Iob2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentences stand on lines.
    fn check(text: &str, expected: ColumnScheme) {
        let scheme = ColumnScheme::detect(text.lines().map(str::split_whitespace));
        assert_eq!(scheme, expected, "{text}");
    }

    #[test]
    fn each_scheme_by_its_own_tags() {
        check("I-PER I-PER B-PER O I-LOC", ColumnScheme::Iob1);
        check("B-PER I-PER B-PER O B-LOC", ColumnScheme::Iob2);
        check("B-PER E-PER S-PER O S-LOC", ColumnScheme::Bioes);
        check("B-PER L-PER U-PER O U-LOC", ColumnScheme::Bilou);
        check("O O S-LOC", ColumnScheme::Bioes);
        check("O O U-LOC", ColumnScheme::Bilou);
    }

    #[test]
    fn tags_are_read_back() {
        let spans = [
            (0, 1, "PER"),
            (1, 3, "PER"),
            (3, 6, "LOC"),
            (7, 8, "A-B"),
            (8, 9, "LOC"),
        ];
        for scheme in ["iob1", "bio", "BIOES", "bilou"] {
            let scheme: ColumnScheme = scheme.parse().unwrap();
            let tags = scheme.tags(10, &spans);
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            let read = crate::spans_of_tags(&tags, scheme).unwrap();
            let read: Vec<_> = read
                .iter()
                .map(|(a, b, kind)| (*a, *b, kind.as_str()))
                .collect();
            assert_eq!(read, spans, "{scheme}: {tags:?}");
            assert_eq!(ColumnScheme::detect([tags]), scheme);
        }
        assert!("IOB3".parse::<ColumnScheme>().is_err());
    }

    #[test]
    fn sentences_do_not_touch() {
        check("O I-PER\nI-PER O", ColumnScheme::Iob1);
        check("O B-PER\nB-PER O", ColumnScheme::Iob2);
    }

    #[test]
    fn labels_without_prefix_are_read_as_iob1() {
        check("person person O location", ColumnScheme::Iob1);
    }

    #[test]
    fn nothing_speaks_for_iob2() {
        check("", ColumnScheme::Iob2);
        check("O O\n\nO", ColumnScheme::Iob2);
        check("B-PER I-LOC", ColumnScheme::Iob2);
    }

    #[test]
    fn a_few_wrong_tags_do_not_turn_a_file() {
        let iob2 = "B-PER I-PER O B-LOC\n".repeat(20);
        check(&format!("{iob2}O I-PER"), ColumnScheme::Iob2);
        check(&format!("{iob2}O S-PER E-PER U-LOC"), ColumnScheme::Iob2);
        let iob1 = "I-PER I-PER O I-LOC\n".repeat(20);
        check(&format!("{iob1}O B-PER S-LOC"), ColumnScheme::Iob1);
        let bioes = "B-PER I-PER E-PER S-LOC\n".repeat(20);
        check(&format!("{bioes}I-PER O L-PER"), ColumnScheme::Bioes);
    }
}
