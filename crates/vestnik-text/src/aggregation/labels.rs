//! A model's labels as the `transformers` pipeline reads them.

use vestnik_core::LabelSet;

/// The label that marks what is no entity.
const OUTSIDE: &str = "O";

/// The labels of a model by their ids.
#[derive(Clone, Debug)]
pub(crate) struct GroupLabels {
    labels: Vec<GroupLabel>,
    names: LabelSet,
}

/// One label.
///
/// `get_tag` of the pipeline: `B-` begins a group, `I-` and every label without one of the two prefixes continues one of
/// the same tag. `group_sub_entities`: a group is named by what follows the first hyphen of its first label. So `E-PER`
/// never continues `I-PER`, and both make groups named `PER`.
#[derive(Clone, Debug)]
struct GroupLabel {
    begins: bool,
    tag: String,
    name: String,
}

impl GroupLabels {
    /// The labels of groups of tokens or words.
    pub(crate) fn grouped(labels: &LabelSet) -> Self {
        Self::new(labels, group_label)
    }

    /// The labels of single tokens: each one as it is.
    pub(crate) fn raw(labels: &LabelSet) -> Self {
        Self::new(labels, |label| GroupLabel {
            begins: true,
            tag: label.to_owned(),
            name: label.to_owned(),
        })
    }

    fn new(labels: &LabelSet, read: impl Fn(&str) -> GroupLabel) -> Self {
        let read: Vec<GroupLabel> = labels.iter().map(read).collect();
        Self {
            // A model with `O` alone has no names of entities; its answers are empty.
            names: LabelSet::new(entity_names(&read)).unwrap_or_else(|_| labels.clone()),
            labels: read,
        }
    }

    /// Number of labels.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The labels that entities can have, in the order in which they first occur.
    pub(crate) fn names(&self) -> &LabelSet {
        &self.names
    }

    /// Whether a token or word labelled `next` belongs to the entity of the one before it.
    pub(crate) fn continues(&self, previous: usize, next: usize) -> bool {
        let (previous, next) = (&self.labels[previous], &self.labels[next]);
        !next.begins && previous.tag == next.tag
    }

    /// The name of an entity that begins with this label; `None` when it is no entity.
    pub(crate) fn name(&self, label: usize) -> Option<&str> {
        Some(self.labels[label].name.as_str()).filter(|name| *name != OUTSIDE)
    }
}

fn group_label(label: &str) -> GroupLabel {
    let tag = ["B-", "I-"]
        .iter()
        .find_map(|prefix| label.strip_prefix(prefix));
    let name = label
        .split_once('-')
        .map_or(label, |(_, behind_hyphen)| behind_hyphen);
    GroupLabel {
        begins: label.starts_with("B-"),
        tag: tag.unwrap_or(label).to_owned(),
        // An entity has a label: `B-` alone is its own name.
        name: if name.is_empty() { label } else { name }.to_owned(),
    }
}

fn entity_names(labels: &[GroupLabel]) -> Vec<&str> {
    let mut names = Vec::new();
    for label in labels {
        if label.name != OUTSIDE && !names.contains(&label.name.as_str()) {
            names.push(label.name.as_str());
        }
    }
    names
}
