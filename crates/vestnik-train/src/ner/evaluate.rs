//! Measuring a tagger: the windows and the decoding of inference, strict entity scores.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vestnik_core::metrics::{Counts, EntityEvaluator, EntityScores};
use vestnik_core::{Document, Entity, TagSet};
use vestnik_model::{Mode, TokenClassifier};
use vestnik_text::{
    Batch, Collator, Decoder, Example, TokenizedText, Tokenizer, Window, WindowOptions, windows,
};

use crate::error::{Error, Result};
use crate::event::NerMeasures;
use crate::ner::tagger::Tagger;

/// How documents are read when a tagger is measured.
#[derive(Debug, Clone)]
pub struct EvaluationOptions {
    /// How long documents are cut.
    pub windows: WindowOptions,
    /// Most tokens of one forward pass. Only speed depends on it. Default 4096.
    pub batch_tokens: usize,
}

impl EvaluationOptions {
    /// Forward passes of 4096 tokens.
    #[must_use]
    pub fn new(windows: WindowOptions) -> Self {
        Self {
            windows,
            batch_tokens: 4096,
        }
    }
}

/// Scores and the entities that were found.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// Strict scores: start, end and label exact.
    pub scores: EntityScores,
    /// The entities of each document, in the order of the documents.
    pub predictions: Vec<Vec<Entity>>,
}

/// Tags documents and compares the result with their annotation.
///
/// # Errors
/// [`Error::Model`], [`Error::Text`] or [`Error::Core`] when the model, the tokenizer and the labels do not fit together.
pub fn evaluate(
    model: &TokenClassifier,
    tokenizer: &Tokenizer,
    documents: &[Document],
    options: &EvaluationOptions,
) -> Result<Evaluated> {
    DevSet::new(tokenizer, documents.to_vec(), options)?.evaluate(model)
}

/// A document cut for the model.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) text: TokenizedText,
    pub(crate) windows: Vec<Window>,
}

impl Reading {
    pub(crate) fn new(tokenizer: &Tokenizer, text: &str, options: &WindowOptions) -> Result<Self> {
        let text = TokenizedText::new(tokenizer, text)?;
        let windows = windows(&text, options);
        Ok(Self { text, windows })
    }
}

/// Documents to measure on, read once.
#[derive(Debug)]
pub(super) struct DevSet {
    documents: Vec<Document>,
    readings: Vec<Reading>,
    batches: Vec<Batch>,
}

