//! Scores by label, language, source, length, and by whether a name was seen in training.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vestnik_core::metrics::{
    Bootstrap, Counts, GroupedCounts, Interval, UNKNOWN_LANG, group_counts,
};
use vestnik_core::{Document, Entity, words_of_span};

use super::scored::Scored;

/// Sources with a row of their own; smaller ones share one.
const SOURCES: usize = 20;
/// Entities of this many words and more share a row.
const LONG_ENTITY: usize = 5;

/// What groups are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Facet {
    Overall,
    Label,
    Language,
    LanguageLabel,
    Source,
    DocumentLength,
    EntityLength,
    Seen,
    SeenIgnoringCase,
}

/// A group; sorted by `order`, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) facet: Facet,
    order: usize,
    pub(crate) name: String,
}

impl Group {
    fn new(facet: Facet, order: usize, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { facet, order, name }
    }
}

/// A row of a table: a group and its scores.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GroupScore {
    pub(crate) name: String,
    /// Documents that have any entity of the group, annotated or predicted.
    pub(crate) documents: usize,
    pub(crate) gold: u64,
    pub(crate) predicted: u64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// 95 % interval of F1; none with fewer than two documents.
    pub(crate) interval: Option<Interval>,
}

/// Scores by facet.
pub(crate) type GroupScores = BTreeMap<Facet, Vec<GroupScore>>;

/// Names of the training data with their labels, letter by letter and in lower case.
#[derive(Debug, Default)]
pub(crate) struct SeenNames {
    exact: Names,
    lower: Names,
}

type Names = BTreeMap<String, BTreeSet<String>>;

impl SeenNames {
    /// Adds the names of documents.
    pub(crate) fn add<'a>(&mut self, documents: impl IntoIterator<Item = &'a Document>) {
        for document in documents {
            for entity in document.entities() {
                let name = document.slice(entity.span).unwrap_or_default();
                for (names, name) in [
                    (&mut self.exact, name.to_owned()),
                    (&mut self.lower, name.to_lowercase()),
                ] {
                    names.entry(name).or_default().insert(entity.label.clone());
                }
            }
        }
    }

    fn group(&self, name: &str, label: &str) -> Group {
        seen(Facet::Seen, &self.exact, name, label)
    }

    fn group_ignoring_case(&self, name: &str, label: &str) -> Group {
        let name = name.to_lowercase();
        seen(Facet::SeenIgnoringCase, &self.lower, &name, label)
    }
}

fn seen(facet: Facet, names: &Names, name: &str, label: &str) -> Group {
    let (order, text) = match names.get(name) {
        Some(labels) if labels.contains(label) => (0, "seen in training"),
        Some(_) => (1, "seen with other labels"),
        None => (2, "not seen in training"),
    };
    Group::new(facet, order, text)
}

/// Overall, by label and by language: what two models are compared by.
pub(crate) fn main_counts(documents: &[Scored]) -> GroupedCounts<Group> {
    let mut counts = GroupedCounts::new();
    for scored in documents {
        counts.add_document(main_groups(scored));
    }
    counts
}

/// All groups.
pub(crate) fn all_counts(documents: &[Scored], seen: Option<&SeenNames>) -> GroupedCounts<Group> {
    let lengths = LengthBins::new(documents.iter().map(|scored| scored.words.len()));
    let sources = Sources::new(documents);
    let mut counts = GroupedCounts::new();
    for scored in documents {
        let mut groups = main_groups(scored);
        let whole = [
            lengths.group(scored.words.len()),
            sources.group(&scored.source),
        ];
        let micro = micro(scored);
        groups.extend(whole.map(|group| (group, micro)));
        groups.extend(by(scored, |entity| entity_length(scored, entity)));
        groups.extend(by(scored, |entity| language_label(scored, entity)));
        if let Some(seen) = seen {
            let name = |entity: &Entity| scored.document.slice(entity.span).unwrap_or_default();
            groups.extend(by(scored, |e| seen.group(name(e), &e.label)));
            groups.extend(by(scored, |e| seen.group_ignoring_case(name(e), &e.label)));
        }
        counts.add_document(groups);
    }
    counts
}

