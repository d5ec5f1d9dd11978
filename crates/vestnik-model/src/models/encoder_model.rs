//! An encoder without a head.

use candle_core::{Device, Tensor};
use vestnik_text::Batch;

use crate::builder::{Builder, Purpose};
use crate::heads::NoHead;
use crate::models::Model;
use crate::{Encoder, EncoderPart, LoadReport, Mode, ModelDir, Result, StoredEncoder};

/// An encoder alone, from a directory with any head or none (`BertModel` and its like).
pub type EncoderModel = Model<NoHead>;

impl EncoderModel {
    /// Loads the encoder of a directory for inference; the tensors of a head are left aside, and told as unused.
    ///
    /// # Errors
    /// [`crate::Error::MissingTensors`], [`crate::Error::TensorShape`], [`crate::Error::Weights`].
    pub fn load_frozen(dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        Self::load_for(Purpose::Inference, dir, device)
    }

    /// The encoder as it is best had on the device.
    ///
    /// # Errors
    /// As [`Self::load_frozen`].
    pub fn load_parts(dir: &ModelDir, device: &Device) -> Result<(EncoderPart, NoHead)> {
        EncoderPart::load(dir, device, |purpose| Self::load_for(purpose, dir, device))
    }

    /// Where the tensors of a directory's encoder lie.
    ///
    /// # Errors
    /// [`crate::Error::MissingTensors`], [`crate::Error::TensorShape`], [`crate::Error::Weights`].
    pub fn stored(dir: &ModelDir) -> Result<StoredEncoder> {
        let (model, _) = Self::load_for(Purpose::Head, dir, &Device::Cpu)?;
        Ok(StoredEncoder::new(dir.weights(), model.parameters.outline))
    }

    fn load_for(purpose: Purpose, dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        let config = dir.config().clone();
        let checkpoint = dir.checkpoint();
        let builder = Builder::new(Some(&checkpoint), dir.prefix(), 0, device);
        let mut builder = builder.purpose(purpose);
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let (parameters, report) = builder.finish();
        dir.require(&report, |_| true)?;
        let model = Self {
            config,
            encoder,
            head: NoHead,
            parameters,
        };
        Ok((model, report))
    }

    /// The hidden states of the last layer.
    ///
    /// **Shapes** a packed batch of `tokens` tokens → `[tokens, hidden]`, `f32`.
    ///
    /// # Errors
    /// As [`Encoder::forward`].
    pub fn forward(&self, batch: &Batch) -> Result<Tensor> {
        self.encoder.forward(batch, Mode::Inference)
    }
}
