//! The tags of a token-classification model.

mod codec;

use crate::{Error, LabelSet, Result, Tag, TagScheme};

/// A range of words with an entity type, end-exclusive.
///
/// Ordered by start, then by end, then by type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypedRange {
    /// First word.
    pub start: usize,
    /// Word behind the last one.
    pub end: usize,
    /// Id of the entity type, as in [`TagSet::types`].
    pub type_id: usize,
}

/// The tags of a token-classification model, `O`, `B-PER` and so on, with their ids: what they
/// mean, which may follow which, and the way between tags and ranges of words.
///
/// # Types without all tags
/// Models come with all kinds of labels, so each entity type has rules of its own:
/// - A type without `B` (labels such as `PER` or `I-PER` alone, the IO scheme) starts with `I`.
///   Such tags cannot tell two touching entities of one type from one long entity.
/// - A type with `E` is closed: several words must end with `E`, one word needs `S`.
///
/// # Example
/// ```
/// use vestnik_core::{LabelSet, Tag, TagScheme, TagSet, TypedRange};
///
/// let types = LabelSet::new(["PER", "LOC"])?;
/// let tags = TagSet::new(TagScheme::Bioes, &types);
/// assert_eq!(
///     tags.labels(),
///     ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC"],
/// );
///
/// let person = TypedRange { start: 0, end: 2, type_id: 0 };
/// let place = TypedRange { start: 3, end: 4, type_id: 1 };
/// let ids = tags.encode(5, &[person, place])?;
/// assert_eq!(ids, [1, 3, 0, 8, 0]);
/// assert_eq!(tags.decode(&ids), [person, place]);
///
/// // For a Viterbi search: E-PER may follow B-PER, and nothing else but I-PER may.
/// assert_eq!((tags.tag(1), tags.tag(3)), (Tag::Begin(0), Tag::End(0)));
/// assert!(tags.may_follow(Some(1), 3));
/// assert!(!tags.may_follow(Some(1), tags.outside()));
/// assert!(!tags.may_end(1));
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSet {
    scheme: TagScheme,
    /// Names of the tags by id.
    labels: LabelSet,
    types: LabelSet,
    /// Meaning of the tags by id.
    tags: Vec<Tag>,
    outside: usize,
    /// Ids of the tags of each type.
    by_type: Vec<TypeTags>,
}

/// The ids of the tags of one entity type; at least one of them is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct TypeTags {
    begin: Option<usize>,
    inside: Option<usize>,
    end: Option<usize>,
    single: Option<usize>,
}

impl TypeTags {
    /// Where the id of `tag` is kept; `None` for [`Tag::Outside`].
    fn slot(&mut self, tag: Tag) -> Option<&mut Option<usize>> {
        match tag {
            Tag::Outside => None,
            Tag::Begin(_) => Some(&mut self.begin),
            Tag::Inside(_) => Some(&mut self.inside),
            Tag::End(_) => Some(&mut self.end),
            Tag::Single(_) => Some(&mut self.single),
        }
    }
}

impl TagSet {
    /// Makes the tags of a new model: `O` first, then for each type `B`, `I` and, under BIOES, `E`,
    /// `S`.
    #[must_use]
    pub fn new(scheme: TagScheme, types: &LabelSet) -> Self {
        let letters: &[char] = match scheme {
            TagScheme::Bio => &['B', 'I'],
            TagScheme::Bioes => &['B', 'I', 'E', 'S'],
        };
        let mut labels = vec!["O".to_owned()];
        let mut tags = vec![Tag::Outside];
        for (type_id, name) in types.iter().enumerate() {
            labels.extend(letters.iter().map(|letter| format!("{letter}-{name}")));
            tags.extend(letters.iter().map(|&letter| tag(letter, type_id)));
        }
        let labels = LabelSet::new(labels).expect("different types have different tags");
        Self::assemble(labels, types.clone(), tags).expect("each tag is made once")
    }

