//! Between tags and ranges of words, and which tag may follow which.

use super::{TypeTags, TypedRange};
use crate::chunks::Chunker;
use crate::{Error, Result, Tag, TagSet};

/// Which sequences of tags are valid.
impl TagSet {
    /// Whether tag `next` may follow tag `previous`, or stand first when `previous` is `None`.
    ///
    /// A sequence in which every tag may follow the one before it and whose last tag [may
    /// end](Self::may_end) is valid: [`TagSet::decode`] finds in it every word that has a tag other
    /// than `O`. `O` may stand first, follow itself and end, so there is always a valid sequence.
    ///
    /// # Panics
    /// When an id is not smaller than [`TagSet::len`].
    #[must_use]
    pub fn may_follow(&self, previous: Option<usize>, next: usize) -> bool {
        let previous = previous.map_or(Tag::Outside, |id| self.tag(id));
        let next = self.tag(next);
        if continues(previous, next) {
            return true;
        }
        self.may_stop(previous) && (next == Tag::Outside || self.may_start(next))
    }

    /// Whether tag `last` may be the last of a sequence.
    ///
    /// # Panics
    /// When `last` is not smaller than [`TagSet::len`].
    #[must_use]
    pub fn may_end(&self, last: usize) -> bool {
        self.may_stop(self.tag(last))
    }

    /// Whether an entity can start with the tag.
    fn may_start(&self, tag: Tag) -> bool {
        match tag {
            Tag::Begin(_) | Tag::Single(_) => true,
            Tag::Inside(type_id) => self.by_type[type_id].begin.is_none(),
            Tag::Outside | Tag::End(_) => false,
        }
    }

    /// Whether no entity is left open behind the tag.
    fn may_stop(&self, tag: Tag) -> bool {
        match tag {
            Tag::Begin(type_id) | Tag::Inside(type_id) => self.by_type[type_id].end.is_none(),
            Tag::Outside | Tag::End(_) | Tag::Single(_) => true,
        }
    }
}

/// Whether `next` belongs to the entity that `previous` is in.
fn continues(previous: Tag, next: Tag) -> bool {
    matches!(previous, Tag::Begin(_) | Tag::Inside(_))
        && matches!(next, Tag::Inside(_) | Tag::End(_))
        && previous.type_id() == next.type_id()
}

/// From ranges to tags.
impl TagSet {
    /// The ids of the tags of `n_words` words with entities at `ranges`, which may come in any
    /// order.
    ///
    /// # Errors
    /// [`Error::RangeOutOfBounds`] for a range that is empty or reaches past the words,
    /// [`Error::RangesOverlap`] for two that share a word, [`Error::UnknownType`] for a type that
    /// the set does not have, [`Error::TagMissing`] when the set lacks a tag of the type that the
    /// range needs.
    pub fn encode(&self, n_words: usize, ranges: &[TypedRange]) -> Result<Vec<usize>> {
        let mut sorted = ranges.to_vec();
        sorted.sort_unstable();
        let mut ids = vec![self.outside; n_words];
        for &range in &sorted {
            self.write(range, &mut ids)?;
        }
        match sorted
            .array_windows()
            .find(|[first, second]| second.start < first.end)
        {
            None => Ok(ids),
            Some([first, second]) => Err(Error::RangesOverlap {
                first: (first.start, first.end),
                second: (second.start, second.end),
            }),
        }
    }

    /// Writes the tags of one entity.
    fn write(&self, range: TypedRange, ids: &mut [usize]) -> Result<()> {
        let TypedRange {
            start,
            end,
            type_id,
        } = range;
        let n_words = ids.len();
        let n_types = self.by_type.len();
        let tags = self
            .by_type
            .get(type_id)
            .ok_or(Error::UnknownType { type_id, n_types })?;
        let words = ids.get_mut(start..end).filter(|words| !words.is_empty());
        let words = words.ok_or(Error::RangeOutOfBounds {
            start,
            end,
            n_words,
        })?;
        let n_words = words.len();
        for (index, id) in words.iter_mut().enumerate() {
            *id = tags
                .at(index, n_words)
                .map_err(|letter| self.tag_missing(letter, range))?;
        }
        Ok(())
    }

