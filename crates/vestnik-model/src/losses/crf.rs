//! The likelihood of tags under a linear-chain conditional random field.

mod composed;

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Shape, Tensor};
use rayon::prelude::*;
use vestnik_core::TagSet;
use vestnik_text::{Chain, Expectations, Transitions};

use super::target::{Target, targets};
use crate::ops::cpu;
use crate::{Error, Result};

/// A text, or a part of it, among the packed tokens of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPart {
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Whether its first labelled word is the first of the text.
    pub begins: bool,
    /// Whether its last labelled word is the last of the text.
    pub ends: bool,
}

/// The scores of transitions, as tensors.
#[derive(Clone, Copy, Debug)]
pub struct CrfScores<'a> {
    /// `[tag, next tag]`.
    pub transitions: &'a Tensor,
    /// `[tags]`: of the first word of a text.
    pub start: &'a Tensor,
    /// `[tags]`: of the last word of a text.
    pub end: &'a Tensor,
}

/// What the annotation says of the words of each part.
#[derive(Clone, Copy, Debug)]
pub struct CrfTargets<'a> {
    /// The label of each token; only tokens whose label is not negative are words of the chain.
    pub labels: &'a [i64],
    /// For each token the set of possible tags, as bits, where the label leaves it open, else 0; or none at all.
    pub allowed: &'a [u64],
    /// Disjoint ranges of the tokens; tokens outside of all count nowhere.
    pub parts: &'a [TextPart],
}

/// The negative log-likelihood of the tags of all labelled words under a conditional random field (Lafferty, McCallum &
/// Pereira 2001), per labelled word: `(log Z - log Z') / words`, summed over the parts, where `Z` sums over all sequences
/// of tags that the scheme allows, and `Z'` over those that agree with the annotation. Where that leaves several tags
/// possible, all are summed (Tsuboi et al. 2008). Zero without labelled words.
///
/// The words of a part are its tokens with a label, whatever lies between them. Parts do not see each other. A part that
/// does not begin its text has neither a score nor a rule for its first tag, since the tag before it is unknown; so for
/// its end. It is computed on the host whatever device holds the logits: a chain is one step after the other, and small.
///
/// **Shapes** `logits [tokens, tags]` → scalar.
///
/// # Errors
/// [`Error::Argument`] for lengths, labels or ranges that do not fit, [`Error::Tensor`] when the labels of a part are a
/// sequence that the scheme forbids.
pub fn crf(
    logits: &Tensor,
    scores: CrfScores<'_>,
    tags: &TagSet,
    targets: CrfTargets<'_>,
) -> Result<Tensor> {
    let (chains, n_words) = chains(logits, tags, targets)?;
    let operation = CrfSum {
        tags: tags.clone(),
        chains,
    };
    let total = on_host(logits)?.apply_op2(&table(scores)?, operation)?;
    Ok((total / n_words.max(1) as f64)?.to_device(logits.device())?)
}

/// [`crf`] composed of candle's own differentiable operations, word by word: the reference in tests.
///
/// # Errors
/// As [`crf`].
pub fn crf_composed(
    logits: &Tensor,
    scores: CrfScores<'_>,
    tags: &TagSet,
    targets: CrfTargets<'_>,
) -> Result<Tensor> {
    let (chains, n_words) = chains(logits, tags, targets)?;
    let table = table(scores)?;
    let mut total = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for chain in &chains {
        total = (total + composed::chain_loss(&on_host(logits)?, &table, tags, chain)?)?;
    }
    Ok((total / n_words.max(1) as f64)?)
}

/// The labelled words of a part.
struct Words {
    rows: Vec<usize>,
    targets: Vec<Target>,
    begins: bool,
    ends: bool,
}

/// The parts that have labelled words, and the number of all words.
fn chains(logits: &Tensor, tags: &TagSet, wanted: CrfTargets<'_>) -> Result<(Vec<Words>, usize)> {
    let (n_tokens, n_outputs) = logits.dims2()?;
    let argument = |what, expected: String, got: String| {
        Err(Error::Argument {
            what,
            expected,
            got,
        })
    };
    if n_outputs != tags.len() {
        let expected = format!("{}, one for each tag", tags.len());
        return argument("logits of a token", expected, n_outputs.to_string());
    }
    let last = wanted.parts.iter().map(|part| part.tokens.end).max();
    if let Some(last) = last.filter(|last| *last > n_tokens) {
        let expected = format!("within {n_tokens} tokens");
        return argument("part of a text", expected, format!("one up to {last}"));
    }
    let targets = targets(logits, wanted.labels, wanted.allowed)?;
    let words = |part: &TextPart| {
        let counted = |token: &usize| targets[*token] != Target::Ignored;
        let rows: Vec<usize> = part.tokens.clone().filter(counted).collect();
        Words {
            targets: rows.iter().map(|&row| targets[row]).collect(),
            rows,
            begins: part.begins,
            ends: part.ends,
        }
    };
    let parts = wanted.parts.iter().map(words);
    let chains: Vec<Words> = parts.filter(|words| !words.rows.is_empty()).collect();
    let n_words = chains.iter().map(|words| words.rows.len()).sum();
    Ok((chains, n_words))
}

