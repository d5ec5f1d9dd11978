//! What int8 costs a model, layer by layer.

use vestnik_engine::{EngineDtype, EngineOptions};
use vestnik_model::{Device, EncoderConfig, EncoderModel, ModelDir, StoredEncoder};
use vestnik_text::Tokenizer;

use crate::error::Result;
use crate::metadata::{Int8Metadata, Metadata, window_options};
use crate::options::Options;
use crate::reader::{Reader, to_host};
use crate::states::States;

/// How far int8 moves the states of texts, on the CPU: the root mean square of what changes, over that of the states in
/// `f32`.
///
/// [`Int8Errors::measure`] computes each layer in int8 while the others stay in `f32`, as the layers whose products lose
/// most are found in mixed-precision quantization (Dong et al. 2019 rank them by curvature instead); the layers above a
/// bound can then be kept in `f32` ([`Int8Metadata`]).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Int8Errors {
    /// Of each layer alone, in their order.
    pub layers: Vec<f64>,
    /// Of all layers.
    pub all: f64,
    /// The layers whose own error is above the bound.
    pub int8: Int8Metadata,
    /// Of all layers but those.
    pub kept: f64,
    /// Tokens that were read, special ones included.
    pub tokens: usize,
}

impl Int8Errors {
    /// Measures a model on texts, with a bound for the error of a layer; the more the texts are like those that the model is
    /// for, the better.
    ///
    /// # Errors
    /// [`Error::NoTexts`](crate::Error::NoTexts) when no text has a token; else as opening a model and reading with it.
    pub fn measure(dir: &ModelDir, texts: &[&str], bound: f64) -> Result<Self> {
        let probe = Probe::open(dir)?;
        let exact = probe.states(texts, EngineDtype::F32, vec![])?;
        if exact.is_empty() {
            return Err(crate::Error::NoTexts);
        }
        let error = |f32_layers| -> Result<f64> {
            let states = probe.states(texts, EngineDtype::Int8, f32_layers)?;
            Ok(relative_error(&states, &exact))
        };
        let n_layers = probe.config().num_hidden_layers;
        let alone = |layer| (0..n_layers).filter(|other| *other != layer).collect();
        let layers: Vec<f64> = (0..n_layers)
            .map(|layer| error(alone(layer)))
            .collect::<Result<_>>()?;
        let all = error(vec![])?;
        let f32_layers: Vec<usize> = (0..n_layers)
            .filter(|layer| layers[*layer] > bound)
            .collect();
        let kept = match f32_layers.is_empty() {
            true => all,
            false => error(f32_layers.clone())?,
        };
        Ok(Self {
            layers,
            all,
            int8: Int8Metadata { f32_layers },
            kept,
            tokens: exact.len() / probe.config().hidden_size,
        })
    }
}

/// An encoder to try.
struct Probe<'a> {
    dir: &'a ModelDir,
    encoder: StoredEncoder,
    tokenizer: Tokenizer,
}

impl<'a> Probe<'a> {
    fn open(dir: &'a ModelDir) -> Result<Self> {
        Ok(Self {
            dir,
            encoder: EncoderModel::stored(dir)?,
            tokenizer: dir.tokenizer()?,
        })
    }

    fn config(&self) -> &EncoderConfig {
        &self.dir.config().encoder
    }

    /// The states of all windows of texts, in an order that depends on the texts alone.
    fn states(
        &self,
        texts: &[&str],
        dtype: EngineDtype,
        f32_layers: Vec<usize>,
    ) -> Result<Vec<f32>> {
        let metadata = self.dir.settings().map(Metadata::parse).transpose()?;
        let options = EngineOptions::default()
            .with_dtype(dtype)
            .with_f32_layers(f32_layers);
        let reader = Reader::new(
            States::packed(self.config(), &self.encoder, &options)?,
            self.tokenizer.clone(),
            window_options(metadata.as_ref(), self.dir.max_tokens())?,
            Device::Cpu,
            &Options::default(),
        )?;
        let mut states = Vec::new();
        reader.read(&reader.texts(texts)?, |batch| {
            states.extend(to_host(&batch.states)?);
            Ok(())
        })?;
        Ok(states)
    }
}

fn relative_error(found: &[f32], exact: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let differences = found.iter().zip(exact).map(|(x, y)| square(x - y));
    let all: f64 = exact.iter().copied().map(square).sum();
    (differences.sum::<f64>() / all.max(f64::MIN_POSITIVE)).sqrt()
}