    /// Reads the labels of an existing model (its `id2label`), in any order.
    ///
    /// Types get their ids in the order in which they first occur. `B-` and `I-` are always
    /// prefixes; `E-`, `S-` and their BILOU names `L-`, `U-` are prefixes when the same type also
    /// has `B-` or `I-`. Any other label, such as `PER` or `E-MAIL`, is the `I` of a type of that
    /// name.
    ///
    /// # Errors
    /// [`Error::NoOutsideTag`] without a label `O`, [`Error::NoEntityTags`] with no other label,
    /// [`Error::SameTag`] when two labels mean the same, such as `PER` and `I-PER`.
    ///
    /// # Example
    /// ```
    /// use vestnik_core::{LabelSet, Tag, TagScheme, TagSet};
    ///
    /// let labels = LabelSet::new(["I-LOC", "B-LOC", "O", "DATE"])?;
    /// let tags = TagSet::from_labels(&labels)?;
    /// assert_eq!(tags.scheme(), TagScheme::Bio);
    /// assert_eq!(tags.outside(), 2);
    /// assert_eq!(tags.types().iter().collect::<Vec<_>>(), ["LOC", "DATE"]);
    /// assert_eq!(tags.tag(3), Tag::Inside(1));
    /// # Ok::<(), vestnik_core::Error>(())
    /// ```
    pub fn from_labels(labels: &LabelSet) -> Result<Self> {
        if labels.id("O").is_none() {
            let labels = labels.iter().map(str::to_owned).collect();
            return Err(Error::NoOutsideTag { labels });
        }
        let mut types: Vec<&str> = Vec::new();
        let mut tags = Vec::with_capacity(labels.len());
        for label in labels.iter() {
            tags.push(match split(label, labels) {
                ('O', _) => Tag::Outside,
                (letter, name) => tag(letter, position_or_push(&mut types, name)),
            });
        }
        let types = LabelSet::new(types).map_err(|_| Error::NoEntityTags)?;
        Self::assemble(labels.clone(), types, tags)
    }

    fn assemble(labels: LabelSet, types: LabelSet, tags: Vec<Tag>) -> Result<Self> {
        let mut by_type = vec![TypeTags::default(); types.len()];
        let mut outside = 0;
        for (id, &tag) in tags.iter().enumerate() {
            let slot = tag.type_id().and_then(|type_id| by_type[type_id].slot(tag));
            match slot.map(|slot| slot.replace(id)) {
                None => outside = id,
                Some(None) => {}
                Some(Some(first)) => return Err(same_tag(&labels, first, id)),
            }
        }
        let closed = |tags: &TypeTags| tags.end.is_some() || tags.single.is_some();
        let scheme = if by_type.iter().any(closed) {
            TagScheme::Bioes
        } else {
            TagScheme::Bio
        };
        Ok(Self {
            scheme,
            labels,
            types,
            tags,
            outside,
            by_type,
        })
    }

    /// Number of tags, at least 2.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Always false: there is `O` and at least one tag of a type.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Id of the tag `O`.
    #[must_use]
    pub fn outside(&self) -> usize {
        self.outside
    }

    /// The tag with an id.
    ///
    /// # Panics
    /// When `id` is not smaller than [`TagSet::len`].
    #[must_use]
    pub fn tag(&self, id: usize) -> Tag {
        self.tags[id]
    }

    /// The tags in the order of their ids.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The id of a tag; `None` when the set does not have it.
    #[must_use]
    pub fn id(&self, tag: Tag) -> Option<usize> {
        self.tags.iter().position(|&known| known == tag)
    }

    /// The entity types.
    #[must_use]
    pub fn types(&self) -> &LabelSet {
        &self.types
    }

    /// [`TagScheme::Bioes`] when any type has `E` or `S`, else [`TagScheme::Bio`].
    #[must_use]
    pub fn scheme(&self) -> TagScheme {
        self.scheme
    }

    /// The names of the tags in the order of their ids, as they are written in a model's
    /// configuration.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.labels.iter().map(str::to_owned).collect()
    }

    /// The names of the tags as the label set of a model.
    #[must_use]
    pub fn label_set(&self) -> &LabelSet {
        &self.labels
    }
}

