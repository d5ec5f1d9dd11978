//! The tags of a token-classification model.

use crate::chunks::Chunker;
use crate::{Error, LabelSet, Result, Tag, TagScheme};

/// A range of words with an entity type, end-exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypedRange {
    /// First word.
    pub start: usize,
    /// Word behind the last one.
    pub end: usize,
    /// Entity type, an id of [`TagSet::types`].
    pub type_id: usize,
}

/// The ids of the tags of one entity type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct TypeTags {
    begin: Option<usize>,
    inside: Option<usize>,
    end: Option<usize>,
    single: Option<usize>,
}

/// The tags of a token-classification model: `O`, `B-PER`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSet {
    scheme: TagScheme,
    labels: LabelSet,
    types: LabelSet,
    tags: Vec<Tag>,
    outside: usize,
    of_type: Vec<TypeTags>,
}

impl TagSet {
    /// `O` first, then for each type `B`, `I` and under BIOES `E`, `S`.
    #[must_use]
    pub fn new(scheme: TagScheme, types: &LabelSet) -> Self {
        let prefixes: &[char] = match scheme {
            TagScheme::Bio => &['B', 'I'],
            TagScheme::Bioes => &['B', 'I', 'E', 'S'],
        };
        let mut labels = vec!["O".to_owned()];
        let mut tags = vec![Tag::Outside];
        for (type_id, label) in types.iter().enumerate() {
            labels.extend(prefixes.iter().map(|prefix| format!("{prefix}-{label}")));
            tags.extend(prefixes.iter().map(|&prefix| tag_of(prefix, type_id)));
        }
        let labels = LabelSet::new(labels).expect("prefixes keep distinct types distinct");
        Self::assemble(labels, types.clone(), tags).expect("every tag was made once")
    }

    /// Reads a model's labels, in any order.
    ///
    /// # Errors
    /// [`Error::NoOutsideTag`], [`Error::NoEntityTags`] or [`Error::SameTag`].
    pub fn from_labels(labels: &LabelSet) -> Result<Self> {
        if labels.id("O").is_none() {
            return Err(Error::NoOutsideTag {
                labels: labels.iter().map(str::to_owned).collect(),
            });
        }
        let mut names: Vec<&str> = Vec::new();
        let mut tags = Vec::new();
        for label in labels.iter() {
            let (prefix, name) = parse(label, labels);
            if prefix == 'O' {
                tags.push(Tag::Outside);
                continue;
            }
            let type_id = names
                .iter()
                .position(|known| *known == name)
                .unwrap_or(names.len());
            if type_id == names.len() {
                names.push(name);
            }
            tags.push(tag_of(prefix, type_id));
        }
        let types = LabelSet::new(names).map_err(|_| Error::NoEntityTags)?;
        Self::assemble(labels.clone(), types, tags)
    }

