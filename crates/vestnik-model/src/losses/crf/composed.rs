//! The forward algorithm out of candle's own operations.

use candle_core::{Device, Tensor};
use vestnik_core::TagSet;

use super::Words;
use crate::Result;

/// What counts as impossible beside a score: its exponential is zero, and it is finite.
const EXCLUDED: f32 = -1e30;

/// The loss of one chain.
pub(super) fn chain_loss(
    logits: &Tensor,
    table: &Tensor,
    tags: &TagSet,
    words: &Words,
) -> Result<Tensor> {
    let all = log_partition(logits, table, tags, words, false)?;
    let annotated = log_partition(logits, table, tags, words, true)?;
    Ok((all - annotated)?)
}

fn log_partition(
    logits: &Tensor,
    table: &Tensor,
    tags: &TagSet,
    words: &Words,
    annotated: bool,
) -> Result<Tensor> {
    let n_tags = tags.len();
    let emission = |word: usize| -> Result<Tensor> {
        let target = words.targets[word];
        let possible = mask(n_tags, |tag| !annotated || target.contains(tag))?;
        Ok((logits.get(words.rows[word])? + possible)?)
    };
    let follows = mask(n_tags * n_tags, |place| {
        tags.may_follow(Some(place / n_tags), place % n_tags)
    })?;
    let between = (table.narrow(0, 0, n_tags)? + follows.reshape((n_tags, n_tags))?)?;
    let mut sums = emission(0)?;
    if words.begins {
        let may = mask(n_tags, |tag| tags.may_follow(None, tag))?;
        sums = (sums + (table.get(n_tags)? + may)?)?;
    }
    for word in 1..words.rows.len() {
        let ways = between.broadcast_add(&sums.unsqueeze(1)?)?;
        sums = (log_sum_exp(&ways)? + emission(word)?)?;
    }
    if words.ends {
        let may = mask(n_tags, |tag| tags.may_end(tag))?;
        sums = (sums + (table.get(n_tags + 1)? + may)?)?;
    }
    log_sum_exp(&sums)
}

fn mask(n: usize, may: impl Fn(usize) -> bool) -> Result<Tensor> {
    let value = |place| if may(place) { 0.0 } else { EXCLUDED };
    let values: Vec<f32> = (0..n).map(value).collect();
    Ok(Tensor::from_vec(values, n, &Device::Cpu)?)
}

/// Over the first axis.
fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let max = x.max_keepdim(0)?.detach();
    let sum = x.broadcast_sub(&max)?.exp()?.sum(0)?;
    Ok((sum.log()? + max.squeeze(0)?)?)
}