/// The rows of all tables.
pub(crate) fn scores(counts: &GroupedCounts<Group>, bootstrap: &Bootstrap) -> GroupScores {
    let (intervals, documents) = (counts.intervals(bootstrap), counts.documents_by_group());
    let mut scores = GroupScores::new();
    for (group, counts) in counts.totals() {
        let row = GroupScore {
            documents: documents.get(&group).copied().unwrap_or_default(),
            gold: counts.gold(),
            predicted: counts.predicted(),
            counts,
            interval: intervals.get(&group).copied().flatten(),
            name: group.name,
        };
        scores.entry(group.facet).or_default().push(row);
    }
    scores
}

fn main_groups(scored: &Scored) -> BTreeMap<Group, Counts> {
    let micro = micro(scored);
    let mut groups = by(scored, |entity| Group::new(Facet::Label, 0, &entity.label));
    groups.insert(Group::new(Facet::Overall, 0, "strict"), micro);
    groups.insert(
        Group::new(Facet::Overall, 1, "spans only"),
        spans_only(scored),
    );
    groups.insert(Group::new(Facet::Language, 0, lang(scored)), micro);
    groups
}

fn lang(scored: &Scored) -> &str {
    scored.document.lang().unwrap_or(UNKNOWN_LANG)
}

fn language_label(scored: &Scored, entity: &Entity) -> Group {
    let name = format!("{} {}", lang(scored), entity.label);
    Group::new(Facet::LanguageLabel, 0, name)
}

fn by(scored: &Scored, group: impl Fn(&Entity) -> Group) -> BTreeMap<Group, Counts> {
    group_counts(&scored.gold, &scored.predicted, group)
}

fn micro(scored: &Scored) -> Counts {
    group_counts(&scored.gold, &scored.predicted, |_| ())
        .into_values()
        .sum()
}

fn spans_only(scored: &Scored) -> Counts {
    let bare = |entities: &[Entity]| -> Vec<Entity> {
        entities
            .iter()
            .map(|entity| Entity::new(entity.span, "any"))
            .collect()
    };
    group_counts(&bare(&scored.gold), &bare(&scored.predicted), |_| ())
        .into_values()
        .sum()
}

fn entity_length(scored: &Scored, entity: &Entity) -> Group {
    let words = words_of_span(&scored.words, entity.span).map_or(1, |range| range.len());
    let name = match words {
        1 => "1 word".to_owned(),
        LONG_ENTITY.. => format!("{LONG_ENTITY} or more words"),
        _ => format!("{words} words"),
    };
    Group::new(Facet::EntityLength, words.min(LONG_ENTITY), name)
}

/// Quarters of the documents by their lengths in words; documents of one length share a quarter.
struct LengthBins {
    shortest: usize,
    /// The greatest length of each bin, ascending.
    ends: Vec<usize>,
}

impl LengthBins {
    fn new(lengths: impl Iterator<Item = usize>) -> Self {
        let mut lengths: Vec<usize> = lengths.collect();
        lengths.sort_unstable();
        let quarter = |number: usize| (lengths.len() * number).div_ceil(4).checked_sub(1);
        let mut ends: Vec<usize> = (1..=4)
            .filter_map(|number| lengths.get(quarter(number)?).copied())
            .collect();
        ends.dedup();
        Self {
            shortest: lengths.first().copied().unwrap_or_default(),
            ends,
        }
    }

    fn group(&self, words: usize) -> Group {
        let bin = self.ends.partition_point(|&end| end < words);
        let end = self.ends.get(bin).copied().unwrap_or(words);
        let start = match bin.checked_sub(1) {
            None => self.shortest,
            Some(before) => self.ends[before] + 1,
        };
        let name = match start == end {
            true => format!("{end} words"),
            false => format!("{start} to {end} words"),
        };
        Group::new(Facet::DocumentLength, bin, name)
    }
}

