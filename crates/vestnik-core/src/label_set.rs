//! An ordered set of labels with dense ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The labels of a task in a fixed order. The id of a label is its position, from 0.
///
/// There is at least one label, none is empty and none occurs twice. In JSON a label set is the
/// list of its labels, and reading checks the same.
///
/// # Example
/// ```
/// use vestnik_core::{Error, LabelSet};
///
/// let labels = LabelSet::new(["PER", "ORG", "LOC"])?;
/// assert_eq!(labels.id("ORG"), Some(1));
/// assert_eq!(labels.label(1), Some("ORG"));
/// assert_eq!(labels.id("EVT"), None);
///
/// let twice = LabelSet::new(["PER", "ORG", "PER"]);
/// assert_eq!(twice, Err(Error::DuplicateLabel { label: "PER".to_owned(), first: 0, second: 2 }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LabelSet {
    labels: Vec<String>,
    ids: BTreeMap<String, usize>,
}

impl LabelSet {
    /// Takes the labels in the order of their ids.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::EmptyLabel`] or [`Error::DuplicateLabel`].
    pub fn new<I, S>(labels: I) -> Result<Self>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        if labels.is_empty() {
            return Err(Error::NoLabels);
        }
        let ids = ids(&labels)?;
        Ok(Self { labels, ids })
    }

    /// The id of a label; `None` when the set does not have it.
    #[must_use]
    pub fn id(&self, label: &str) -> Option<usize> {
        self.ids.get(label).copied()
    }

    /// The label with an id; `None` when `id` is not smaller than [`LabelSet::len`].
    #[must_use]
    pub fn label(&self, id: usize) -> Option<&str> {
        self.labels.get(id).map(String::as_str)
    }

    /// Number of labels, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always false: a label set has at least one label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labels in the order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator + Clone {
        self.labels.iter().map(String::as_str)
    }
}

/// The position of each label.
fn ids(labels: &[String]) -> Result<BTreeMap<String, usize>> {
    let mut ids = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        if label.is_empty() {
            return Err(Error::EmptyLabel { index });
        }
        if let Some(first) = ids.insert(label.clone(), index) {
            let label = label.clone();
            return Err(Error::DuplicateLabel {
                label,
                first,
                second: index,
            });
        }
    }
    Ok(ids)
}

impl TryFrom<Vec<String>> for LabelSet {
    type Error = Error;

    fn try_from(labels: Vec<String>) -> Result<Self> {
        Self::new(labels)
    }
}

impl From<LabelSet> for Vec<String> {
    fn from(set: LabelSet) -> Self {
        set.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_positions() {
        let labels = LabelSet::new(["neutral", "против", "favour"]).unwrap();
        assert_eq!(labels.len(), 3);
        assert!(!labels.is_empty());
        for (id, label) in labels.iter().enumerate() {
            assert_eq!(
                (labels.id(label), labels.label(id)),
                (Some(id), Some(label))
            );
        }
        assert_eq!((labels.id(""), labels.label(3)), (None, None));
    }

    #[test]
    fn what_is_no_label_set_is_refused() {
        assert_eq!(LabelSet::new(Vec::<String>::new()), Err(Error::NoLabels));
        assert_eq!(
            LabelSet::new(["PER", ""]),
            Err(Error::EmptyLabel { index: 1 })
        );
        assert!(matches!(
            LabelSet::new(["a", "b", "b"]),
            Err(Error::DuplicateLabel {
                first: 1,
                second: 2,
                ..
            })
        ));
    }

    #[test]
    fn json_is_a_list_and_is_checked() {
        let labels = LabelSet::new(["ORG", "PER"]).unwrap();
        let json = serde_json::to_string(&labels).unwrap();
        assert_eq!(json, r#"["ORG","PER"]"#);
        assert_eq!(serde_json::from_str::<LabelSet>(&json).unwrap(), labels);
        let error = serde_json::from_str::<LabelSet>(r#"["ORG","ORG"]"#).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(r#"label "ORG" occurs twice, at 0 and at 1"#)
        );
    }
}
