//! A model and what it computes for sequences.

use anyhow::Result;
use serde::Serialize;
use vestnik_model::{
    Device, EncoderConfig, EncoderModel, HeadKind, MaskedLm, Mode, ModelDir, SequenceClassifier,
    Tensor, TokenClassifier,
};
use vestnik_text::{Batch, Tokenizer};

use super::sequence::Sequence;
use crate::failure::Mistake;

/// Sequences go through the model packed, up to about this many tokens at once.
const MAX_TOKENS: usize = 8192;
/// No more numbers than this are computed at once: a text of 130 tokens over a vocabulary of 250 000.
const MAX_NUMBERS: usize = 1 << 25;

/// A model with the head that answers.
pub(super) struct Computer {
    head: Head,
    labels: Vec<String>,
    /// For the names of pieces, where the outputs are pieces and there is a tokenizer.
    tokenizer: Option<Tokenizer>,
    limit: usize,
    /// Rows of the table of types, where the model looks at types.
    n_types: Option<usize>,
    /// Numbers for each token.
    width: usize,
}

enum Head {
    Tokens(TokenClassifier),
    Sequences(SequenceClassifier),
    Pieces(MaskedLm),
    None(EncoderModel),
}

/// What is computed for a sequence, under its name.
#[derive(Debug, Serialize)]
pub(super) enum Numbers {
    /// `[tokens][outputs]`, special tokens included.
    #[serde(rename = "logits")]
    OfTokens(Vec<Vec<f32>>),
    /// `[labels]`.
    #[serde(rename = "logits")]
    OfSequence(Vec<f32>),
    /// `[tokens][width]`, special tokens included.
    #[serde(rename = "hidden")]
    Hidden(Vec<Vec<f32>>),
}

impl Computer {
    /// Loads a model with its head, or without one.
    pub(super) fn load(dir: &ModelDir, hidden: bool) -> Result<Self> {
        let head = Head::load(dir, hidden)?;
        let encoder = &dir.config().encoder;
        let labels = head.labels();
        let (tokenizer, width) = match &head {
            Head::Pieces(_) => (dir.tokenizer().ok(), encoder.vocab_size),
            Head::None(_) => (None, encoder.hidden_size),
            Head::Tokens(_) | Head::Sequences(_) => (None, labels.len()),
        };
        Ok(Self {
            head,
            labels,
            tokenizer,
            limit: encoder.max_tokens(),
            n_types: n_types(encoder),
            width: width.max(1),
        })
    }

    /// Names of the outputs; none where they are pieces or hidden states.
    pub(super) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The name of a piece, or its number.
    pub(super) fn piece(&self, id: usize) -> String {
        let tokenizer = self.tokenizer.as_ref();
        let piece = tokenizer.and_then(|tokenizer| tokenizer.token(id as u32));
        piece.map_or_else(|| id.to_string(), str::to_owned)
    }

    /// Refuses sequences that cannot be computed, or whose answer would be too large.
    pub(super) fn check(&self, sequences: &[Sequence]) -> Result<()> {
        for sequence in sequences {
            self.check_length(sequence)?;
            self.check_types(sequence)?;
            self.check_size(sequence)?;
        }
        Ok(())
    }

    fn check_length(&self, Sequence { source, ids, .. }: &Sequence) -> Result<()> {
        let (tokens, limit) = (ids.len(), self.limit);
        if tokens <= limit {
            return Ok(());
        }
        let message =
            format!("{source}: {tokens} tokens with the special ones, the model reads {limit}");
        let hint = "shorten it; `vestnik tag` reads long articles in windows";
        Err(Mistake::new(message).hint(hint).into())
    }

    fn check_types(
        &self,
        Sequence {
            source, type_ids, ..
        }: &Sequence,
    ) -> Result<()> {
        let Some(n_types) = self.n_types else {
            return Ok(());
        };
        match type_ids.iter().find(|id| **id as usize >= n_types) {
            None => Ok(()),
            Some(id) => {
                let message = format!("{source}: type id {id}, the model has {n_types} types");
                Err(Mistake::new(message).into())
            }
        }
    }

    fn check_size(&self, Sequence { source, ids, .. }: &Sequence) -> Result<()> {
        let (tokens, width) = (ids.len(), self.width);
        if tokens * width <= MAX_NUMBERS {
            return Ok(());
        }
        let message = format!("{source}: {tokens} tokens with {width} logits each are too many");
        let hint = format!("shorten it: {MAX_NUMBERS} numbers are computed at most");
        Err(Mistake::new(message).hint(hint).into())
    }

