//! Tags of words, and the schemes that a model's tags follow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a model's tags mark the words of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagScheme {
    /// `B` for the first word, `I` for the others (IOB2). The default.
    #[default]
    Bio,
    /// `B` first, `I` between, `E` last, `S` for an entity of one word.
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
                expected: "bio or bioes",
            }),
        }
    }
}

/// What a tag says about its word; the number is the id of the entity type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// In no entity.
    Outside,
    /// First word of an entity.
    Begin(usize),
    /// In an entity, not its first word (nor its last one under BIOES).
    Inside(usize),
    /// Last of several words.
    End(usize),
    /// The only word of an entity.
    Single(usize),
}

impl Tag {
    /// Id of the entity type; `None` outside entities.
    #[must_use]
    pub fn type_id(self) -> Option<usize> {
        match self {
            Self::Outside => None,
            Self::Begin(id) | Self::Inside(id) | Self::End(id) | Self::Single(id) => Some(id),
        }
    }

    /// The letter of the tag: one of `O B I E S`.
    #[must_use]
    pub fn prefix(self) -> char {
        match self {
            Self::Outside => 'O',
            Self::Begin(_) => 'B',
            Self::Inside(_) => 'I',
            Self::End(_) => 'E',
            Self::Single(_) => 'S',
        }
    }
}
