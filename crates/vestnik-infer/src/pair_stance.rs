//! A classifier of text pairs as a model of stance: the text is the one, the target the other.

use std::ops::Range;

use vestnik_core::{Span, Stance};
use vestnik_model::{Device, Mode, ModelDir, SequenceClassificationHead};
use vestnik_text::{PairTemplate, SpanPlace, TokenizedText, Tokenizer, WindowOptions, windows};

use crate::analysis::{Analysis, Request, Target};
use crate::batch_budget::BatchBudget;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::head_metadata::HeadCalibration;
use crate::opened::Opened;
use crate::options::Options;
use crate::reader::to_host;
use crate::stance_scores::StanceScores;
use crate::states::States;
use crate::time_limit::{Share, Spent, TimeLimit};
use crate::times::{Stopwatch, Times};

/// A `…ForSequenceClassification` whose labels are stances, on pairs of a text and a target as it stands there.
///
/// A text that is too long to be read at once beside the target is read in the window that owns the target's first token.
/// Of a target that takes more than a quarter of the model's positions the beginning is read.
#[derive(Debug)]
pub(crate) struct PairStance {
    states: States,
    head: SequenceClassificationHead,
    tokenizer: Tokenizer,
    template: PairTemplate,
    scores: StanceScores,
    device: Device,
    max_tokens: usize,
    budget: BatchBudget,
    time_limit: TimeLimit,
    stopwatch: Stopwatch,
}

/// A target with the part of its text that is read with it.
struct Pair {
    /// The text and the target in it.
    place: (usize, usize),
    window: Range<usize>,
    target: Vec<u32>,
}

impl PairStance {
    pub(crate) fn open(dir: &ModelDir, device: Device, options: &Options) -> Result<Self> {
        let budget = BatchBudget::new(options.batch_tokens_on(&device))?;
        let Opened {
            tokenizer,
            states,
            head,
        } = Opened::classifier(dir, &device, options)?;
        Ok(Self {
            scores: StanceScores::new(head.labels(), &HeadCalibration::default())?,
            states,
            template: PairTemplate::new(&tokenizer)?,
            head,
            tokenizer,
            device,
            max_tokens: dir.max_tokens(),
            budget,
            time_limit: TimeLimit::new(options.text_time),
            stopwatch: Stopwatch::default(),
        })
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn dtype(&self) -> Dtype {
        self.states.dtype()
    }

    /// Tokens of one forward pass.
    pub(crate) fn batch_tokens(&self) -> usize {
        self.budget.tokens()
    }

    /// The time that was spent so far.
    pub(crate) fn times(&self) -> Times {
        self.stopwatch.times()
    }

    pub(crate) fn analyze(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        let spent: Vec<Spent> = requests.iter().map(|_| Spent::default()).collect();
        let (texts, pairs) = self.stopwatch.tokenizing(|| self.read(requests, &spent))?;
        let stances = self
            .stopwatch
            .computing(|| self.stances(&texts, &pairs, &spent))?;
        let mut analyses: Vec<Analysis> = requests.iter().zip(&texts).map(blank).collect();
        for (pair, stance) in pairs.iter().zip(stances) {
            analyses[pair.place.0].targets[pair.place.1].stance = Some(stance);
        }
        count_windows(&pairs, &mut analyses);
        Ok(analyses)
    }

    /// Tokens of texts and their targets.
    fn read(
        &self,
        requests: &[Request<'_>],
        spent: &[Spent],
    ) -> Result<(Vec<TokenizedText>, Vec<Pair>)> {
        let texts: Vec<TokenizedText> = requests
            .iter()
            .enumerate()
            .map(|(index, request)| {
                let tokenize = || Ok(TokenizedText::new(&self.tokenizer, request.text)?);
                self.time_limit.alone(index, &spent[index], tokenize)
            })
            .collect::<Result<_>>()?;
        let mut pairs = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            pairs.extend(self.pairs(index, request, &texts[index])?);
        }
        Ok((texts, pairs))
    }

    /// The targets of a text that have tokens.
    fn pairs(
        &self,
        index: usize,
        request: &Request<'_>,
        text: &TokenizedText,
    ) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        for (number, span) in request.targets.iter().enumerate() {
            if let Some(place) = SpanPlace::new(text, *span) {
                let target = self.target(request.text, *span)?;
                pairs.push(Pair {
                    place: (index, number),
                    window: self.window(text, place.span.start, target.len()),
                    target,
                });
            }
        }
        Ok(pairs)
    }

    fn target(&self, text: &str, span: Span) -> Result<Vec<u32>> {
        let named = text.get(span.range()).unwrap_or_default();
        let mut ids = self.tokenizer.encode(named)?.ids;
        ids.truncate((self.max_tokens / 4).max(1));
        Ok(ids)
    }

    /// What is read of a text beside a target of `n_target` tokens whose first one in the text is `token`.
    fn window(&self, text: &TokenizedText, token: usize, n_target: usize) -> Range<usize> {
        let room = self
            .max_tokens
            .saturating_sub(n_target + self.template.n_special());
        let options = WindowOptions {
            max_tokens: room,
            context: room / 4,
        };
        let mut windows = windows(text, &options).into_iter();
        let owner = windows.find(|window| window.core.contains(&token));
        owner.map_or(0..0, |window| window.tokens)
    }

    fn stances(
        &self,
        texts: &[TokenizedText],
        pairs: &[Pair],
        spent: &[Spent],
    ) -> Result<Vec<Stance>> {
        let length =
            |pair: &Pair| pair.window.len() + pair.target.len() + self.template.n_special();
        let lengths: Vec<usize> = pairs.iter().map(length).collect();
        let mut found = vec![None; pairs.len()];
        self.budget.each_batch(&lengths, |batch| {
            let of_batch: Vec<&Pair> = batch.iter().map(|&index| &pairs[index]).collect();
            let shares = batch.iter().map(|&index| Share {
                text: pairs[index].place.0,
                spent: &spent[pairs[index].place.0],
                tokens: lengths[index],
            });
            let logits = self
                .time_limit
                .together(shares, || self.logits(texts, &of_batch))?;
            let rows = logits.chunks_exact(self.head.labels().len());
            for (&index, row) in batch.iter().zip(rows) {
                found[index] = Some(self.scores.stance(row));
            }
            Ok(())
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    fn logits(&self, texts: &[TokenizedText], pairs: &[&Pair]) -> Result<Vec<f32>> {
        let ids = pairs.iter().map(|pair| {
            let text = &texts[pair.place.0].tokens.ids[pair.window.clone()];
            [text, &pair.target[..]]
        });
        let batch = self.template.batch(ids);
        let states = self.states.of(&batch)?;
        to_host(&self.head.forward(&states, &batch, Mode::Inference)?)
    }
}

fn blank((request, text): (&Request<'_>, &TokenizedText)) -> Analysis {
    Analysis {
        targets: request.targets.iter().copied().map(Target::new).collect(),
        tokens: text.tokens.len(),
        ..Analysis::default()
    }
}

/// Windows of a text that were read for some target of it.
fn count_windows(pairs: &[Pair], analyses: &mut [Analysis]) {
    let mut read: Vec<(usize, usize)> = pairs
        .iter()
        .map(|pair| (pair.place.0, pair.window.start))
        .collect();
    read.sort_unstable();
    read.dedup();
    read.iter()
        .for_each(|&(text, _)| analyses[text].windows += 1);
}
