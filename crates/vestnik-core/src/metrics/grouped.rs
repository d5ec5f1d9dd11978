//! Hits and errors by document and by group, and how sure the scores of the groups are.

use std::collections::{BTreeMap, BTreeSet};

use crate::metrics::Counts;
use crate::metrics::bootstrap::{Bootstrap, Interval, PairedDifference};
use crate::metrics::counts::mean;
use crate::{Entity, Error, Result, Span};

/// Hits and errors of many documents, by group: labels, languages, lengths, whatever the key says.
///
/// # Example
/// ```
/// use vestnik_core::metrics::{Bootstrap, GroupedCounts, group_counts};
/// use vestnik_core::{Entity, Span};
///
/// let entity = |start, end, label| Span::new(start, end).map(|span| Entity::new(span, label));
/// let gold = [entity(0, 4, "PER")?, entity(9, 14, "LOC")?];
/// let predicted = [entity(0, 4, "PER")?];
///
/// let mut counts = GroupedCounts::new();
/// for _ in 0..3 {
///     counts.add_document(group_counts(&gold, &predicted, |entity| entity.label.clone()));
/// }
/// assert_eq!(counts.totals()["LOC"].fn_, 3);
/// let interval = counts.intervals(&Bootstrap::default())["PER"].unwrap();
/// assert_eq!((interval.low, interval.high), (1.0, 1.0));
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GroupedCounts<K> {
    columns: BTreeMap<K, usize>,
    /// For each document the columns in which it has anything.
    documents: Vec<Vec<(usize, Counts)>>,
}

impl<K> Default for GroupedCounts<K> {
    fn default() -> Self {
        Self {
            columns: BTreeMap::new(),
            documents: Vec::new(),
        }
    }
}

/// Hits and errors of one document by group. An entity, told by span and label, is a hit when both sides have it; it
/// counts under the group that `group` gives it. Entities of a side are a set.
#[must_use]
pub fn group_counts<K: Ord>(
    gold: &[Entity],
    predicted: &[Entity],
    group: impl Fn(&Entity) -> K,
) -> BTreeMap<K, Counts> {
    let (gold_places, predicted_places) = (places(gold), places(predicted));
    let mut counts: BTreeMap<K, Counts> = BTreeMap::new();
    for (place, entity) in &gold_places {
        let counts = counts.entry(group(entity)).or_default();
        match predicted_places.contains_key(place) {
            true => counts.tp += 1,
            false => counts.fn_ += 1,
        }
    }
    for (place, entity) in &predicted_places {
        if !gold_places.contains_key(place) {
            counts.entry(group(entity)).or_default().fp += 1;
        }
    }
    counts
}

fn places(entities: &[Entity]) -> BTreeMap<(Span, &str), &Entity> {
    entities
        .iter()
        .map(|entity| ((entity.span, entity.label.as_str()), entity))
        .collect()
}

impl<K: Ord + Clone> GroupedCounts<K> {
    /// Starts without documents.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a document; one without any counts is a document too.
    pub fn add_document(&mut self, groups: impl IntoIterator<Item = (K, Counts)>) {
        let document = groups
            .into_iter()
            .filter(|(_, counts)| *counts != Counts::default())
            .map(|(key, counts)| {
                let next = self.columns.len();
                (*self.columns.entry(key).or_insert(next), counts)
            })
            .collect();
        self.documents.push(document);
    }

    /// Number of documents.
    #[must_use]
    pub fn n_documents(&self) -> usize {
        self.documents.len()
    }