    fn tag_missing(&self, letter: char, range: TypedRange) -> Error {
        let label = self.types.label(range.type_id).unwrap_or_default();
        Error::TagMissing {
            tag: format!("{letter}-{label}"),
            n_words: range.end - range.start,
        }
    }
}

impl TypeTags {
    /// The id of the tag for word `index` of an entity of `n_words` words, or the letter that is
    /// missing.
    fn at(&self, index: usize, n_words: usize) -> std::result::Result<usize, char> {
        let closed = self.end.is_some() || self.single.is_some();
        match (index, n_words) {
            (0, 1) if closed => self.single.ok_or('S'),
            (0, _) => self.begin.or(self.inside).ok_or('B'),
            (_, _) if index + 1 == n_words && self.end.is_some() => self.end.ok_or('E'),
            _ => self.inside.ok_or('I'),
        }
    }
}

/// From tags to ranges.
impl TagSet {
    /// The entities of a sequence of tags, strictly: a tag that continues nothing and an entity
    /// that is not closed are left out. Every valid sequence, such as a Viterbi search gives, is
    /// read without loss.
    ///
    /// The ranges are sorted and do not overlap. With the tags of [`TagSet::new`] the result is that
    /// of seqeval's `mode="strict"` with its schemes `IOB2` and `IOBES`.
    ///
    /// # Panics
    /// When an id is not smaller than [`TagSet::len`].
    ///
    /// # Example
    /// ```
    /// use vestnik_core::{LabelSet, TagScheme, TagSet, TypedRange};
    ///
    /// let tags = TagSet::new(TagScheme::Bio, &LabelSet::new(["PER"])?);
    /// // O I-PER O B-PER I-PER
    /// let ids = [0, 2, 0, 1, 2];
    /// let whole = TypedRange { start: 3, end: 5, type_id: 0 };
    /// let orphan = TypedRange { start: 1, end: 2, type_id: 0 };
    /// assert_eq!(tags.decode(&ids), [whole]);
    /// assert_eq!(tags.decode_lenient(&ids), [orphan, whole]);
    /// # Ok::<(), vestnik_core::Error>(())
    /// ```
    #[must_use]
    pub fn decode(&self, tags: &[usize]) -> Vec<TypedRange> {
        let mut ranges = Vec::new();
        let mut start = None;
        let mut previous = Tag::Outside;
        for (index, next) in self.read(tags).enumerate() {
            if !continues(previous, next) {
                if let Some(start) = start.filter(|_| self.may_stop(previous)) {
                    ranges.extend(range(start, index, previous));
                }
                start = self.may_start(next).then_some(index);
            }
            previous = next;
        }
        ranges
    }

    /// The entities of a sequence of tags by the lenient rules of conlleval, which are also those
    /// of seqeval's default mode: a tag that continues nothing starts an entity, and an entity need
    /// not be closed.
    ///
    /// The ranges are sorted and do not overlap. For a valid sequence the result is that of
    /// [`TagSet::decode`].
    ///
    /// # Panics
    /// When an id is not smaller than [`TagSet::len`].
    #[must_use]
    pub fn decode_lenient(&self, tags: &[usize]) -> Vec<TypedRange> {
        let mut chunker = Chunker::new(Tag::Outside.type_id());
        self.read(tags)
            .filter_map(|tag| chunker.push(tag.letter(), tag.type_id()))
            .filter_map(|(start, end, type_id)| Some((start, end, type_id?)))
            .map(|(start, end, type_id)| TypedRange {
                start,
                end,
                type_id,
            })
            .collect()
    }

    /// The tags, and an `O` behind them that ends the last entity.
    fn read<'a>(&'a self, tags: &'a [usize]) -> impl Iterator<Item = Tag> + 'a {
        tags.iter().map(|&id| self.tag(id)).chain([Tag::Outside])
    }
}

fn range(start: usize, end: usize, tag: Tag) -> Option<TypedRange> {
    tag.type_id().map(|type_id| TypedRange {
        start,
        end,
        type_id,
    })
}
