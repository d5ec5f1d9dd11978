//! The states of tokens: the one place of this crate that runs an encoder.

use vestnik_engine::{Engine, EngineOptions};
use vestnik_model::{Device, Encoder, Mode, Model, Tensor};
use vestnik_text::Batch;

use crate::error::{Error, Result};
use crate::options::{Dtype, Options};

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
    /// The model's own forward pass: on other devices, and for encoders that the engine does not have.
    Composed(Box<Encoder>),
}

impl States {
    /// # Errors
    /// [`Error::Dtype`] when the options ask for numbers that this encoder is not computed in on this device.
    pub(crate) fn new<H>(model: &Model<H>, device: &Device, options: &Options) -> Result<Self> {
        if device.is_cpu()
            && let Some(engine) = engine(model, options.dtype.unwrap_or_default())?
        {
            let computer = Computer::Engine(Box::new(engine));
            return Ok(Self { computer });
        }
        match options.dtype {
            None | Some(Dtype::F32) => Ok(Self {
                computer: Computer::Composed(Box::new(model.encoder().clone())),
            }),
            Some(dtype) => Err(Error::Dtype {
                dtype,
                reason: if device.is_cpu() {
                    "for this architecture"
                } else {
                    "on this device"
                },
            }),
        }
    }

    /// The numbers in which products are computed.
    pub(crate) fn dtype(&self) -> Dtype {
        match &self.computer {
            Computer::Engine(engine) => engine.dtype(),
            Computer::Composed(_) => Dtype::F32,
        }
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
            Computer::Composed(encoder) => Ok(encoder.forward(batch, Mode::Inference)?),
        }
    }
}

fn engine<H>(model: &Model<H>, dtype: Dtype) -> Result<Option<Engine>> {
    let options = EngineOptions::default().with_dtype(dtype);
    Ok(Engine::new(
        &model.config().encoder,
        model.parameters(),
        options,
    )?)
}