    /// The sum over all documents, by group.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<K, Counts> {
        let all: Vec<usize> = (0..self.documents.len()).collect();
        let totals = self.sums(&all);
        self.each(|column| totals[column])
    }

    /// Documents that have anything in the group.
    #[must_use]
    pub fn documents_by_group(&self) -> BTreeMap<K, usize> {
        let documents = self.documents_by_column();
        self.each(|column| documents[column])
    }

    /// Percentile intervals of F1 by group. A resample in which a group has neither gold nor predictions says nothing
    /// about it and is left out; a group that occurs in fewer than two documents has no interval.
    #[must_use]
    pub fn intervals(&self, bootstrap: &Bootstrap) -> BTreeMap<K, Option<Interval>> {
        let mut values = vec![Vec::new(); self.columns.len()];
        bootstrap.for_each_resample(self.documents.len(), |documents| {
            for (values, counts) in values.iter_mut().zip(self.sums(documents)) {
                if counts != Counts::default() {
                    values.push(counts.f1());
                }
            }
        });
        let documents = self.documents_by_column();
        self.each(|column| {
            let values = std::mem::take(&mut values[column]);
            (documents[column] > 1)
                .then(|| bootstrap.interval(values))
                .flatten()
        })
    }

    /// Percentile interval of the mean F1 of the groups that `member` picks (of those that occur in a resample).
    #[must_use]
    pub fn macro_interval(
        &self,
        bootstrap: &Bootstrap,
        member: impl Fn(&K) -> bool,
    ) -> Option<Interval> {
        let members: Vec<usize> = self
            .columns
            .iter()
            .filter(|(key, _)| member(key))
            .map(|(_, &column)| column)
            .collect();
        let mut values = Vec::new();
        bootstrap.for_each_resample(self.documents.len(), |documents| {
            let sums = self.sums(documents);
            let present = members
                .iter()
                .map(|&column| sums[column])
                .filter(|counts| *counts != Counts::default());
            values.push(mean(present.map(|counts| (counts.f1(), 1))));
        });
        (self.documents.len() > 1)
            .then(|| bootstrap.interval(values))
            .flatten()
    }

    /// How F1 of `other` (B) differs from that of `self` (A) over the same documents, by group of either.
    ///
    /// Both are measured on the same resamples: the paired bootstrap of Koehn 2004 ("Statistical Significance Tests for
    /// Machine Translation Evaluation"). With δ the difference, δᵢ that of resample i and n resamples, the p-value is
    /// `(1 + #{i: |δᵢ - δ| ≥ |δ|}) / (1 + n)`: the test of Berg-Kirkpatrick, Burkett & Klein 2012 ("An Empirical
    /// Investigation of Statistical Significance in NLP"), which counts δᵢ > 2δ, for both sides; the added 1 keeps it
    /// from being 0 (Davison & Hinkley 1997, eq. 4.11). Resamples without anything in the group are left out.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] when the numbers of documents differ.
    pub fn paired(
        &self,
        other: &Self,
        bootstrap: &Bootstrap,
    ) -> Result<BTreeMap<K, PairedDifference>> {
        let n_documents = self.documents.len();
        if n_documents != other.documents.len() {
            return Err(Error::LengthMismatch {
                what: "documents",
                gold: n_documents,
                predicted: other.documents.len(),
            });
        }
        let keys: BTreeSet<&K> = self.columns.keys().chain(other.columns.keys()).collect();
        let column = |table: &Self, key| table.columns.get(key).copied();
        let pairs: Vec<(Option<usize>, Option<usize>)> = keys
            .iter()
            .map(|key| (column(self, key), column(other, key)))
            .collect();
        let differences = |documents: &[usize]| -> Vec<Option<f64>> {
            let (a, b) = (self.sums(documents), other.sums(documents));
            pairs.iter().map(|pair| difference(&a, &b, *pair)).collect()
        };
        let mut resampled = vec![Vec::new(); pairs.len()];
        bootstrap.for_each_resample(n_documents, |documents| {
            for (values, value) in resampled.iter_mut().zip(differences(documents)) {
                values.extend(value);
            }
        });
        let all: Vec<usize> = (0..n_documents).collect();
        let observed = differences(&all).into_iter().map(Option::unwrap_or_default);
        let documents = pairs
            .iter()
            .map(|&(a, b)| shared_documents(self, a, other, b));
        let results = observed
            .zip(resampled)
            .zip(documents)
            .map(|((observed, values), documents)| test(bootstrap, observed, values, documents));
        Ok(keys.into_iter().cloned().zip(results).collect())
    }

    fn sums(&self, documents: &[usize]) -> Vec<Counts> {
        let mut sums = vec![Counts::default(); self.columns.len()];
        for &document in documents {
            for &(column, counts) in &self.documents[document] {
                sums[column] += counts;
            }
        }
        sums
    }

    fn documents_by_column(&self) -> Vec<usize> {
        let mut documents = vec![0; self.columns.len()];
        for (column, _) in self.documents.iter().flatten() {
            documents[*column] += 1;
        }
        documents
    }

    fn each<V>(&self, mut value: impl FnMut(usize) -> V) -> BTreeMap<K, V> {
        self.columns
            .iter()
            .map(|(key, &column)| (key.clone(), value(column)))
            .collect()
    }
}