fn tag(letter: char, type_id: usize) -> Tag {
    match letter {
        'B' => Tag::Begin(type_id),
        'E' => Tag::End(type_id),
        'S' => Tag::Single(type_id),
        _ => Tag::Inside(type_id),
    }
}

/// Letter (of `O B I E S`) and type of a model's label.
fn split<'a>(label: &'a str, labels: &LabelSet) -> (char, &'a str) {
    if label == "O" {
        return ('O', "");
    }
    let parts = label.split_once('-').filter(|(_, name)| !name.is_empty());
    let Some((prefix, name)) = parts else {
        return ('I', label);
    };
    let known = |prefix: &str| labels.id(&format!("{prefix}-{name}")).is_some();
    match prefix {
        "B" => ('B', name),
        "I" => ('I', name),
        // Alone, they may be part of a name: `E-MAIL`, `S-BAHN`.
        "E" | "L" if known("B") || known("I") => ('E', name),
        "S" | "U" if known("B") || known("I") => ('S', name),
        _ => ('I', label),
    }
}

fn position_or_push<'a>(names: &mut Vec<&'a str>, name: &'a str) -> usize {
    names
        .iter()
        .position(|known| *known == name)
        .unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
}

fn same_tag(labels: &LabelSet, first: usize, second: usize) -> Error {
    let name = |id| labels.label(id).unwrap_or_default().to_owned();
    Error::SameTag {
        first: name(first),
        second: name(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[&str]) -> Result<TagSet> {
        TagSet::from_labels(&LabelSet::new(labels.iter().copied()).unwrap())
    }

    fn types(tags: &TagSet) -> Vec<&str> {
        tags.types().iter().collect()
    }

    #[test]
    fn own_labels_are_read_back() {
        let types = LabelSet::new(["PER", "PRO-GAME", "ЛИЦО", "E-MAIL", "O"]).unwrap();
        for scheme in [TagScheme::Bio, TagScheme::Bioes] {
            let tags = TagSet::new(scheme, &types);
            assert_eq!(tags.scheme(), scheme);
            assert_eq!(TagSet::from_labels(tags.label_set()), Ok(tags));
        }
    }

    #[test]
    fn any_order_and_bilou_names() {
        let tags = read(&["U-ORG", "L-ORG", "I-ORG", "O", "B-ORG"]).unwrap();
        assert_eq!(tags.scheme(), TagScheme::Bioes);
        assert_eq!(tags.outside(), 3);
        assert_eq!(
            tags.tags(),
            [
                Tag::Single(0),
                Tag::End(0),
                Tag::Inside(0),
                Tag::Outside,
                Tag::Begin(0)
            ]
        );
        assert_eq!(tags.id(Tag::Begin(0)), Some(4));
        assert_eq!(tags.id(Tag::Begin(1)), None);
        assert_eq!(tags.labels()[0], "U-ORG");
    }

    #[test]
    fn labels_without_prefix_are_types() {
        let tags = read(&["O", "PER", "E-MAIL", "S-BAHN", "B-", "x-y"]).unwrap();
        assert_eq!(types(&tags), ["PER", "E-MAIL", "S-BAHN", "B-", "x-y"]);
        assert_eq!(tags.scheme(), TagScheme::Bio);
        assert_eq!(tags.tag(2), Tag::Inside(1));
    }

    #[test]
    fn labels_that_are_no_tags_are_refused() {
        let labels = vec!["LABEL_0".to_owned(), "LABEL_1".to_owned()];
        assert_eq!(
            read(&["LABEL_0", "LABEL_1"]),
            Err(Error::NoOutsideTag { labels })
        );
        assert_eq!(read(&["O"]), Err(Error::NoEntityTags));
        let (first, second) = ("I-PER".to_owned(), "PER".to_owned());
        assert_eq!(
            read(&["O", "I-PER", "PER"]),
            Err(Error::SameTag { first, second })
        );
        assert!(matches!(
            read(&["B-A", "E-A", "L-A", "O"]),
            Err(Error::SameTag { .. })
        ));
    }
}
