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
        let (tokens, windows) = (&reading.text.tokens, &reading.text.windows);
        for example in ner_examples(document, tokens, windows, &self.tags) {
            let first = windows[example.window].tokens.start * self.tags.len();
            self.words.add_example(&example, &reading.logits[first..]);
        }
        self.words.end_text();
    }

    /// Finds the temperature, then the least scores with it.
    ///
    /// The temperature is that of [`LabelledWords::best_temperature`] over the first tokens of all words. A label has a
    /// least score ([`best_min_score`]) where that raises its F1 on these documents, it has at least [`FEWEST_ENTITIES`]
    /// entities and as many predictions, and the gain is no chance: the best one for the documents at even places raises F1
    /// on those at odd places, and the other way round. Labels that a document does not annotate are left out there.
    #[must_use]
    pub fn fit(&self) -> Fit {
        let temperature = self.words.best_temperature();
        let mut calibration = Calibration::with_temperature(temperature);
        let mut rare = Vec::new();
        for (label, outcomes) in self.outcomes(&calibration) {
            match outcomes.are_few() {
                true => rare.push(label),
                false => {
                    let least = outcomes.min_score();
                    calibration
                        .min_scores
                        .extend(least.map(|least| (label, least)));
                }
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
        let documents = self.documents.iter().zip(self.tag(calibration));
        for (place, ((document, _), tagged)) in documents.enumerate() {
            let gold: BTreeSet<(Span, &str)> = document
                .entities()
                .iter()
                .map(|entity| (entity.span, entity.label.as_str()))
                .collect();
            for (_, label) in &gold {
                let outcomes = outcomes.entry((*label).to_owned()).or_default();
                outcomes.0[place % 2].gold += 1;
            }
            for entity in &tagged.entities {
                if document.annotates(&entity.label) {
                    let is_right = gold.contains(&(entity.span, entity.label.as_str()));
                    let outcomes = outcomes.entry(entity.label.clone()).or_default();
                    outcomes.0[place % 2]
                        .predictions
                        .push((entity.score.unwrap_or_default(), is_right));
                }
            }
        }
        outcomes
    }
}

/// What became of the predictions of a label, apart for the documents at even and at odd places.
#[derive(Default)]
struct Outcomes([Half; 2]);

/// Predictions of a label, by score and whether they are right, and its gold entities.
#[derive(Clone, Default)]
struct Half {
    predictions: Vec<(f32, bool)>,
    gold: usize,
}

impl Outcomes {
    fn all(&self) -> Half {
        let [even, odd] = &self.0;
        Half {
            predictions: [&even.predictions[..], &odd.predictions[..]].concat(),
            gold: even.gold + odd.gold,
        }
    }

    fn are_few(&self) -> bool {
        let all = self.all();
        all.gold.min(all.predictions.len()) < FEWEST_ENTITIES
    }

    /// The best least score, if those of both halves of the documents serve the other half.
    fn min_score(&self) -> Option<f64> {
        let [even, odd] = &self.0;
        let serves = |from: &Half, to: &Half| {
            let least = best_min_score(&from.predictions, from.gold);
            least.is_some_and(|least| to.f1(least) > to.f1(0.0))
        };
        let all = self.all();
        (serves(even, odd) && serves(odd, even))
            .then(|| best_min_score(&all.predictions, all.gold))
            .flatten()
    }
}

impl Half {
    /// F1 without the predictions below a score.
    fn f1(&self, least: f64) -> f64 {
        let kept = self.predictions.iter();
        let kept = kept.filter(|(score, _)| f64::from(*score) >= least);
        let (n, right) = kept.fold((0, 0), |(n, right), (_, is_right)| {
            (n + 1, right + usize::from(*is_right))
        });
        2.0 * right as f64 / (n + self.gold).max(1) as f64
    }
}
