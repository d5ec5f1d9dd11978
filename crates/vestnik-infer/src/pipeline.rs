//! Named entities: from texts to entities with scores.

use rayon::prelude::*;
use vestnik_core::{Entity, LabelSet};
use vestnik_model::{Device, Mode, TokenClassifier};
use vestnik_text::{
    Aggregation, Aggregator, Collator, Example, TokenizedText, Tokenizer, Transitions, Window,
    WindowOptions, windows,
};

use crate::calibration::Calibration;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::packing::pack;

/// Special tokens around each sequence: one before, one after.
const SPECIAL_TOKENS: usize = 2;

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
    classifier: TokenClassifier,
    tokenizer: Tokenizer,
    collator: Collator,
    aggregator: Aggregator,
    window: WindowOptions,
    device: Device,
    batch_tokens: usize,
    calibration: Calibration,
}

/// The parts a pipeline is made of.
pub(crate) struct Parts {
    pub(crate) classifier: TokenClassifier,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) window: WindowOptions,
    pub(crate) device: Device,
    pub(crate) calibration: Calibration,
}

/// One text as the model read it: [`NerPipeline::decode`] makes entities of it, with one calibration or another.
#[derive(Debug)]
pub struct Reading<'a> {
    text: &'a str,
    pub(crate) tokens: TokenizedText,
    pub(crate) windows: Vec<Window>,
    /// The model's outputs `[tokens, labels]`, row-major: each token has those of the window that owns it.
    pub(crate) logits: Vec<f32>,
}

/// One window of one text.
#[derive(Clone, Copy)]
struct Sequence {
    text: usize,
    window: usize,
}

impl NerPipeline {
    pub(crate) fn new(parts: Parts, options: &Options) -> Result<Self> {
        if options.batch_tokens == 0 {
            return Err(Error::BatchTokens);
        }
        let aggregator = aggregator(&parts.classifier, options)?;
        let calibration = calibration(parts.calibration, &aggregator, options)?;
        Ok(Self {
            calibration,
            collator: Collator::new(parts.tokenizer.special()),
            aggregator,
            classifier: parts.classifier,
            tokenizer: parts.tokenizer,
            window: parts.window,
            device: parts.device,
            batch_tokens: options.batch_tokens,
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
        self.classifier.labels()
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
        &self.device
    }

    /// How long articles are cut.
    #[must_use]
    pub fn window(&self) -> &WindowOptions {
        &self.window
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
        Ok(self.decode_batch(&readings, &self.calibration))
    }

    /// Runs the model on texts; what it says of them is decoded later, once or several times.
    ///
    /// # Errors
    /// As [`NerPipeline::tag_batch`].
    pub fn read_batch<'a>(&self, texts: &[&'a str]) -> Result<Vec<Reading<'a>>> {
        let mut readings = texts
            .par_iter()
            .map(|text| self.read(text))
            .collect::<Result<Vec<_>>>()?;
        let sequences = sequences(&readings);
        let lengths: Vec<usize> = sequences
            .iter()
            .map(|s| readings[s.text].windows[s.window].tokens.len() + SPECIAL_TOKENS)
            .collect();
        for batch in pack(&lengths, self.batch_tokens) {
            let batch: Vec<Sequence> = batch.into_iter().map(|i| sequences[i]).collect();
            self.compute(&mut readings, &batch)?;
        }
        Ok(readings)
    }

    /// The entities of a text, with this calibration instead of the pipeline's own.
    #[must_use]
    pub fn decode(&self, reading: &Reading<'_>, calibration: &Calibration) -> Tagged {
        let n_labels = self.aggregator.n_labels();
        let mut scores = vec![0.0; reading.logits.len()];
        let rows = reading.logits.chunks_exact(n_labels);
        scores
            .chunks_exact_mut(n_labels)
            .zip(rows)
            .for_each(|(target, row)| log_softmax(row, calibration.temperature as f32, target));
        let mut entities = self.aggregator.entities_at(
            calibration.temperature,
            reading.text,
            &reading.tokens,
            &scores,
        );
        entities.retain(|entity| calibration.keeps(entity));
        Tagged {
            entities,
            tokens: reading.tokens.tokens.ids.len(),
            windows: reading.windows.len(),
        }
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

    /// Tokens, words and windows of a text, with room for the logits.
    fn read<'a>(&self, text: &'a str) -> Result<Reading<'a>> {
        let tokens = TokenizedText::new(&self.tokenizer, text)?;
        let windows = windows(&tokens, &self.window);
        Ok(Reading {
            text,
            logits: vec![0.0; tokens.tokens.len() * self.aggregator.n_labels()],
            tokens,
            windows,
        })
    }

    /// Runs the model on one batch and hands the logits to the tokens.
    fn compute(&self, readings: &mut [Reading<'_>], sequences: &[Sequence]) -> Result<()> {
        let examples: Vec<Example> = sequences.iter().map(|s| example(readings, *s)).collect();
        let batch = self.collator.batch(&examples);
        let logits = to_host(&self.classifier.forward(&batch, Mode::Inference)?)?;
        let n_labels = self.aggregator.n_labels();
        for (sequence, start) in sequences.iter().zip(&batch.cumulative_lengths) {
            let reading = &mut readings[sequence.text];
            // The first row belongs to the special token before the sequence.
            let rows = &logits[(start + 1) * n_labels..];
            hand_out(reading, sequence.window, rows, n_labels);
        }
        Ok(())
    }
}

/// The way from the outputs of a model to entities.
fn aggregator(classifier: &TokenClassifier, options: &Options) -> Result<Aggregator> {
    let aggregator = Aggregator::new(options.aggregation, classifier.labels())
        .map_err(|source| Error::Labels { source })?;
    Ok(match classifier.crf() {
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

fn sequences(readings: &[Reading<'_>]) -> Vec<Sequence> {
    let of = |(text, reading): (usize, &Reading<'_>)| {
        (0..reading.windows.len()).map(move |window| Sequence { text, window })
    };
    readings.iter().enumerate().flat_map(of).collect()
}

fn example(readings: &[Reading<'_>], sequence: Sequence) -> Example {
    let reading = &readings[sequence.text];
    let tokens = reading.windows[sequence.window].tokens.clone();
    Example {
        document: sequence.text,
        window: sequence.window,
        ids: reading.tokens.tokens.ids[tokens].to_vec(),
        labels: None,
        allowed: None,
    }
}

/// Gives each token that the window owns its logits. `rows` starts at the first token of the window.
fn hand_out(reading: &mut Reading<'_>, window: usize, rows: &[f32], n_labels: usize) {
    let window = &reading.windows[window];
    let before_core = window.core.start - window.tokens.start;
    let core = window.core.start * n_labels..window.core.end * n_labels;
    let rows = &rows[before_core * n_labels..][..core.len()];
    reading.logits[core].copy_from_slice(rows);
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

pub(crate) fn to_host(logits: &vestnik_model::Tensor) -> Result<Vec<f32>> {
    logits
        .flatten_all()
        .and_then(|flat| flat.to_vec1::<f32>())
        .map_err(|source| Error::Tensor {
            doing: "the scores of a batch",
            source: Box::new(source),
        })
}

#[cfg(test)]
mod tests;
