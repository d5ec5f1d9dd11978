//! The states of tokens: the one place of this crate that runs an encoder.

use vestnik_engine::{Engine, EngineOptions};
use vestnik_model::{
    Device, Encoder, EncoderConfig, EncoderPart, Mode, ModelDir, Precision, Tensor, TensorSource,
};
use vestnik_text::Batch;

use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::options::Options;

/// An encoder in use; all heads read what it says.
#[derive(Debug)]
pub(crate) struct States {
    computer: Computer,
}

/// Who computes.
#[derive(Debug)]
enum Computer {
    /// Packed weights, on the CPU.
    Engine(Box<Engine>),
    /// The model's own forward pass, on other devices.
    Composed(Box<Encoder>, Precision),
}

impl States {
    /// The encoder of a model on a device; on the CPU its weights are packed.
    ///
    /// # Errors
    /// [`Error::Dtype`] when the options ask for numbers that this encoder is not computed in on this device.
    pub(crate) fn new(dir: &ModelDir, encoder: EncoderPart, options: &Options) -> Result<Self> {
        let dtype = options.dtype.unwrap_or_default();
        let stored = match encoder {
            EncoderPart::Stored(stored) => stored,
            EncoderPart::Composed(encoder) => {
                let computer = Computer::Composed(encoder, dtype.precision()?);
                return Ok(Self { computer });
            }
        };
        let metadata = dir.settings().map(Metadata::parse).transpose()?;
        let int8 = metadata.and_then(|metadata| metadata.int8);
        let options = EngineOptions::default()
            .with_dtype(dtype.of_engine()?)
            .with_f32_layers(int8.unwrap_or_default().f32_layers);
        Self::packed(&dir.config().encoder, &stored, &options)
    }

    /// On the CPU.
    pub(crate) fn packed(
        config: &EncoderConfig,
        tensors: &dyn TensorSource,
        options: &EngineOptions,
    ) -> Result<Self> {
        let engine = Engine::new(config, tensors, options)?;
        let computer = Computer::Engine(Box::new(engine));
        Ok(Self { computer })
    }

    /// The numbers in which products are computed.
    pub(crate) fn dtype(&self) -> Dtype {
        match &self.computer {
            Computer::Engine(engine) => engine.dtype().into(),
            Computer::Composed(_, precision) => (*precision).into(),
        }
    }

    /// Whether several threads may compute at the same time, each for itself, and are not slower for it.
    pub(crate) fn is_spread(&self) -> bool {
        matches!(self.computer, Computer::Engine(_))
    }

    /// The states of the last layer. **Shapes** a packed batch of `tokens` tokens → `[tokens, hidden]`, `f32`.
    pub(crate) fn of(&self, batch: &Batch) -> Result<Tensor> {
        match &self.computer {
            Computer::Engine(engine) => {
                let states = engine.states(batch)?;
                let shape = (batch.ids.len(), engine.hidden());
                Tensor::from_vec(states, shape, &Device::Cpu).map_err(|source| Error::Tensor {
                    doing: "the states of a batch",
                    source: Box::new(source),
                })
            }
            Computer::Composed(encoder, precision) => {
                Ok(encoder.forward(batch, Mode::InferenceIn(*precision))?)
            }
        }
    }
}