/// F1 of B less F1 of A; `None` when neither side has anything.
fn difference(a: &[Counts], b: &[Counts], pair: (Option<usize>, Option<usize>)) -> Option<f64> {
    let of = |sums: &[Counts], column: Option<usize>| {
        column.map(|column| sums[column]).unwrap_or_default()
    };
    let (a, b) = (of(a, pair.0), of(b, pair.1));
    (a != Counts::default() || b != Counts::default()).then(|| b.f1() - a.f1())
}

/// Documents in which either side has anything.
fn shared_documents<K>(
    a: &GroupedCounts<K>,
    a_column: Option<usize>,
    b: &GroupedCounts<K>,
    b_column: Option<usize>,
) -> usize {
    let has = |document: &[(usize, Counts)], column: Option<usize>| {
        document.iter().any(|&(found, _)| Some(found) == column)
    };
    let documents = a.documents.iter().zip(&b.documents);
    documents
        .filter(|(a, b)| has(a, a_column) || has(b, b_column))
        .count()
}

fn test(
    bootstrap: &Bootstrap,
    difference: f64,
    resampled: Vec<f64>,
    documents: usize,
) -> PairedDifference {
    let is_extreme = |value: &&f64| (*value - difference).abs() >= difference.abs();
    let extreme = resampled.iter().filter(is_extreme).count();
    let p_value = (1 + extreme) as f64 / (1 + resampled.len()) as f64;
    let enough = documents > 1;
    PairedDifference {
        difference,
        interval: enough.then(|| bootstrap.interval(resampled)).flatten(),
        p_value: enough.then_some(p_value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(tp: u64, fp: u64, fn_: u64) -> Counts {
        Counts { tp, fp, fn_ }
    }

    /// Documents with one group, "all".
    fn table(documents: &[(u64, u64, u64)]) -> GroupedCounts<&'static str> {
        let mut table = GroupedCounts::new();
        for &(tp, fp, fn_) in documents {
            table.add_document([("all", counts(tp, fp, fn_))]);
        }
        table
    }

    fn entity(start: usize, label: &str) -> Entity {
        Entity::new(Span::new(start, start + 1).unwrap(), label)
    }

    #[test]
    fn groups_of_both_sides_are_counted() {
        let gold = [entity(0, "PER"), entity(2, "LOC"), entity(4, "LOC")];
        let predicted = [
            entity(0, "PER"),
            entity(2, "ORG"),
            entity(4, "LOC"),
            entity(4, "LOC"),
        ];
        let found = group_counts(&gold, &predicted, |entity| entity.label.clone());
        let found: Vec<_> = found.values().copied().collect();
        assert_eq!(found, [counts(1, 0, 1), counts(0, 1, 0), counts(1, 0, 0)]);
    }

    #[test]
    fn equal_documents_leave_no_doubt() {
        let table = table(&[(3, 1, 1); 8]);
        let interval = table.intervals(&Bootstrap::default())["all"].unwrap();
        assert_eq!((interval.low, interval.high), (0.75, 0.75));
        assert_eq!(table.documents_by_group()["all"], 8);
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_normal_distribution() {
        // 400 documents with one entity each, which 300 of them find: F1 is recall with as many predictions,
        // so its standard error is sqrt(0.75 * 0.25 / 400) = 0.02165.
        let documents: Vec<_> = (0..400)
            .map(|i| if i % 4 == 0 { (0, 1, 1) } else { (1, 0, 0) })
            .collect();
        let bootstrap = Bootstrap {
            resamples: 4000,
            ..Bootstrap::default()
        };
        let interval = table(&documents).intervals(&bootstrap)["all"].unwrap();
        assert!(
            (interval.low - (0.75 - 1.96 * 0.02165)).abs() < 0.004,
            "{interval:?}"
        );
        assert!(
            (interval.high - (0.75 + 1.96 * 0.02165)).abs() < 0.004,
            "{interval:?}"
        );
    }

    #[test]
    fn one_document_has_no_interval() {
        let one = table(&[(3, 1, 1)]);
        assert_eq!(one.intervals(&Bootstrap::default())["all"], None);
        let paired = &one
            .paired(&table(&[(4, 0, 0)]), &Bootstrap::default())
            .unwrap()["all"];
        assert_eq!(
            (paired.difference, paired.interval, paired.p_value),
            (0.25, None, None)
        );
        assert!(table(&[]).intervals(&Bootstrap::default()).is_empty());
    }

    #[test]
    fn a_rare_group_is_measured_where_it_occurs() {
        let mut table = table(&[(1, 0, 0); 50]);
        table.add_document([("rare", counts(1, 0, 0))]);
        table.add_document([("rare", counts(1, 0, 0))]);
        let interval = table.intervals(&Bootstrap::default())["rare"].unwrap();
        assert_eq!(
            (interval.low, interval.high),
            (1.0, 1.0),
            "absence is not an F1 of 0"
        );
    }

    #[test]
    fn equal_systems_do_not_differ() {
        let a = table(&[(3, 1, 1), (5, 0, 2), (1, 4, 0)]);
        let paired = a.paired(&a, &Bootstrap::default()).unwrap()["all"];
        assert_eq!((paired.difference, paired.p_value), (0.0, Some(1.0)));
        assert_eq!(
            paired.interval.unwrap(),
            Interval {
                low: 0.0,
                high: 0.0
            }
        );
    }

    #[test]
    fn a_clear_difference_is_found_and_is_signed() {
        let a = table(&[(5, 5, 5); 30]);
        let b: Vec<_> = (0..30).map(|i| (7 + i % 3, 2, 2)).collect();
        let b = table(&b);
        let better = a.paired(&b, &Bootstrap::default()).unwrap()["all"];
        let worse = b.paired(&a, &Bootstrap::default()).unwrap()["all"];
        assert!(better.difference > 0.2 && better.interval.unwrap().low > 0.2);
        assert!(better.p_value.unwrap() < 0.002);
        assert_eq!(worse.difference, -better.difference);
        assert_eq!(worse.p_value, better.p_value);
    }

    #[test]
    fn a_difference_in_one_document_is_chance() {
        let a: Vec<_> = (0..20).map(|_| (5, 1, 1)).collect();
        let mut b = a.clone();
        b[0] = (6, 0, 0);
        let paired = table(&a).paired(&table(&b), &Bootstrap::default()).unwrap()["all"];
        assert!(paired.difference > 0.0);
        assert!(paired.p_value.unwrap() > 0.2, "{paired:?}");
    }

    #[test]
    fn groups_that_one_side_lacks_are_compared() {
        let mut a = GroupedCounts::new();
        let mut b = GroupedCounts::new();
        for _ in 0..4 {
            a.add_document([("PER", counts(0, 0, 1))]);
            b.add_document([("PER", counts(1, 0, 0)), ("LOC", counts(0, 1, 0))]);
        }
        let paired = a.paired(&b, &Bootstrap::default()).unwrap();
        assert_eq!(paired["PER"].difference, 1.0);
        assert_eq!(paired["LOC"].difference, 0.0);
        b.add_document([]);
        assert!(a.paired(&b, &Bootstrap::default()).is_err());
    }
}