impl DevSet {
    pub(super) fn new(
        tokenizer: &Tokenizer,
        documents: Vec<Document>,
        options: &EvaluationOptions,
    ) -> Result<Self> {
        let readings = documents
            .par_iter()
            .map(|document| Reading::new(tokenizer, document.text(), &options.windows))
            .collect::<Result<Vec<_>>>()?;
        let batches = batches(tokenizer, &readings, options.batch_tokens);
        Ok(Self {
            documents,
            readings,
            batches,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Adds all that the scores depend on.
    pub(super) fn hash(&self, hash: &mut Sha256) {
        for document in &self.documents {
            let entities: Vec<_> = document
                .entities()
                .iter()
                .map(|entity| (entity.span, &entity.label))
                .collect();
            let parts = (
                document.lang(),
                document.text(),
                entities,
                document.annotated(),
            );
            hash.update(format!("{parts:?}\n"));
        }
    }

    /// Every document is seen once, whole.
    pub(super) fn evaluate(&self, model: &impl Tagger) -> Result<Evaluated> {
        let predictions = self.predict(model)?;
        let mut evaluator = EntityEvaluator::new();
        for (document, predicted) in self.documents.iter().zip(&predictions) {
            evaluator.add(
                document.lang(),
                document.entities(),
                predicted,
                document.annotated(),
            );
        }
        Ok(Evaluated {
            scores: evaluator.scores(),
            predictions,
        })
    }

    fn predict(&self, model: &impl Tagger) -> Result<Vec<Vec<Entity>>> {
        let tags = TagSet::from_labels(model.labels())?;
        let mut scores: Vec<WordScores> = self
            .readings
            .iter()
            .map(|reading| WordScores::outside(reading, tags.len(), tags.outside()))
            .collect();
        word_scores(model, &self.readings, &self.batches, &mut scores)?;
        let decoder = decoder(model, tags)?;
        let texts = self.documents.par_iter().zip(&self.readings).zip(&scores);
        Ok(texts
            .map(|((document, reading), scores)| {
                decoder.decode(document.text(), &reading.text.words, &scores.rows)
            })
            .collect())
    }
}

/// The decoder of a model.
fn decoder(model: &impl Tagger, tags: TagSet) -> Result<Decoder> {
    let decoder = Decoder::new(tags);
    Ok(match model.crf() {
        Some(crf) => decoder.with_transitions(crf.transitions()?),
        None => decoder,
    })
}

/// Fills in the words of all windows in some batches.
pub(super) fn word_scores(
    model: &impl Tagger,
    readings: &[Reading],
    batches: &[Batch],
    scores: &mut [WordScores],
) -> Result<()> {
    let n_tags = model.labels().len();
    for batch in batches {
        let logits = model.logits(batch, Mode::Inference)?;
        let logits = logits
            .flatten_all()
            .and_then(|logits| logits.to_vec1::<f32>())
            .map_err(Error::tensor("reading logits"))?;
        for (sequence, &(document, window)) in batch.origins.iter().enumerate() {
            let rows = &logits[batch.cumulative_lengths[sequence] * n_tags..];
            scores[document].fill(&readings[document], window, rows);
        }
    }
    Ok(())
}

/// Windows of like length together, longest first.
pub(super) fn batches(
    tokenizer: &Tokenizer,
    readings: &[Reading],
    max_tokens: usize,
) -> Vec<Batch> {
    let mut places: Vec<(usize, usize)> = (0..readings.len())
        .flat_map(|document| {
            (0..readings[document].windows.len()).map(move |window| (document, window))
        })
        .collect();
    let length =
        |&(document, window): &(usize, usize)| readings[document].windows[window].tokens.len() + 2;
    places.sort_by_key(|place| std::cmp::Reverse(length(place)));
    let collator = Collator::new(tokenizer.special());
    let mut batches = Vec::new();
    while !places.is_empty() {
        let mut tokens = 0;
        let fits = |place| {
            tokens += length(place);
            tokens <= max_tokens
        };
        let n = places
            .iter()
            .map(fits)
            .take_while(|&fits| fits)
            .count()
            .max(1);
        let examples: Vec<Example> = places
            .drain(..n)
            .map(|place| example(readings, place))
            .collect();
        batches.push(collator.batch(&examples));
    }
    batches
}

fn example(readings: &[Reading], (document, window): (usize, usize)) -> Example {
    let reading = &readings[document];
    let tokens = reading.windows[window].tokens.clone();
    Example {
        document,
        window,
        ids: reading.text.tokens.ids[tokens].to_vec(),
        labels: None,
        allowed: None,
    }
}

/// Log-probabilities of the tags of each word of a document.
pub(super) struct WordScores {
    rows: Vec<f32>,
    n_tags: usize,
}

impl WordScores {
    /// Every word outside: what holds for words that have no token.
    pub(super) fn outside(reading: &Reading, n_tags: usize, outside: usize) -> Self {
        let mut rows = vec![f32::NEG_INFINITY; reading.text.words.len() * n_tags];
        for row in rows.chunks_exact_mut(n_tags) {
            row[outside] = 0.0;
        }
        Self { rows, n_tags }
    }

    /// The log-probabilities of a word.
    pub(super) fn row(&self, word: usize) -> &[f32] {
        &self.rows[word * self.n_tags..][..self.n_tags]
    }

    /// Takes the words whose first token belongs to a window; `logits` begin with the window's first special token.
    fn fill(&mut self, reading: &Reading, window: usize, logits: &[f32]) {
        let (window, n_tags) = (&reading.windows[window], self.n_tags);
        for token in window.core.clone() {
            let Some(word) = reading.text.word_begun_by(token) else {
                continue;
            };
            let row = token - window.tokens.start + 1;
            log_softmax(
                &logits[row * n_tags..(row + 1) * n_tags],
                &mut self.rows[word * n_tags..(word + 1) * n_tags],
            );
        }
    }
}

fn log_softmax(logits: &[f32], out: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|&logit| (logit - max).exp()).sum();
    // One shift for all, as inference does it: the scores are the same to the last bit.
    let shift = max + sum.ln();
    for (out, &logit) in out.iter_mut().zip(logits) {
        *out = logit - shift;
    }
}

/// The numbers of an evaluation that logs and records keep.
pub(crate) fn measures(scores: &EntityScores) -> NerMeasures {
    NerMeasures {
        precision: scores.precision(),
        recall: scores.recall(),
        f1: scores.f1(),
        per_label: f1_of(&scores.per_label),
        per_lang: f1_of(&scores.per_lang),
    }
}

fn f1_of(counts: &BTreeMap<String, Counts>) -> BTreeMap<String, f64> {
    counts
        .iter()
        .map(|(name, counts)| (name.clone(), counts.f1()))
        .collect()
}
