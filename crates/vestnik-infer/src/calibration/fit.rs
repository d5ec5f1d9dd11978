//! A calibration from annotated documents.

use std::collections::{BTreeMap, BTreeSet};

use vestnik_core::{Document, Span, TagSet};
use vestnik_text::{Aggregation, ner_examples};

use super::{Calibration, LabelledWords, best_min_score};
use crate::error::{Error, Result};
use crate::pipeline::{NerPipeline, Reading, Tagged};

/// Fewest annotated entities of a label, and fewest predictions, from which a least score is made: with fewer the best one
/// on these data says little about others.
pub const FEWEST_ENTITIES: usize = 50;

/// Annotated documents as a model reads them: each is read once, whatever is tried on it.
#[derive(Debug)]
pub struct Calibrator<'a> {
    pipeline: &'a NerPipeline,
    tags: TagSet,
    documents: Vec<(&'a Document, Reading<'a>)>,
    words: LabelledWords,
}

/// What [`Calibrator::fit`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The calibration.
    pub calibration: Calibration,
    /// Words with a known tag.
    pub words: usize,
    /// Mean negative log-likelihood of their tags with raw logits, in nats.
    pub loss_before: f64,
    /// The same with the temperature.
    pub loss_after: f64,
    /// Labels with too few entities for a least score (fewer than [`FEWEST_ENTITIES`]).
    pub rare: Vec<String>,
}

impl<'a> Calibrator<'a> {
    /// A calibrator for a pipeline; what it is calibrated with already plays no part.
    ///
    /// # Errors
    /// [`Error::CalibrationAggregation`] when it groups otherwise than by [`Aggregation::Viterbi`]: least scores hold
    /// for one kind of scores.
    pub fn new(pipeline: &'a NerPipeline) -> Result<Self> {
        let aggregation = pipeline.aggregation();
        if aggregation != Aggregation::Viterbi {
            return Err(Error::CalibrationAggregation { aggregation });
        }
        let tags = TagSet::from_labels(pipeline.labels());
        let tags = tags.map_err(|source| Error::Labels { source })?;
        Ok(Self {
            words: match pipeline.transitions() {
                Some(transitions) => LabelledWords::with_transitions(transitions.clone()),
                None => LabelledWords::new(tags.len()),
            },
            pipeline,
            tags,
            documents: Vec::new(),
        })
    }

    /// Reads documents, with the model.
    ///
    /// # Errors
    /// As [`NerPipeline::tag_batch`].
    pub fn add(&mut self, documents: &[&'a Document]) -> Result<()> {
        let texts: Vec<&str> = documents.iter().map(|document| document.text()).collect();
        let readings = self.pipeline.read_batch(&texts)?;
        for (document, reading) in documents.iter().zip(readings) {
            self.label(document, &reading);
            self.documents.push((document, reading));
        }
        Ok(())
    }

    fn label(&mut self, document: &Document, reading: &Reading<'_>) {
        let (tokens, windows) = (&reading.tokens, &reading.windows);
        for example in ner_examples(document, tokens, windows, &self.tags) {
            let first = windows[example.window].tokens.start * self.tags.len();
            self.words.add_example(&example, &reading.logits[first..]);
        }
        self.words.end_text();
    }

    /// Finds the temperature, then the least scores with it.
    ///
    /// The temperature is that of [`LabelledWords::best_temperature`] over the first tokens of all words. A label has a
    /// least score ([`best_min_score`]) where that raises its F1 on these documents and it has at least
    /// [`FEWEST_ENTITIES`] entities and as many predictions. Labels that a document does not annotate are left out there.
    #[must_use]
    pub fn fit(&self) -> Fit {
        let temperature = self.words.best_temperature();
        let mut calibration = Calibration::with_temperature(temperature);
        let mut rare = Vec::new();
        for (label, outcomes) in self.outcomes(&calibration) {
            match outcomes.enough() {
                true => {
                    let least = best_min_score(&outcomes.predictions, outcomes.gold);
                    calibration
                        .min_scores
                        .extend(least.map(|least| (label, least)));
                }
                false => rare.push(label),
            }
        }
        Fit {
            calibration,
            words: self.words.len(),
            loss_before: self.words.loss(1.0),
            loss_after: self.words.loss(temperature),
            rare,
        }
    }

    /// What is found in each document with a calibration, in the order in which they were added.
    #[must_use]
    pub fn tag(&self, calibration: &Calibration) -> Vec<Tagged> {
        let readings = self.documents.iter().map(|(_, reading)| reading);
        self.pipeline.decode_batch(readings, calibration)
    }

    /// What became of the predictions of each label.
    fn outcomes(&self, calibration: &Calibration) -> BTreeMap<String, Outcomes> {
        let mut outcomes: BTreeMap<String, Outcomes> = BTreeMap::new();
        let tagged = self.tag(calibration);
        for ((document, _), tagged) in self.documents.iter().zip(tagged) {
            let gold: BTreeSet<(Span, &str)> = document
                .entities()
                .iter()
                .map(|entity| (entity.span, entity.label.as_str()))
                .collect();
            for (_, label) in &gold {
                outcomes.entry((*label).to_owned()).or_default().gold += 1;
            }
            for entity in &tagged.entities {
                if document.annotates(&entity.label) {
                    let is_right = gold.contains(&(entity.span, entity.label.as_str()));
                    let outcomes = outcomes.entry(entity.label.clone()).or_default();
                    outcomes
                        .predictions
                        .push((entity.score.unwrap_or_default(), is_right));
                }
            }
        }
        outcomes
    }
}

/// Predictions of a label, by score and whether they are right, and its gold entities.
#[derive(Default)]
struct Outcomes {
    predictions: Vec<(f32, bool)>,
    gold: usize,
}

impl Outcomes {
    fn enough(&self) -> bool {
        self.gold.min(self.predictions.len()) >= FEWEST_ENTITIES
    }
}
