//! The mean state of each text: what heads for texts, and classifiers on fixed features, read.

use std::ops::Range;

use vestnik_model::{Tensor, ops};

use crate::error::{Error, Result};
use crate::reader::{ReadBatch, Text, to_host};
use crate::window_means::WindowMeans;

/// The mean of the states of all tokens of a text, each as the window gives it that owns the token; special tokens are left
/// out.
pub(crate) struct TextStates(WindowMeans);

impl TextStates {
    pub(crate) fn new(texts: &[Text<'_>]) -> Self {
        Self(WindowMeans::new(texts))
    }

    pub(crate) fn add(&mut self, batch: &ReadBatch, texts: &[Text<'_>]) -> Result<()> {
        let cores: Vec<Range<usize>> = batch.windows().map(|window| core(window, texts)).collect();
        let means = ops::range_means(&batch.states, &cores).map_err(tensor_error)?;
        let means = to_host(&means)?;
        let rows = means.chunks_exact(means.len() / cores.len());
        for ((sequence, _), row) in batch.windows().zip(rows) {
            self.0.set(sequence, row);
        }
        Ok(())
    }

    /// In the order of the texts; `None` for a text without tokens.
    pub(crate) fn means(&self, texts: &[Text<'_>]) -> Vec<Option<Vec<f32>>> {
        self.0.means(texts)
    }
}

/// The rows of the tokens that a window owns.
fn core(
    (sequence, rows): (crate::reader::Sequence, Range<usize>),
    texts: &[Text<'_>],
) -> Range<usize> {
    let window = &texts[sequence.text].windows[sequence.window];
    let start = rows.start + window.core.start - window.tokens.start;
    start..start + window.core.len()
}

/// Rows as a tensor `[rows, width]`.
pub(crate) fn to_tensor(rows: &[Vec<f32>], like: &vestnik_model::Device) -> Result<Tensor> {
    let width = rows.first().map_or(0, Vec::len);
    Tensor::from_vec(rows.concat(), (rows.len(), width), like).map_err(tensor_error)
}

fn tensor_error(source: candle_core::Error) -> Error {
    Error::Tensor {
        doing: "the mean states of texts",
        source: Box::new(source),
    }
}
