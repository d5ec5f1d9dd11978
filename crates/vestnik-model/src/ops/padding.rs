//! Packed sequences as padded batches: how operations composed of candle's own see them.

use candle_core::{Result, Tensor};

/// Where the tokens of packed sequences lie in a padded batch.
pub(crate) struct Padding {
    pub(crate) n_sequences: usize,
    /// Places of each sequence: the length of the longest.
    pub(crate) length: usize,
    /// For every padded place the token that fills it; places beyond a sequence's end repeat its first token.
    token_of_place: Vec<u32>,
    place_of_token: Vec<u32>,
    is_token: Vec<bool>,
}

impl Padding {
    pub(crate) fn new(cumulative_lengths: &[usize]) -> Self {
        let n_sequences = cumulative_lengths.len() - 1;
        let length = cumulative_lengths
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or(0);
        let (mut token_of_place, mut place_of_token, mut is_token) = (vec![], vec![], vec![]);
        for (sequence, pair) in cumulative_lengths.windows(2).enumerate() {
            for place in 0..length {
                let inside = pair[0] + place < pair[1];
                token_of_place.push(if inside { pair[0] + place } else { pair[0] } as u32);
                is_token.push(inside);
                if inside {
                    place_of_token.push((sequence * length + place) as u32);
                }
            }
        }
        Self {
            n_sequences,
            length,
            token_of_place,
            place_of_token,
            is_token,
        }
    }

    /// `[tokens, width]` → `[sequences * length, width]`.
    pub(crate) fn pad(&self, x: &Tensor) -> Result<Tensor> {
        x.index_select(&Tensor::new(self.token_of_place.as_slice(), x.device())?, 0)
    }

    /// `[sequences * length, width]` → `[tokens, width]`.
    pub(crate) fn unpad(&self, x: &Tensor) -> Result<Tensor> {
        x.index_select(&Tensor::new(self.place_of_token.as_slice(), x.device())?, 0)
    }

    /// `[sequences, 1, 1, length]`: 0 for tokens, a large negative number for padding.
    pub(crate) fn bias(&self, scores: &Tensor) -> Result<Tensor> {
        let bias: Vec<f32> = self
            .is_token
            .iter()
            .map(|token| if *token { 0.0 } else { -1e4 })
            .collect();
        Tensor::from_vec(bias, (self.n_sequences, 1, 1, self.length), scores.device())?
            .to_dtype(scores.dtype())
    }
}