    fn assemble(labels: LabelSet, types: LabelSet, tags: Vec<Tag>) -> Result<Self> {
        let mut of_type = vec![TypeTags::default(); types.len()];
        let mut outside = 0;
        for (id, &tag) in tags.iter().enumerate() {
            let slot = match tag {
                Tag::Outside => {
                    outside = id;
                    continue;
                }
                Tag::Begin(type_id) => &mut of_type[type_id].begin,
                Tag::Inside(type_id) => &mut of_type[type_id].inside,
                Tag::End(type_id) => &mut of_type[type_id].end,
                Tag::Single(type_id) => &mut of_type[type_id].single,
            };
            if let Some(first) = slot.replace(id) {
                let name = |id| labels.label(id).unwrap_or_default().to_owned();
                return Err(Error::SameTag {
                    first: name(first),
                    second: name(id),
                });
            }
        }
        let bioes = of_type
            .iter()
            .any(|tags| tags.end.is_some() || tags.single.is_some());
        let scheme = if bioes {
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
            of_type,
        })
    }

    /// Number of tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Always false: there is at least `O`.
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

    /// The entity types.
    #[must_use]
    pub fn types(&self) -> &LabelSet {
        &self.types
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> TagScheme {
        self.scheme
    }

    /// The names of the tags in the order of their ids.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.labels.iter().map(str::to_owned).collect()
    }

    /// Whether `next` may follow `previous`, or stand first.
    #[must_use]
    pub fn may_follow(&self, previous: Option<usize>, next: usize) -> bool {
        let previous = previous.map_or(Tag::Outside, |id| self.tag(id));
        let next = self.tag(next);
        match next {
            Tag::Inside(_) | Tag::End(_) if continues(previous, next) => true,
            Tag::End(_) => false,
            Tag::Inside(type_id) if self.of_type[type_id].begin.is_some() => false,
            _ => self.may_stop(previous),
        }
    }

    /// Whether a sequence may end with `last`.
    #[must_use]
    pub fn may_end(&self, last: usize) -> bool {
        self.may_stop(self.tag(last))
    }

    fn may_stop(&self, tag: Tag) -> bool {
        match tag {
            Tag::Begin(type_id) | Tag::Inside(type_id) => self.of_type[type_id].end.is_none(),
            _ => true,
        }
    }

    /// The tags of `n_words` words with entities at `ranges`.
    ///
    /// # Errors
    /// [`Error::RangeOutOfBounds`], [`Error::RangesOverlap`], [`Error::UnknownType`] or
    /// [`Error::TagMissing`].
    pub fn encode(&self, n_words: usize, ranges: &[TypedRange]) -> Result<Vec<usize>> {
        let mut sorted = ranges.to_vec();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[1].start < pair[0].end) {
            return Err(Error::RangesOverlap {
                first: (pair[0].start, pair[0].end),
                second: (pair[1].start, pair[1].end),
            });
        }
        let mut ids = vec![self.outside; n_words];
        for range in sorted {
            self.write(range, &mut ids)?;
        }
        Ok(ids)
    }

    fn write(&self, range: TypedRange, ids: &mut [usize]) -> Result<()> {
        let TypedRange {
            start,
            end,
            type_id,
        } = range;
        let n_types = self.types.len();
        let tags = self
            .of_type
            .get(type_id)
            .ok_or(Error::UnknownType { type_id, n_types })?;
        if start >= end || end > ids.len() {
            return Err(Error::RangeOutOfBounds {
                start,
                end,
                n_words: ids.len(),
            });
        }
        let missing = |prefix| Error::TagMissing {
            prefix,
            label: self.types.label(type_id).unwrap_or_default().to_owned(),
            len: end - start,
        };
        if end - start == 1 && (tags.single.is_some() || tags.end.is_some()) {
            ids[start] = tags.single.ok_or_else(|| missing('S'))?;
            return Ok(());
        }
        ids[start] = tags.begin.or(tags.inside).ok_or_else(|| missing('B'))?;
        for id in &mut ids[start + 1..end] {
            *id = tags.inside.ok_or_else(|| missing('I'))?;
        }
        if let Some(last) = tags.end {
            ids[end - 1] = last;
        }
        Ok(())
    }

    /// The valid entities of a sequence of tags.
    #[must_use]
    pub fn decode(&self, tags: &[usize]) -> Vec<TypedRange> {
        let mut ranges = Vec::new();
        let mut open: Option<(usize, Tag)> = None;
        for (index, next) in tags
            .iter()
            .map(|&id| self.tag(id))
            .chain([Tag::Outside])
            .enumerate()
        {
            if let Some((start, tag)) = open.filter(|(_, tag)| continues(*tag, next)) {
                open = Some((
                    start,
                    if matches!(next, Tag::End(_)) {
                        next
                    } else {
                        tag
                    },
                ));
                continue;
            }
            ranges.extend(open.and_then(|(start, tag)| self.finished(start, index, tag)));
            open = self.may_start(next).then_some((index, next));
        }
        ranges
    }

    fn may_start(&self, tag: Tag) -> bool {
        match tag {
            Tag::Begin(_) | Tag::Single(_) => true,
            Tag::Inside(type_id) => self.of_type[type_id].begin.is_none(),
            Tag::Outside | Tag::End(_) => false,
        }
    }

    fn finished(&self, start: usize, end: usize, last: Tag) -> Option<TypedRange> {
        let type_id = last.type_id().filter(|_| self.may_stop(last))?;
        Some(TypedRange {
            start,
            end,
            type_id,
        })
    }

    /// The entities of a sequence of tags by the lenient rules of conlleval.
    #[must_use]
    pub fn decode_lenient(&self, tags: &[usize]) -> Vec<TypedRange> {
        let mut chunker = Chunker::new(None);
        tags.iter()
            .map(|&id| self.tag(id))
            .chain([Tag::Outside])
            .filter_map(|tag| chunker.push(tag.prefix(), tag.type_id()))
            .filter_map(|(start, end, kind)| {
                kind.map(|type_id| TypedRange {
                    start,
                    end,
                    type_id,
                })
            })
            .collect()
    }
}

/// Whether `next` belongs to the entity that `previous` is in.
fn continues(previous: Tag, next: Tag) -> bool {
    matches!(previous, Tag::Begin(_) | Tag::Inside(_))
        && matches!(next, Tag::Inside(_) | Tag::End(_))
        && previous.type_id() == next.type_id()
}

fn tag_of(prefix: char, type_id: usize) -> Tag {
    match prefix {
        'B' => Tag::Begin(type_id),
        'E' => Tag::End(type_id),
        'S' => Tag::Single(type_id),
        _ => Tag::Inside(type_id),
    }
}

/// Prefix (of `O B I E S`) and type of a model's label; a label without prefix is `I`.
fn parse<'a>(label: &'a str, labels: &LabelSet) -> (char, &'a str) {
    let Some((prefix, name)) = label.split_once('-').filter(|(_, name)| !name.is_empty()) else {
        return (if label == "O" { 'O' } else { 'I' }, label);
    };
    // `E-MAIL` is a type of its own unless the set has `B-MAIL` or `I-MAIL`.
    let has = |prefix: char| labels.id(&format!("{prefix}-{name}")).is_some();
    match prefix {
        "B" => ('B', name),
        "I" => ('I', name),
        "E" | "L" if has('B') || has('I') => ('E', name),
        "S" | "U" if has('B') || has('I') => ('S', name),
        _ => ('I', label),
    }
}