    /// Neighbouring sequences that are computed together.
    pub(super) fn batches<'a>(&self, sequences: &'a [Sequence]) -> Vec<&'a [Sequence]> {
        let budget = MAX_TOKENS.min(MAX_NUMBERS / self.width);
        let mut tokens = sequences.first().map_or(0, |first| first.ids.len());
        let fits = |_: &Sequence, next: &Sequence| {
            tokens += next.ids.len();
            let fits = tokens <= budget;
            tokens = if fits { tokens } else { next.ids.len() };
            fits
        };
        sequences.chunk_by(fits).collect()
    }

    /// The numbers of sequences that are read together, packed end to end.
    pub(super) fn compute(&self, sequences: &[Sequence]) -> Result<Vec<Numbers>> {
        let batch = packed(sequences);
        let rows = self.forward(&batch)?.to_vec2::<f32>()?;
        if let Head::Sequences(_) = self.head {
            return Ok(rows.into_iter().map(Numbers::OfSequence).collect());
        }
        let mut rows = rows.into_iter();
        let numbers = sequences.iter().map(|sequence| {
            let rows = rows.by_ref().take(sequence.ids.len()).collect();
            match self.head {
                Head::None(_) => Numbers::Hidden(rows),
                _ => Numbers::OfTokens(rows),
            }
        });
        Ok(numbers.collect())
    }

    fn forward(&self, batch: &Batch) -> Result<Tensor> {
        Ok(match &self.head {
            Head::Tokens(model) => model.forward(batch, Mode::Inference)?,
            Head::Sequences(model) => model.forward(batch, Mode::Inference)?,
            Head::Pieces(model) => {
                let positions: Vec<u32> = (0..batch.ids.len() as u32).collect();
                model.logits(batch, &positions, Mode::Inference)?
            }
            Head::None(model) => model.forward(batch)?,
        })
    }
}

impl Head {
    fn load(dir: &ModelDir, hidden: bool) -> Result<Self> {
        let cpu = &Device::Cpu;
        Ok(match dir.config().head() {
            _ if hidden => Self::None(EncoderModel::load_frozen(dir, cpu)?.0),
            Some(HeadKind::TokenClassification) => {
                Self::Tokens(TokenClassifier::load_frozen(dir, cpu)?.0)
            }
            Some(HeadKind::SequenceClassification) => {
                Self::Sequences(SequenceClassifier::load_frozen(dir, cpu)?.0)
            }
            Some(HeadKind::MaskedLm) => Self::Pieces(masked_lm(dir)?),
            _ => return Err(no_head(dir)),
        })
    }

    fn labels(&self) -> Vec<String> {
        let labels = match self {
            Self::Tokens(model) => model.labels(),
            Self::Sequences(model) => model.labels(),
            Self::Pieces(_) | Self::None(_) => return Vec::new(),
        };
        labels.iter().map(str::to_owned).collect()
    }
}

fn n_types(encoder: &EncoderConfig) -> Option<usize> {
    let looks = encoder.type_vocab_size > 0 && !encoder.architecture.is_roberta();
    looks.then_some(encoder.type_vocab_size)
}

/// A masked language model whose head is all there: a fresh one would answer at random.
fn masked_lm(dir: &ModelDir) -> Result<MaskedLm> {
    let (model, report) = MaskedLm::load(dir, 0, &Device::Cpu)?;
    if let Some(name) = report.missing.first() {
        let path = dir.path().display();
        let message = format!("{path}: the head is not in the weights: no {name}");
        return Err(Mistake::new(message).hint(HIDDEN).into());
    }
    Ok(model)
}

fn no_head(dir: &ModelDir) -> anyhow::Error {
    let classes = dir.config().class_names().join(", ");
    let path = dir.path().display();
    let message = format!("{path}: no head that gives logits (architectures: {classes})");
    Mistake::new(message).hint(HIDDEN).into()
}

const HIDDEN: &str = "--hidden --json prints the hidden states of the encoder";

fn packed(sequences: &[Sequence]) -> Batch {
    let mut batch = Batch {
        cumulative_lengths: vec![0],
        ..Batch::default()
    };
    for (index, sequence) in sequences.iter().enumerate() {
        batch.ids.extend(&sequence.ids);
        batch.type_ids.extend(&sequence.type_ids);
        batch.position_ids.extend(0..sequence.ids.len() as u32);
        batch.cumulative_lengths.push(batch.ids.len());
        batch.origins.push((index, 0));
    }
    batch
}
