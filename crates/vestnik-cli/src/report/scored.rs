//! A document with what a model found in it.

use std::path::Path;

use anyhow::Result;
use vestnik_core::metrics::{EntityEvaluator, EntityScores};
use vestnik_core::{Document, Entity, Span};
use vestnik_infer::Vestnik;

/// A document, its gold entities and the predictions; on both sides only labels that the document annotates.
pub(crate) struct Scored {
    pub(crate) document: Document,
    /// What the document itself calls its source, else the name of its file.
    pub(crate) source: String,
    pub(crate) words: Vec<Span>,
    pub(crate) gold: Vec<Entity>,
    pub(crate) predicted: Vec<Entity>,
}

impl Scored {
    /// Leaves out on both sides what the document does not annotate.
    pub(crate) fn new(document: &Document, source: &str, predicted: Vec<Entity>) -> Self {
        Self {
            source: document.source().unwrap_or(source).to_owned(),
            words: vestnik_text::words(document.text()),
            gold: comparable(document, document.entities().to_vec()),
            predicted: comparable(document, predicted),
            document: document.clone(),
        }
    }

    /// Predictions that are right: span and label.
    pub(crate) fn is_hit(&self, predicted: &Entity) -> bool {
        contains(&self.gold, predicted)
    }

    /// Gold entities that were found: span and label.
    pub(crate) fn is_found(&self, gold: &Entity) -> bool {
        contains(&self.predicted, gold)
    }
}

fn contains(entities: &[Entity], wanted: &Entity) -> bool {
    entities
        .iter()
        .any(|entity| entity.span == wanted.span && entity.label == wanted.label)
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

/// Tags documents, given with their sources; says how many tokens were read.
pub(crate) fn tag(
    vestnik: &Vestnik,
    documents: &[(&Document, String)],
) -> Result<(Vec<Scored>, usize)> {
    let texts: Vec<&str> = documents
        .iter()
        .map(|(document, _)| document.text())
        .collect();
    let analyses = vestnik.analyze_batch(&texts)?;
    let tokens = analyses.iter().map(|analysis| analysis.tokens).sum();
    let scored = documents.iter().zip(analyses);
    let scored = scored
        .map(|((document, source), analysis)| Scored::new(document, source, analysis.entities));
    Ok((scored.collect(), tokens))
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
