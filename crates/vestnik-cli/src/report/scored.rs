//! A document with what a model found in it.

use std::collections::BTreeSet;
use std::path::Path;

use vestnik_core::metrics::{EntityEvaluator, EntityScores};
use vestnik_core::{Document, Entity, Span};

/// A document, its gold entities and the predictions; on both sides only labels that the document annotates.
pub(crate) struct Scored {
    pub(crate) document: Document,
    /// What the document itself calls its source, else the name of its file.
    pub(crate) source: String,
    pub(crate) words: Vec<Span>,
    pub(crate) gold: Vec<Entity>,
    pub(crate) predicted: Vec<Entity>,
    /// For each gold entity whether it was found: span and label.
    found: Vec<bool>,
    /// For each prediction whether it is right: span and label.
    right: Vec<bool>,
}

impl Scored {
    /// Leaves out on both sides what the document does not annotate.
    pub(crate) fn new(document: &Document, source: &str, predicted: Vec<Entity>) -> Self {
        let gold = comparable(document, document.entities().to_vec());
        let predicted = comparable(document, predicted);
        Self {
            source: document.source().unwrap_or(source).to_owned(),
            words: vestnik_text::words(document.text()),
            found: in_other(&gold, &predicted),
            right: in_other(&predicted, &gold),
            gold,
            predicted,
            document: document.clone(),
        }
    }

    /// The gold entities, with whether each was found.
    pub(crate) fn judged_gold(&self) -> impl Iterator<Item = (&Entity, bool)> {
        self.gold.iter().zip(self.found.iter().copied())
    }

    /// The predictions, with whether each is right.
    pub(crate) fn judged_predictions(&self) -> impl Iterator<Item = (&Entity, bool)> {
        self.predicted.iter().zip(self.right.iter().copied())
    }
}

/// For each entity whether the other side has one with its span and label.
fn in_other(entities: &[Entity], other: &[Entity]) -> Vec<bool> {
    let place = |entity: &Entity| (entity.span, entity.label.clone());
    let other: BTreeSet<(Span, String)> = other.iter().map(place).collect();
    let is_there = |entity: &Entity| other.contains(&place(entity));
    entities.iter().map(is_there).collect()
}

/// The entities that a document can judge: a type that it does not annotate is unknown there, not absent.
pub(crate) fn comparable(document: &Document, mut entities: Vec<Entity>) -> Vec<Entity> {
    entities.retain(|entity| document.annotates(&entity.label));
    entities
}

/// How the documents of a file without a source of their own are called.
pub(crate) fn source_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Strict scores over all documents.
pub(crate) fn scores(documents: &[Scored]) -> EntityScores {
    let mut evaluator = EntityEvaluator::new();
    for scored in documents {
        let Scored {
            document,
            gold,
            predicted,
            ..
        } = scored;
        evaluator.add(document.lang(), gold, predicted, document.annotated());
    }
    evaluator.scores()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unannotated_types_are_left_out() {
        let document = Document::new("1", "Rada").with_annotated(["ORG"]);
        let entity = |label| Entity::new(Span::new(0, 4).unwrap(), label);
        let kept = comparable(&document, vec![entity("EVT"), entity("ORG")]);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].label, "ORG");
    }
}
