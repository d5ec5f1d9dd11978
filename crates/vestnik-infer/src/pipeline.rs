//! Named entities: from texts to entities with scores.

use std::sync::Arc;

use rayon::prelude::*;
use vestnik_core::{Entity, LabelSet};
use vestnik_model::{Device, Mode, TaskHeads};
use vestnik_text::{Aggregation, Aggregator, Transitions, Window, WindowOptions};

use crate::calibration::Calibration;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::reader::{ReadBatch, Reader, Text, to_host};
use crate::task::Task;

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Tagged {
    /// The entities in the order of the text, with scores; flat, but for [`Aggregation::None`].
    pub entities: Vec<Entity>,
    /// Tokens read: all tokens of the text, without special ones; context that is read twice counts once.
    pub tokens: usize,
    /// Windows the text was read in; 0 for a text without tokens.
    pub windows: usize,
}

/// Tags named entities in raw text.
///
/// A long text is cut into windows, windows of all texts are packed into batches by a token budget, each token gets the
/// scores of the window that owns it, and these become entities: by default through the best valid sequence of tags over
/// the first tokens of words.
#[derive(Debug)]
pub struct NerPipeline {
    reader: Arc<Reader>,
    heads: Arc<TaskHeads>,
    labels: LabelSet,
    aggregator: Aggregator,
    calibration: Calibration,
}

/// One text as the model read it: [`NerPipeline::decode`] makes entities of it, with one calibration or another.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(crate) text: Text<'a>,
    /// The model's outputs `[tokens, labels]`, row-major: each token has those of the window that owns it.
    pub(crate) logits: Vec<f32>,
}

impl NerPipeline {
    pub(crate) fn new(
        reader: Arc<Reader>,
        heads: Arc<TaskHeads>,
        calibration: Calibration,
        options: &Options,
    ) -> Result<Self> {
        let labels = heads.labels().cloned().ok_or(Error::MissingTask {
            task: Task::Ner,
            known: Vec::new(),
        })?;
        let aggregator = aggregator(&heads, &labels, options)?;
        Ok(Self {
            labels,
            calibration: self::calibration(calibration, &aggregator, options)?,
            aggregator,
            reader,
            heads,
        })
    }

    /// The labels of entities: the types that this model knows, or its tags with [`Aggregation::None`].
    #[must_use]
    pub fn types(&self) -> &LabelSet {
        self.aggregator.types()
    }

    /// How scores of tokens become entities.
    #[must_use]
    pub fn aggregation(&self) -> Aggregation {
        self.aggregator.aggregation()
    }

    /// The labels of the model's outputs: tags.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The scores of transitions, in a model with a conditional random field whose entities are found by
    /// [`Aggregation::Viterbi`].
    #[must_use]
    pub fn transitions(&self) -> Option<&Transitions> {
        self.aggregator.transitions()
    }

