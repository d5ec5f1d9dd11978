//! From texts to the states of their tokens: windows of all texts, packed into batches.

use std::ops::Range;

use rayon::prelude::*;
use vestnik_model::{Device, Tensor};
use vestnik_text::{
    Batch, Collator, Example, TokenizedText, Tokenizer, Window, WindowOptions, windows,
};

use crate::batch_budget::BatchBudget;
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::states::States;
use crate::time_limit::{Share, Spent, TimeLimit};
use crate::times::{Stopwatch, Times};

/// Special tokens around each sequence: one before, one after.
const SPECIAL_TOKENS: usize = 2;

/// Reads texts, however long, with an encoder.
///
/// A long text is cut into windows, and windows of all texts are packed into batches by a token budget. What a head says
/// of a token counts where its window owns it.
#[derive(Debug)]
pub(crate) struct Reader {
    states: States,
    tokenizer: Tokenizer,
    collator: Collator,
    window: WindowOptions,
    device: Device,
    budget: BatchBudget,
    time_limit: TimeLimit,
    stopwatch: Stopwatch,
}

/// A text cut for the model.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) tokens: TokenizedText,
    pub(crate) windows: Vec<Window>,
    /// Its place among the texts of the call.
    index: usize,
    spent: Spent,
}

/// One window of one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence {
    pub(crate) text: usize,
    pub(crate) window: usize,
}

/// Windows that were read together.
pub(crate) struct ReadBatch {
    sequences: Vec<Sequence>,
    pub(crate) batch: Batch,
    /// `[tokens, hidden]`, special tokens included.
    pub(crate) states: Tensor,
}

impl ReadBatch {
    /// The windows in their order, each with the rows of its tokens, special ones left out.
    pub(crate) fn windows(&self) -> impl Iterator<Item = (Sequence, Range<usize>)> + '_ {
        let sequences = self.sequences.iter().copied().zip(self.batch.sequences());
        sequences.map(|(sequence, rows)| (sequence, rows.start + 1..rows.end - 1))
    }
}

impl Reader {
    pub(crate) fn new(
        states: States,
        tokenizer: Tokenizer,
        window: WindowOptions,
        device: Device,
        options: &Options,
    ) -> Result<Self> {
        Ok(Self {
            states,
            collator: Collator::new(tokenizer.special()),
            tokenizer,
            window,
            budget: BatchBudget::new(options.batch_tokens_on(&device))?,
            device,
            time_limit: TimeLimit::new(options.text_time),
            stopwatch: Stopwatch::default(),
        })
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The numbers in which the encoder computes.
    pub(crate) fn dtype(&self) -> Dtype {
        self.states.dtype()
    }

    /// Whether threads may read different texts at the same time.
    pub(crate) fn is_spread(&self) -> bool {
        self.states.is_spread()
    }

    /// Tokens of one forward pass.
    pub(crate) fn batch_tokens(&self) -> usize {
        self.budget.tokens()
    }

    /// What adds up the time that is spent.
    pub(crate) fn stopwatch(&self) -> &Stopwatch {
        &self.stopwatch
    }

    /// The time that was spent so far.
    pub(crate) fn times(&self) -> Times {
        self.stopwatch.times()
    }

    pub(crate) fn window(&self) -> &WindowOptions {
        &self.window
    }

    /// Tokens, words and windows of texts, in their order.
    pub(crate) fn texts<'a>(&self, texts: &[&'a str]) -> Result<Vec<Text<'a>>> {
        self.stopwatch.tokenizing(|| {
            texts
                .par_iter()
                .enumerate()
                .map(|text| self.text(text))
                .collect()
        })
    }

    fn text<'a>(&self, (index, text): (usize, &&'a str)) -> Result<Text<'a>> {
        let spent = Spent::default();
        let (tokens, windows) = self.time_limit.alone(index, &spent, || {
            let tokens = TokenizedText::new(&self.tokenizer, text)?;
            let windows = windows(&tokens, &self.window);
            Ok((tokens, windows))
        })?;
        Ok(Text {
            text,
            tokens,
            windows,
            index,
            spent,
        })
    }

    /// Runs the encoder once over every window of texts; `heads` is given batch after batch.
    pub(crate) fn read(
        &self,
        texts: &[Text<'_>],
        heads: impl FnMut(ReadBatch) -> Result<()>,
    ) -> Result<()> {
        self.read_windows(texts, &sequences(texts), heads)
    }

    /// [`Reader::read`] for some of the windows.
    pub(crate) fn read_windows(
        &self,
        texts: &[Text<'_>],
        sequences: &[Sequence],
        mut heads: impl FnMut(ReadBatch) -> Result<()>,
    ) -> Result<()> {
        let length = |s: &Sequence| texts[s.text].windows[s.window].tokens.len() + SPECIAL_TOKENS;
        let lengths: Vec<usize> = sequences.iter().map(length).collect();
        self.stopwatch.computing(|| {
            self.budget.each_batch(&lengths, |batch| {
                let shares = batch.iter().map(|&i| {
                    let text = &texts[sequences[i].text];
                    Share {
                        text: text.index,
                        spent: &text.spent,
                        tokens: lengths[i],
                    }
                });
                let of_batch = batch.iter().map(|&i| sequences[i]).collect();
                self.time_limit
                    .together(shares, || heads(self.batch(texts, of_batch)?))
            })
        })
    }

    fn batch(&self, texts: &[Text<'_>], sequences: Vec<Sequence>) -> Result<ReadBatch> {
        let examples: Vec<Example> = sequences.iter().map(|s| example(texts, *s)).collect();
        let batch = self.collator.batch(&examples);
        Ok(ReadBatch {
            states: self.states.of(&batch)?,
            sequences,
            batch,
        })
    }
}

/// All windows of all texts.
pub(crate) fn sequences(texts: &[Text<'_>]) -> Vec<Sequence> {
    let of = |(text, read): (usize, &Text<'_>)| {
        (0..read.windows.len()).map(move |window| Sequence { text, window })
    };
    texts.iter().enumerate().flat_map(of).collect()
}

fn example(texts: &[Text<'_>], sequence: Sequence) -> Example {
    let text = &texts[sequence.text];
    let tokens = text.windows[sequence.window].tokens.clone();
    Example {
        document: sequence.text,
        window: sequence.window,
        ids: text.tokens.tokens.ids[tokens].to_vec(),
        labels: None,
        allowed: None,
    }
}

pub(crate) fn to_host(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor
        .flatten_all()
        .and_then(|flat| flat.to_vec1::<f32>())
        .map_err(|source| Error::Tensor {
            doing: "the scores of a batch",
            source: Box::new(source),
        })
}
