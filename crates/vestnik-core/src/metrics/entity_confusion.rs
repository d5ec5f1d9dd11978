//! What became of every entity: the right type, another type, other bounds, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Entity, Span};

/// Gold types by predicted types, for entities with equal bounds, and what has no partner with equal bounds.
///
/// The numbers of a gold type in `same_bounds`, `wrong_bounds` and `missed` add up to its entities; those of a predicted
/// type in `same_bounds`, `wrong_bounds_predicted` and `spurious` to its predictions.
///
/// # Example
/// ```
/// use vestnik_core::metrics::EntityConfusion;
/// use vestnik_core::{Entity, Span};
///
/// let entity = |start, end, label| Span::new(start, end).map(|span| Entity::new(span, label));
/// let mut confusion = EntityConfusion::default();
/// confusion.add(
///     &[entity(0, 4, "PER")?, entity(6, 9, "LOC")?, entity(20, 25, "ORG")?],
///     &[entity(0, 4, "ORG")?, entity(6, 12, "LOC")?, entity(30, 33, "LOC")?],
/// );
/// assert_eq!(confusion.same_bounds["PER"]["ORG"], 1);
/// assert_eq!(confusion.wrong_bounds["LOC"], 1);
/// assert_eq!(confusion.missed["ORG"], 1);
/// assert_eq!(confusion.spurious["LOC"], 1);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EntityConfusion {
    /// By gold type, then by the type of the prediction with equal bounds.
    pub same_bounds: BTreeMap<String, BTreeMap<String, u64>>,
    /// Gold entities that only overlap predictions, by gold type.
    pub wrong_bounds: BTreeMap<String, u64>,
    /// Gold entities that no prediction overlaps, by gold type.
    pub missed: BTreeMap<String, u64>,
    /// Predictions that only overlap gold entities, by predicted type.
    pub wrong_bounds_predicted: BTreeMap<String, u64>,
    /// Predictions that overlap no gold entity, by predicted type.
    pub spurious: BTreeMap<String, u64>,
}

type Place<'a> = (Span, &'a str);

impl EntityConfusion {
    /// Adds a document. Entities of a side are a set; leave out what the document does not annotate.
    pub fn add(&mut self, gold: &[Entity], predicted: &[Entity]) {
        let mut gold_left = places(gold);
        let mut predicted_left = places(predicted);
        let hits: Vec<Place<'_>> = gold_left.intersection(&predicted_left).copied().collect();
        for hit in hits {
            self.pair(hit, hit, &mut gold_left, &mut predicted_left);
        }
        for place in gold_left.clone() {
            let partner = predicted_left.range((place.0, "")..).next().copied();
            if let Some(partner) = partner.filter(|partner| partner.0 == place.0) {
                self.pair(place, partner, &mut gold_left, &mut predicted_left);
            }
        }
        count(
            &gold_left,
            predicted,
            &mut self.wrong_bounds,
            &mut self.missed,
        );
        let (wrong_bounds, spurious) = (&mut self.wrong_bounds_predicted, &mut self.spurious);
        count(&predicted_left, gold, wrong_bounds, spurious);
    }

    /// All types of either side, sorted.
    #[must_use]
    pub fn labels(&self) -> Vec<&str> {
        let others = [
            &self.wrong_bounds,
            &self.missed,
            &self.wrong_bounds_predicted,
            &self.spurious,
        ];
        let labels: BTreeSet<&String> = self
            .same_bounds
            .keys()
            .chain(self.same_bounds.values().flat_map(BTreeMap::keys))
            .chain(others.into_iter().flat_map(BTreeMap::keys))
            .collect();
        labels.into_iter().map(String::as_str).collect()
    }

    fn pair<'a>(
        &mut self,
        gold: Place<'a>,
        predicted: Place<'a>,
        gold_left: &mut BTreeSet<Place<'a>>,
        predicted_left: &mut BTreeSet<Place<'a>>,
    ) {
        gold_left.remove(&gold);
        predicted_left.remove(&predicted);
        let row = self.same_bounds.entry(gold.1.to_owned()).or_default();
        *row.entry(predicted.1.to_owned()).or_default() += 1;
    }
}

fn places(entities: &[Entity]) -> BTreeSet<Place<'_>> {
    entities
        .iter()
        .map(|entity| (entity.span, entity.label.as_str()))
        .collect()
}

