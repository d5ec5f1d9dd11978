//! What the annotation asks of a row of logits.

use candle_core::Tensor;

use crate::{Error, Result};

/// What the loss of one row of logits asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The row does not count.
    Ignored,
    /// Exactly this class.
    Class(usize),
    /// Any class whose bit is set: the annotation leaves open which.
    AnyOf(u64),
}

impl Target {
    /// Whether the annotation leaves a class possible.
    pub(super) fn contains(self, class: usize) -> bool {
        match self {
            Self::Ignored => true,
            Self::Class(label) => class == label,
            Self::AnyOf(set) => set >> class & 1 == 1,
        }
    }
}

/// The targets of all rows, from their labels and sets.
///
/// # Errors
/// [`Error::Argument`] when the lengths differ, a label is not below the number of classes, or sets are given for more
/// than 64 classes.
pub(super) fn targets(logits: &Tensor, labels: &[i64], allowed: &[u64]) -> Result<Vec<Target>> {
    let (rows, classes) = logits.dims2()?;
    let argument = |what, expected: String, got: String| {
        Err(Error::Argument {
            what,
            expected,
            got,
        })
    };
    if labels.len() != rows {
        let expected = format!("{rows}, one for every row of logits");
        return argument("labels", expected, labels.len().to_string());
    }
    if !allowed.is_empty() && (allowed.len() != rows || classes > 64) {
        let expected = format!("none, or one for each of {rows} rows of at most 64 classes");
        let got = format!("{} for {classes} classes", allowed.len());
        return argument("allowed sets", expected, got);
    }
    if let Some(label) = labels.iter().find(|label| **label >= classes as i64) {
        return argument("label", format!("below {classes}"), label.to_string());
    }
    let target = |row: usize| match (labels[row], allowed.get(row)) {
        (label, _) if label < 0 => Target::Ignored,
        (_, Some(&set)) if set != 0 => Target::AnyOf(set),
        (label, _) => Target::Class(label as usize),
    };
    Ok((0..rows).map(target).collect())
}
