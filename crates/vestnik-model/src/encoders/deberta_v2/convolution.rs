//! The convolution over neighbouring tokens that large DeBERTa-v2 models have beside their first layer.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::{Builder, Init};
use crate::config::ConvolutionOptions;
use crate::insides::part;
use crate::layers::LayerNorm;
use crate::{EncoderConfig, Mode, Result, ops};

/// A convolution along each sequence, as wide as the hidden states, with zeros beyond both ends.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    /// `[hidden, hidden / groups, kernel_size]`.
    weight: Tensor,
    bias: Tensor,
    norm: LayerNorm,
    options: ConvolutionOptions,
    dropout: f64,
}

impl Convolution {
    pub(super) fn load(
        builder: &mut Builder<'_>,
        config: &EncoderConfig,
        options: &ConvolutionOptions,
    ) -> Result<Self> {
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let shape = [width, width / options.groups, options.kernel_size];
        let init = Init::Normal(config.initializer_range);
        Ok(Self {
            weight: builder.tensor("deberta.encoder.conv.conv.weight", &shape, init)?,
            bias: builder.tensor("deberta.encoder.conv.conv.bias", &[width], Init::Zeros)?,
            norm: LayerNorm::load(builder, "deberta.encoder.conv.LayerNorm", width, eps)?,
            options: options.clone(),
            dropout: config.hidden_dropout_prob,
        })
    }

    /// [`Self::forward`], as a part that goes back on its own.
    pub(super) fn as_part(
        &self,
        x: &Tensor,
        residual: &Tensor,
        batch: &Batch,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let (convolution, batch) = (self.clone(), batch.clone());
        part(&[x, residual], mode, move |inputs, mode| {
            convolution.forward(&inputs[0], &inputs[1], &batch, mode)
        })
    }

    /// The convolution of `x`, normalized together with `residual`; both `[tokens, hidden]`, as is the result.
    fn forward(
        &self,
        x: &Tensor,
        residual: &Tensor,
        batch: &Batch,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let convolved = ops::dropout(&self.convolve(x, batch, mode)?, self.dropout, mode)?;
        let convolved = self.options.activation.forward(&convolved)?;
        self.norm.forward(&ops::add(residual, &convolved)?)
    }

    fn convolve(&self, x: &Tensor, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let groups = self.options.groups;
        let (kernel, channels) = (self.options.kernel_size, width / groups);
        let beyond = Tensor::zeros((1, width), x.dtype(), x.device())?;
        let neighbours = neighbours(batch, kernel, tokens as u32);
        let windows = ops::gather_rows(&Tensor::cat(&[x, &beyond], 0)?, &neighbours)?
            .reshape((tokens, kernel, groups, channels))?;
        let weight = self.weight.transpose(1, 2)?.contiguous()?;
        let weight = weight.reshape((width, kernel * channels))?;
        let of_groups = (0..groups).map(|group| {
            let windows = windows.narrow(2, group, 1)?.contiguous()?;
            ops::linear(
                &windows.reshape((tokens, kernel * channels))?,
                &weight.narrow(0, group * channels, channels)?,
                &self.bias.narrow(0, group * channels, channels)?,
                mode.precision(),
            )
        });
        Ok(Tensor::cat(
            &of_groups.collect::<candle_core::Result<Vec<_>>>()?,
            1,
        )?)
    }
}

/// The `kernel` tokens around each token, one after the other; `beyond` stands for what is not in its sequence.
fn neighbours(batch: &Batch, kernel: usize, beyond: u32) -> Vec<u32> {
    let half = kernel / 2;
    let mut neighbours = Vec::with_capacity(batch.ids.len() * kernel);
    for tokens in batch.sequences() {
        for token in tokens.clone() {
            let window = (token..token + kernel).map(|place| place.checked_sub(half));
            let inside = window.map(|place| place.filter(|place| tokens.contains(place)));
            neighbours.extend(inside.map(|place| place.map_or(beyond, |place| place as u32)));
        }
    }
    neighbours
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn batch(cumulative_lengths: &[usize]) -> Batch {
        Batch {
            ids: vec![7; *cumulative_lengths.last().unwrap()],
            cumulative_lengths: cumulative_lengths.to_vec(),
            ..Batch::default()
        }
    }

    #[test]
    fn neighbours_stay_within_their_sequence() {
        let batch = batch(&[0, 1, 4]);
        let expected = [4, 0, 4, 4, 1, 2, 1, 2, 3, 2, 3, 4];
        assert_eq!(neighbours(&batch, 3, 4), expected);
        assert_eq!(neighbours(&batch, 1, 4), [0, 1, 2, 3]);
    }

    /// Normal values, different for every shape.
    fn random(shape: &[usize]) -> Tensor {
        let seed = shape.iter().product::<usize>() as u64;
        Builder::new(None, "", seed, &Device::Cpu)
            .tensor("random", shape, Init::Normal(1.0))
            .unwrap()
    }

    #[test]
    fn it_is_the_convolution_of_each_sequence() {
        let x = random(&[9, 6]);
        for (kernel_size, groups) in [(1, 1), (3, 1), (5, 2), (3, 6)] {
            let convolution = Convolution {
                weight: random(&[6, 6 / groups, kernel_size]),
                bias: random(&[6]),
                norm: LayerNorm::load(&mut Builder::new(None, "", 0, &Device::Cpu), "", 6, 1e-7)
                    .unwrap(),
                options: ConvolutionOptions {
                    kernel_size,
                    groups,
                    activation: crate::config::Activation::Tanh,
                },
                dropout: 0.0,
            };
            let together = convolution
                .convolve(&x, &batch(&[0, 2, 9]), Mode::Inference)
                .unwrap();
            let alone = |start, length| {
                let rows = x.narrow(0, start, length).unwrap();
                let channels = rows.t().unwrap().unsqueeze(0).unwrap();
                channels
                    .conv1d(&convolution.weight, kernel_size / 2, 1, 1, groups)
                    .and_then(|x| x.squeeze(0)?.t()?.broadcast_add(&convolution.bias))
                    .unwrap()
            };
            let expected = Tensor::cat(&[alone(0, 2), alone(2, 7)], 0).unwrap();
            let difference = (together - expected).unwrap().abs().unwrap();
            let largest: f32 = difference.max_all().unwrap().to_scalar().unwrap();
            assert!(largest < 1e-5, "{kernel_size} {groups}: {largest}");
        }
    }
}