/// Counts what has no partner: does it at least overlap something of the other side?
fn count(
    left: &BTreeSet<Place<'_>>,
    others: &[Entity],
    overlapping: &mut BTreeMap<String, u64>,
    alone: &mut BTreeMap<String, u64>,
) {
    let others = Reach::new(others);
    for &(span, label) in left {
        let counts = if others.touches(span) {
            &mut *overlapping
        } else {
            &mut *alone
        };
        *counts.entry(label.to_owned()).or_default() += 1;
    }
}

/// Spans in order with how far those up to each one reach, so that an overlap is found without looking at all.
struct Reach {
    spans: Vec<Span>,
    /// For each span the two among it and its predecessors that end last.
    furthest: Vec<[Option<Span>; 2]>,
}

impl Reach {
    fn new(entities: &[Entity]) -> Self {
        let spans: BTreeSet<Span> = entities.iter().map(|entity| entity.span).collect();
        let mut best = [None; 2];
        let furthest = |&span: &Span| {
            let end = |place: Option<Span>| place.map(Span::end);
            if Some(span.end()) > end(best[0]) {
                best = [Some(span), best[0]];
            } else if Some(span.end()) > end(best[1]) {
                best[1] = Some(span);
            }
            best
        };
        Self {
            furthest: spans.iter().map(furthest).collect(),
            spans: spans.into_iter().collect(),
        }
    }

    /// Whether any span but `span` itself overlaps it.
    fn touches(&self, span: Span) -> bool {
        let begun = self
            .spans
            .partition_point(|other| other.start() < span.end());
        let Some(last) = begun.checked_sub(1) else {
            return false;
        };
        let mut others = self.furthest[last].into_iter().flatten();
        others.any(|other| other != span && other.overlaps(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(start: usize, end: usize, label: &str) -> Entity {
        Entity::new(Span::new(start, end).unwrap(), label)
    }

    fn confusion(gold: &[Entity], predicted: &[Entity]) -> EntityConfusion {
        let mut confusion = EntityConfusion::default();
        confusion.add(gold, predicted);
        confusion
    }

    #[test]
    fn rows_and_columns_add_up() {
        let gold = [
            entity(0, 3, "PER"),
            entity(0, 9, "ORG"),
            entity(10, 12, "LOC"),
            entity(20, 22, "LOC"),
        ];
        let predicted = [
            entity(0, 3, "PER"),
            entity(10, 12, "ORG"),
            entity(19, 22, "LOC"),
            entity(21, 24, "PER"),
            entity(30, 31, "PER"),
        ];
        let found = confusion(&gold, &predicted);
        let same: u64 = found.same_bounds.values().flat_map(BTreeMap::values).sum();
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        assert_eq!(same + sum(&found.wrong_bounds) + sum(&found.missed), 4);
        assert_eq!(
            same + sum(&found.wrong_bounds_predicted) + sum(&found.spurious),
            5
        );
        assert_eq!(
            found.wrong_bounds["ORG"], 1,
            "it overlaps the PER within it"
        );
        assert_eq!(found.labels(), ["LOC", "ORG", "PER"]);
    }

    #[test]
    fn the_same_type_is_the_first_choice() {
        let gold = [entity(0, 3, "LOC"), entity(0, 3, "ORG")];
        let predicted = [entity(0, 3, "ORG"), entity(0, 3, "ORG")];
        let found = confusion(&gold, &predicted);
        assert_eq!(found.same_bounds["ORG"]["ORG"], 1);
        assert_eq!(found.missed["LOC"], 1);
        assert!(found.spurious.is_empty());
    }

    #[test]
    fn overlaps_are_those_that_a_look_at_all_finds() {
        let spans: Vec<(usize, usize)> = (0..40).map(|i| (i * 7 % 60, 1 + i * 5 % 9)).collect();
        let entities: Vec<Entity> = spans
            .iter()
            .map(|&(start, n)| entity(start, start + n, "PER"))
            .collect();
        let reach = Reach::new(&entities);
        for span in entities
            .iter()
            .map(|e| e.span)
            .chain((0..70).map(|i| Span::new(i, i + 2).unwrap()))
        {
            let expected = entities
                .iter()
                .any(|other| other.span != span && other.span.overlaps(span));
            assert_eq!(reach.touches(span), expected, "{span:?}");
        }
    }

    #[test]
    fn nothing_is_confused_with_nothing() {
        assert_eq!(confusion(&[], &[]), EntityConfusion::default());
        assert!(confusion(&[], &[]).labels().is_empty());
    }
}