/// The sources with a row of their own.
struct Sources(BTreeSet<String>);

impl Sources {
    fn new(documents: &[Scored]) -> Self {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for scored in documents {
            *sizes.entry(&scored.source).or_default() += 1;
        }
        let mut sizes: Vec<_> = sizes.into_iter().collect();
        sizes.sort_by_key(|&(_, documents)| std::cmp::Reverse(documents));
        let largest = sizes.into_iter().take(SOURCES);
        Self(largest.map(|(name, _)| name.to_owned()).collect())
    }

    fn group(&self, source: &str) -> Group {
        match self.0.contains(source) {
            true => Group::new(Facet::Source, 0, source),
            false => Group::new(Facet::Source, 1, "all smaller sources"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestnik_core::Span;

    fn scored(text: &str, gold: &[(usize, usize)], source: &str) -> Scored {
        let mut document = Document::new("1", text).with_source(source);
        let entity = |&(start, end)| Entity::new(Span::new(start, end).unwrap(), "PER");
        document
            .set_entities(gold.iter().map(entity).collect())
            .unwrap();
        Scored::new(&document, "file", Vec::new())
    }

    fn names(scores: &GroupScores, facet: Facet) -> Vec<&str> {
        scores[&facet].iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn lengths_fall_into_quarters() {
        let bins = LengthBins::new([10, 20, 30, 40, 50, 60, 70, 80].into_iter());
        let name = |words| bins.group(words).name;
        assert_eq!(name(10), "10 to 20 words");
        assert_eq!(name(20), "10 to 20 words");
        assert_eq!(name(30), "21 to 40 words");
        assert_eq!(name(80), "61 to 80 words");
        assert_eq!(
            LengthBins::new([7, 7, 7].into_iter()).group(7).name,
            "7 words"
        );
    }

    #[test]
    fn entities_are_grouped_by_their_own_length_and_name() {
        let documents = [scored("Anna Maria met Boris", &[(0, 10), (15, 20)], "a")];
        let mut seen = SeenNames::default();
        seen.add([&documents[0].document]);
        let other = [scored("Vera met Boris", &[(0, 4), (9, 14)], "a")];
        let counts = all_counts(&other, Some(&seen));
        let scores = scores(&counts, &Bootstrap::default());
        assert_eq!(names(&scores, Facet::EntityLength), ["1 word"]);
        assert_eq!(
            names(&scores, Facet::Seen),
            ["seen in training", "not seen in training"]
        );
        assert_eq!(scores[&Facet::EntityLength][0].gold, 2);
        assert_eq!(names(&scores, Facet::LanguageLabel), ["? PER"]);
    }

    #[test]
    fn names_are_also_known_in_other_letters() {
        let mut seen = SeenNames::default();
        seen.add([&scored("ВЕРА met Boris", &[(0, 8)], "a").document]);
        let other = [scored("Вера met Boris", &[(0, 8), (13, 18)], "a")];
        let scores = scores(&all_counts(&other, Some(&seen)), &Bootstrap::default());
        assert_eq!(names(&scores, Facet::Seen), ["not seen in training"]);
        assert_eq!(
            names(&scores, Facet::SeenIgnoringCase),
            ["seen in training", "not seen in training"]
        );
    }

    #[test]
    fn small_sources_share_a_row() {
        let documents: Vec<Scored> = (0..30)
            .flat_map(|source| {
                let copies = if source == 29 { 2 } else { 1 };
                (0..copies).map(move |_| scored("Anna", &[(0, 4)], &format!("{source:02}")))
            })
            .collect();
        let scores = scores(&all_counts(&documents, None), &Bootstrap::default());
        let names = names(&scores, Facet::Source);
        assert_eq!(names.len(), 21);
        assert!(names.contains(&"29"));
        assert_eq!(scores[&Facet::Source][20].name, "all smaller sources");
        assert_eq!(scores[&Facet::Source][20].gold, 10);
    }
}
