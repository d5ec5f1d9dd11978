//! An ordered set of labels with dense ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The labels of a task in a fixed order; the id of a label is its position, from 0.
///
/// Never empty, no label twice, no label empty. As JSON it is the list of its labels.
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
        let mut ids = BTreeMap::new();
        for (id, label) in labels.iter().enumerate() {
            if label.is_empty() {
                return Err(Error::EmptyLabel { index: id });
            }
            if let Some(first) = ids.insert(label.clone(), id) {
                return Err(Error::DuplicateLabel {
                    label: label.clone(),
                    first,
                    second: id,
                });
            }
        }
        Ok(Self { labels, ids })
    }

    /// The id of a label.
    #[must_use]
    pub fn id(&self, label: &str) -> Option<usize> {
        self.ids.get(label).copied()
    }

    /// The label with an id.
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