    /// How its outputs become scores: what the model brings, with what its [`Options`] ask for.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The device it computes on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.reader.device()
    }

    /// How long articles are cut.
    #[must_use]
    pub fn window(&self) -> &WindowOptions {
        self.reader.window()
    }

    /// Tags one text.
    ///
    /// # Errors
    /// As [`NerPipeline::tag_batch`].
    pub fn tag(&self, text: &str) -> Result<Tagged> {
        Ok(self.tag_batch(&[text])?.swap_remove(0))
    }

    /// Tags texts; the answer has one element for each, in the same order. A text may be empty.
    ///
    /// # Errors
    /// [`Error::Text`] if the tokenizer fails, [`Error::Model`] or [`Error::Tensor`] if the model does.
    pub fn tag_batch(&self, texts: &[&str]) -> Result<Vec<Tagged>> {
        let readings = self.read_batch(texts)?;
        let stopwatch = self.reader.stopwatch();
        Ok(stopwatch.decoding(|| self.decode_batch(&readings, &self.calibration)))
    }

    /// Runs the model on texts; what it says of them is decoded later, once or several times.
    ///
    /// # Errors
    /// As [`NerPipeline::tag_batch`].
    pub fn read_batch<'a>(&self, texts: &[&'a str]) -> Result<Vec<Reading<'a>>> {
        let texts = self.reader.texts(texts)?;
        let mut logits = self.room(&texts);
        self.reader
            .read(&texts, |batch| self.add(&batch, &texts, &mut logits))?;
        let readings = texts.into_iter().zip(logits);
        Ok(readings
            .map(|(text, logits)| Reading { text, logits })
            .collect())
    }

    /// The entities of a text, with this calibration instead of the pipeline's own.
    #[must_use]
    pub fn decode(&self, reading: &Reading<'_>, calibration: &Calibration) -> Tagged {
        Tagged {
            entities: self.entities(&reading.text, &reading.logits, calibration),
            tokens: reading.text.tokens.tokens.len(),
            windows: reading.text.windows.len(),
        }
    }

    /// The entities of a text, given the logits of its tokens.
    pub(crate) fn entities(
        &self,
        text: &Text<'_>,
        logits: &[f32],
        calibration: &Calibration,
    ) -> Vec<Entity> {
        let n_labels = self.aggregator.n_labels();
        let mut scores = vec![0.0; logits.len()];
        scores
            .chunks_exact_mut(n_labels)
            .zip(logits.chunks_exact(n_labels))
            .for_each(|(target, row)| log_softmax(row, calibration.temperature as f32, target));
        let mut entities =
            self.aggregator
                .entities_at(calibration.temperature, text.text, &text.tokens, &scores);
        entities.retain(|entity| calibration.keeps(entity));
        entities
    }

    /// [`NerPipeline::decode`] for texts, in their order.
    #[must_use]
    pub fn decode_batch<'a, 'b: 'a>(
        &self,
        readings: impl IntoIterator<Item = &'a Reading<'b>>,
        calibration: &Calibration,
    ) -> Vec<Tagged> {
        let readings: Vec<&Reading<'_>> = readings.into_iter().collect();
        readings
            .par_iter()
            .map(|reading| self.decode(reading, calibration))
            .collect()
    }

    /// Room for the logits of all tokens of each text.
    pub(crate) fn room(&self, texts: &[Text<'_>]) -> Vec<Vec<f32>> {
        let n_labels = self.aggregator.n_labels();
        let room = |text: &Text<'_>| vec![0.0; text.tokens.tokens.len() * n_labels];
        texts.iter().map(room).collect()
    }

    /// Hands the logits of a batch to the tokens of the texts.
    pub(crate) fn add(
        &self,
        batch: &ReadBatch,
        texts: &[Text<'_>],
        logits: &mut [Vec<f32>],
    ) -> Result<()> {
        let of_batch = to_host(&self.heads.token_logits(&batch.states, Mode::Inference)?)?;
        let n_labels = self.aggregator.n_labels();
        for (sequence, rows) in batch.windows() {
            let window = &texts[sequence.text].windows[sequence.window];
            let rows = &of_batch[rows.start * n_labels..];
            hand_out(window, rows, n_labels, &mut logits[sequence.text]);
        }
        Ok(())
    }
}

/// The way from the outputs of a model to entities.
fn aggregator(heads: &TaskHeads, labels: &LabelSet, options: &Options) -> Result<Aggregator> {
    let aggregator =
        Aggregator::new(options.aggregation, labels).map_err(|source| Error::Labels { source })?;
    Ok(match heads.crf() {
        Some(crf) => aggregator.with_transitions(crf.transitions()?),
        None => aggregator,
    })
}

/// The model's calibration, with the least score that was asked for in place of its own.
///
/// Least scores of a model were measured on scores of [`Aggregation::Viterbi`], so they hold there alone.
fn calibration(
    mut of_model: Calibration,
    aggregator: &Aggregator,
    options: &Options,
) -> Result<Calibration> {
    of_model.check()?;
    match aggregator.aggregation() {
        Aggregation::Viterbi => of_model.check_labels(aggregator.types())?,
        _ => of_model.min_scores.clear(),
    }
    if let Some(least) = options.min_score {
        let labels = aggregator.types().iter().map(str::to_owned);
        of_model.min_scores = labels.map(|label| (label, least)).collect();
    }
    of_model.check()?;
    Ok(of_model)
}

/// Gives each token that the window owns its logits. `rows` starts at the first token of the window.
fn hand_out(window: &Window, rows: &[f32], n_labels: usize, logits: &mut [f32]) {
    let before_core = window.core.start - window.tokens.start;
    let core = window.core.start * n_labels..window.core.end * n_labels;
    let rows = &rows[before_core * n_labels..][..core.len()];
    logits[core].copy_from_slice(rows);
}

/// `y - ln(sum(exp(y)))` with `y = (x - max) / temperature`: stable for large logits.
fn log_softmax(logits: &[f32], temperature: f32, target: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for (target, logit) in target.iter_mut().zip(logits) {
        // In this order no digit is lost to a large maximum.
        *target = (logit - max) / temperature;
    }
    let sum: f32 = target.iter().map(|y| y.exp()).sum();
    let log_sum = sum.ln();
    target.iter_mut().for_each(|y| *y -= log_sum);
}

#[cfg(test)]
mod tests;