/// All scores of transitions as one tensor `[tags + 2, tags]`: start and end are the last rows.
fn table(scores: CrfScores<'_>) -> Result<Tensor> {
    let (start, end) = (scores.start.unsqueeze(0)?, scores.end.unsqueeze(0)?);
    on_host(&Tensor::cat(&[scores.transitions, &start, &end], 0)?)
}

fn on_host(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F32)?
        .contiguous()?)
}

/// The sum of the losses of all chains; the inputs are the logits and the [`table`].
struct CrfSum {
    tags: TagSet,
    chains: Vec<Words>,
}

impl CrfSum {
    fn transitions(&self, table: &[f32]) -> Transitions {
        let n_tags = self.tags.len();
        let (between, edges) = table.split_at(n_tags * n_tags);
        let (start, end) = edges.split_at(n_tags);
        Transitions::new(&self.tags, between, start, end)
    }

    /// A chain without and with what the annotation says.
    fn pair<'a>(
        &self,
        words: &Words,
        logits: &[f32],
        transitions: &'a Transitions,
    ) -> (Chain<'a>, Chain<'a>) {
        let n_tags = self.tags.len();
        let rows = words.rows.iter();
        let all = rows.flat_map(|&row| &logits[row * n_tags..][..n_tags]);
        let all: Vec<f64> = all.map(|&logit| f64::from(logit)).collect();
        let possible = |(place, &emission): (usize, &f64)| match words.targets[place / n_tags]
            .contains(place % n_tags)
        {
            true => emission,
            false => f64::NEG_INFINITY,
        };
        let annotated = all.iter().enumerate().map(possible).collect();
        let chain = |emissions| Chain::new(transitions, emissions).part(words.begins, words.ends);
        (chain(all), chain(annotated))
    }

    fn losses(&self, logits: &[f32], table: &[f32]) -> candle_core::Result<f64> {
        let transitions = self.transitions(table);
        let loss = |words: &Words| {
            let (all, annotated) = self.pair(words, logits, &transitions);
            let (all, annotated) = (all.log_partition(), annotated.log_partition());
            if all.is_finite() && annotated == f64::NEG_INFINITY {
                candle_core::bail!("the tag scheme forbids the labels of a text");
            }
            Ok(all - annotated)
        };
        let losses: candle_core::Result<Vec<f64>> = self.chains.par_iter().map(loss).collect();
        Ok(losses?.iter().sum())
    }

    /// The gradients of the logits and of the table, times `scale`: expected numbers without the annotation less those
    /// with it.
    fn gradients(&self, logits: &[f32], table: &[f32], scale: f64) -> (Vec<f32>, Vec<f32>) {
        let transitions = self.transitions(table);
        let expectations = |words: &Words| {
            let (all, annotated) = self.pair(words, logits, &transitions);
            (all.expectations(), annotated.expectations())
        };
        let all: Vec<(Expectations, Expectations)> =
            self.chains.par_iter().map(expectations).collect();
        let n_tags = self.tags.len();
        let mut of_logits = vec![0.0; logits.len()];
        let mut of_table = vec![0.0; table.len()];
        for (words, (all, annotated)) in self.chains.iter().zip(&all) {
            let rows = differences(&all.tags, &annotated.tags);
            for (place, difference) in rows.enumerate() {
                let row = words.rows[place / n_tags];
                of_logits[row * n_tags + place % n_tags] = (scale * difference) as f32;
            }
            let between = differences(&all.between, &annotated.between);
            let edges = differences(&all.start, &annotated.start)
                .chain(differences(&all.end, &annotated.end));
            let places = of_table.iter_mut().zip(between.chain(edges));
            places.for_each(|(sum, difference)| *sum += scale * difference);
        }
        (of_logits, of_table.iter().map(|&x| x as f32).collect())
    }
}

fn differences<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    a.iter().zip(b).map(|(a, b)| a - b)
}

impl CustomOp2 for CrfSum {
    fn name(&self) -> &'static str {
        "crf_sum"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        table: &CpuStorage,
        table_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let logits = cpu::slice_of(logits, logits_layout)?;
        let total = self.losses(logits, cpu::slice_of(table, table_layout)?)?;
        Ok(cpu::output(vec![total as f32], ()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        table: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = f64::from(grad.to_scalar::<f32>()?);
        let (logits_data, table_data) = (cpu::data_of(logits), cpu::data_of(table));
        let (of_logits, of_table) =
            self.gradients(logits_data.as_slice()?, table_data.as_slice()?, scale);
        let of_logits = Tensor::from_vec(of_logits, logits.shape(), &Device::Cpu)?;
        let of_table = Tensor::from_vec(of_table, table.shape(), &Device::Cpu)?;
        Ok((Some(of_logits), Some(of_table)))
    }
}
