//! The tag of a word, and the schemes by which models tag.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a model's tags mark the words of an entity.
///
/// | words | `Bio` | `Bioes` |
/// |---|---|---|
/// | Анна | `B-PER` | `B-PER` |
/// | Мария | `I-PER` | `I-PER` |
/// | Петрова | `I-PER` | `E-PER` |
/// | в | `O` | `O` |
/// | Пловдив | `B-LOC` | `S-LOC` |
///
/// As text and in files the schemes are called `bio` and `bioes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagScheme {
    /// `B` for the first word, `I` for the others. Also called IOB2. The default.
    #[default]
    Bio,
    /// `B` for the first of several words, `I` between, `E` for the last, `S` for a single word.
    Bioes,
}

impl TagScheme {
    /// The name: `bio` or `bioes`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bio => "bio",
            Self::Bioes => "bioes",
        }
    }
}

/// Shows the name: `bio` or `bioes`.
impl fmt::Display for TagScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TagScheme {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "bio" => Ok(Self::Bio),
            "bioes" => Ok(Self::Bioes),
            _ => Err(Error::UnknownTagScheme {
                name: name.to_owned(),
            }),
        }
    }
}

/// What a tag says about its word. The number is the id of the entity type, as in
/// [`TagSet::types`](crate::TagSet::types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// `O`: in no entity.
    Outside,
    /// `B`: the first word of an entity; under BIOES the first of several.
    Begin(usize),
    /// `I`: a further word of an entity; under BIOES neither the first nor the last.
    Inside(usize),
    /// `E`: the last of several words.
    End(usize),
    /// `S`: the only word of an entity.
    Single(usize),
}

impl Tag {
    /// Id of the entity type; `None` for [`Tag::Outside`].
    #[must_use]
    pub fn type_id(self) -> Option<usize> {
        match self {
            Self::Outside => None,
            Self::Begin(id) | Self::Inside(id) | Self::End(id) | Self::Single(id) => Some(id),
        }
    }

    /// The letter of the tag: one of `O B I E S`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Outside => 'O',
            Self::Begin(_) => 'B',
            Self::Inside(_) => 'I',
            Self::End(_) => 'E',
            Self::Single(_) => 'S',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_have_names() {
        for scheme in [TagScheme::Bio, TagScheme::Bioes] {
            assert_eq!(scheme.as_str().parse(), Ok(scheme));
            assert_eq!(
                serde_json::to_string(&scheme).unwrap(),
                format!("\"{scheme}\"")
            );
        }
        let error = "iob".parse::<TagScheme>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown tag scheme \"iob\": expected bio or bioes"
        );
    }

    #[test]
    fn only_the_outside_tag_has_no_type() {
        assert_eq!(Tag::Outside.type_id(), None);
        let tags = [Tag::Begin(3), Tag::Inside(3), Tag::End(3), Tag::Single(3)];
        assert!(tags.iter().all(|tag| tag.type_id() == Some(3)));
        assert_eq!(tags.map(Tag::letter), ['B', 'I', 'E', 'S']);
    }
}
