//! What windows say, as one answer for each text: the mean of the windows, weighted by the tokens that they own.

use crate::reader::{Sequence, Text};

/// A vector for each window of texts, filled in any order.
///
/// The mean is taken in the order of the windows and in double precision, so that it does not depend on how windows were
/// packed into batches.
pub(crate) struct WindowMeans {
    /// By text and window.
    vectors: Vec<Vec<Vec<f32>>>,
}

impl WindowMeans {
    pub(crate) fn new(texts: &[Text<'_>]) -> Self {
        let room = |text: &Text<'_>| vec![Vec::new(); text.windows.len()];
        Self {
            vectors: texts.iter().map(room).collect(),
        }
    }

    pub(crate) fn set(&mut self, sequence: Sequence, vector: &[f32]) {
        self.vectors[sequence.text][sequence.window] = vector.to_vec();
    }

    /// The means, in the order of the texts, which are those that it was made for; `None` for a text without windows.
    pub(crate) fn means(&self, texts: &[Text<'_>]) -> Vec<Option<Vec<f32>>> {
        let texts = self.vectors.iter().zip(texts);
        texts.map(|(vectors, text)| mean(vectors, text)).collect()
    }
}

fn mean(vectors: &[Vec<f32>], text: &Text<'_>) -> Option<Vec<f32>> {
    let mut sums = vec![0.0; vectors.first()?.len()];
    for (vector, window) in vectors.iter().zip(&text.windows) {
        let weight = window.core.len() as f64;
        let terms = sums.iter_mut().zip(vector);
        terms.for_each(|(sum, x)| *sum += weight * f64::from(*x));
    }
    let n_tokens = text.tokens.tokens.len() as f64;
    Some(sums.iter().map(|sum| (sum / n_tokens) as f32).collect())
}
