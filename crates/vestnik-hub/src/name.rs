//! Names of models on the hub: `org/name`, with a revision `org/name@revision`.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The revision of a name that gives none.
const DEFAULT_REVISION: &str = "main";
/// The longest organisation or name that the hub accepts, in characters.
const MAX_PART: usize = 96;

/// The name of a model on the hub with a revision, checked so that no path made of it leaves the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    id: String,
    revision: String,
}

impl ModelName {
    /// Parses `org/name` (revision `main`) or `org/name@revision`; a revision is a branch, a tag or a commit hash.
    ///
    /// # Errors
    /// [`Error::Name`] where it is something else.
    pub fn parse(text: &str) -> Result<Self> {
        let (id, revision) = text.split_once('@').unwrap_or((text, DEFAULT_REVISION));
        match problem(id).or_else(|| revision_problem(revision)) {
            None => Ok(Self {
                id: id.to_owned(),
                revision: revision.to_owned(),
            }),
            Some(reason) => Err(Error::Name {
                name: text.to_owned(),
                reason,
            }),
        }
    }

    /// `org/name`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Branch, tag or commit hash.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The revision if it is a full commit hash, whose files never change.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        is_commit(&self.revision).then_some(self.revision())
    }
}

impl FromStr for ModelName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// `org/name`, or `org/name@revision` where that is not `main`.
impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if self.revision != DEFAULT_REVISION {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

/// Whether `text` is a full commit hash of git: 40 hexadecimal digits.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Whether `text` has nothing but lower-case hexadecimal digits.
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether `text` is a relative path of plain names, which stays inside of any folder it is appended to.
pub(crate) fn is_plain_path(text: &str) -> bool {
    text.split('/').all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
    })
}

fn problem(id: &str) -> Option<&'static str> {
    match id.split_once('/') {
        None => Some("a name has the form ORG/NAME"),
        Some((_, name)) if name.contains('/') => Some("a name has one slash: ORG/NAME"),
        Some((org, name)) => part_problem(org).or_else(|| part_problem(name)),
    }
}

/// What the hub's own rules refuse in an organisation or a name.
fn part_problem(part: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if part.is_empty() || part.len() > MAX_PART {
        Some("both parts of a name have 1 to 96 characters")
    } else if !part.chars().all(allowed) {
        Some("a name is made of letters, digits, '.', '_' and '-'")
    } else if part.contains("..") || part.contains("--") {
        Some("a name has no \"..\" and no \"--\"")
    } else if part.starts_with(['.', '-']) || part.ends_with(['.', '-']) {
        Some("a name does not begin or end with '.' or '-'")
    } else {
        None
    }
}

fn revision_problem(revision: &str) -> Option<&'static str> {
    if revision.is_empty() {
        Some("the revision after '@' is empty")
    } else if revision.contains("..") || !is_plain_path(revision) {
        Some("a revision is a branch, a tag or a commit hash")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_revision() {
        let name = ModelName::parse("org/news-model_1.0").unwrap();
        assert_eq!((name.id(), name.revision()), ("org/news-model_1.0", "main"));
        assert_eq!(name.to_string(), "org/news-model_1.0");
        let name: ModelName = "org/name@refs/pr/1".parse().unwrap();
        assert_eq!((name.id(), name.revision()), ("org/name", "refs/pr/1"));
        assert_eq!(name.to_string(), "org/name@refs/pr/1");
        assert_eq!(name.commit(), None);
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let name = ModelName::parse(&format!("org/name@{hash}")).unwrap();
        assert_eq!(name.commit(), Some(hash));
    }

    #[test]
    fn what_could_leave_the_cache_or_is_no_name_is_refused() {
        for text in [
            "",
            "name",
            "/etc/passwd",
            "../name",
            "org/..",
            "org/name/",
            "org/name/more",
            "./name",
            "org//name",
            "org\\name",
            "org/na me",
            "org/a--b",
            "org/name.",
            "org/имя",
            "org/name@",
            "org/name@../../x",
            "org/name@/x",
            "org/name@a//b",
            "org/name@a..b",
            "org/name@a b",
            "org/name@.hidden",
            "org/name@x@y",
        ] {
            assert!(
                matches!(ModelName::parse(text), Err(Error::Name { .. })),
                "{text:?}"
            );
        }
        assert!(ModelName::parse(&format!("org/{}", "n".repeat(97))).is_err());
    }

    #[test]
    fn plain_paths_stay_inside() {
        assert!(is_plain_path("model-00001-of-00002.safetensors"));
        assert!(is_plain_path("part/model.safetensors"));
        for path in ["", "../x", "/x", "a/../b", "a//b", "a\\b", "C:x", "a/.b"] {
            assert!(!is_plain_path(path), "{path:?}");
        }
    }
}
