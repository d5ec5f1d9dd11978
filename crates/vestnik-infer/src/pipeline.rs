//! Named entities: from texts to entities with scores.

use rayon::prelude::*;
use vestnik_core::{Entity, LabelSet};
use vestnik_model::{Device, Mode, TokenClassifier};
use vestnik_text::{
    Aggregation, Aggregator, Collator, Example, TokenizedText, Tokenizer, Window, WindowOptions,
    windows,
};

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
}

/// The parts a pipeline is made of.
pub(crate) struct Parts {
    pub(crate) classifier: TokenClassifier,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) window: WindowOptions,
    pub(crate) device: Device,
}

/// One text on its way through the model.
struct Reading<'a> {
    text: &'a str,
    tokens: TokenizedText,
    windows: Vec<Window>,
    /// Log-probabilities `[tokens, labels]`, row-major.
    scores: Vec<f32>,
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
        let aggregator = Aggregator::new(options.aggregation, parts.classifier.labels())
            .map_err(|source| Error::Labels { source })?;
        Ok(Self {
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
            self.score(&mut readings, &batch)?;
        }
        Ok(readings
            .into_par_iter()
            .map(|reading| self.decode(&reading))
            .collect())
    }

    /// Tokens, words and windows of a text, with room for the scores.
    fn read<'a>(&self, text: &'a str) -> Result<Reading<'a>> {
        let tokens = TokenizedText::new(&self.tokenizer, text)?;
        let windows = windows(&tokens, &self.window);
        Ok(Reading {
            text,
            scores: vec![0.0; tokens.tokens.len() * self.aggregator.n_labels()],
            tokens,
            windows,
        })
    }

    /// Runs the model on one batch and hands the scores to the tokens.
    fn score(&self, readings: &mut [Reading<'_>], sequences: &[Sequence]) -> Result<()> {
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

    fn decode(&self, reading: &Reading<'_>) -> Tagged {
        Tagged {
            entities: self
                .aggregator
                .entities(reading.text, &reading.tokens, &reading.scores),
            tokens: reading.tokens.tokens.ids.len(),
            windows: reading.windows.len(),
        }
    }
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

/// Gives each token that the window owns its log-probabilities. `rows` starts at the first token of the window.
fn hand_out(reading: &mut Reading<'_>, window: usize, rows: &[f32], n_labels: usize) {
    let window = &reading.windows[window];
    let before_core = window.core.start - window.tokens.start;
    let core = window.core.start * n_labels..window.core.end * n_labels;
    let targets = reading.scores[core].chunks_exact_mut(n_labels);
    let rows = rows.chunks_exact(n_labels).skip(before_core);
    targets
        .zip(rows)
        .for_each(|(target, row)| log_softmax(row, target));
}

/// `x - max - ln(sum(exp(x - max)))`: stable for large logits.
fn log_softmax(logits: &[f32], target: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    let log_sum = sum.ln();
    for (target, logit) in target.iter_mut().zip(logits) {
        // In this order no digit is lost to a large maximum.
        *target = (logit - max) - log_sum;
    }
}

fn to_host(logits: &vestnik_model::Tensor) -> Result<Vec<f32>> {
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
