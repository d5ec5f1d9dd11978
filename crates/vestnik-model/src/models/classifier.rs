//! Loading models whose outputs are labels.

use candle_core::Device;
use vestnik_core::LabelSet;

use crate::builder::{Builder, Purpose, is_of_encoder};
use crate::models::Model;
use crate::{
    Adaptation, Encoder, EncoderPart, HeadKind, LoadReport, ModelConfig, ModelDir, Result,
};

/// How the names of the tensors begin whose shape depends on the labels.
pub(crate) const OUTPUT: &str = "classifier.";

/// A head with one output per label.
pub(crate) trait ClassificationHead: Sized {
    /// What head it is.
    const KIND: HeadKind;

    fn load(builder: &mut Builder<'_>, config: &ModelConfig, labels: LabelSet) -> Result<Self>;

    /// Names of the outputs.
    fn labels(&self) -> &LabelSet;
}

#[expect(private_bounds, reason = "the heads are those of this crate")]
impl<H: ClassificationHead> Model<H> {
    /// Loads a trained model; every tensor must be there.
    ///
    /// # Errors
    /// [`crate::Error::Head`] for a model with another head, [`crate::Error::Labels`] without a label map, [`crate::Error::MissingTensors`],
    /// [`crate::Error::TensorShape`], [`crate::Error::Weights`]; of a sequence classifier also those of
    /// [`ModelConfig::problem_type`].
    pub fn load(dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        Self::load_for(Purpose::Training, dir, device)
    }

    /// [`Self::load`] for inference alone: no gradients can be had, and a forward pass keeps no activations.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_frozen(dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        Self::load_for(Purpose::Inference, dir, device)
    }

    /// The head, and the encoder as it is best had on the device.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_parts(dir: &ModelDir, device: &Device) -> Result<(EncoderPart, H)> {
        EncoderPart::load(dir, device, |purpose| Self::load_for(purpose, dir, device))
    }

    fn load_for(purpose: Purpose, dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        dir.expect_head(H::KIND)?;
        let labels = dir.config().labels()?;
        let checkpoint = dir.checkpoint();
        let builder = Builder::new(Some(&checkpoint), dir.prefix(), 0, device);
        let (model, report) = Self::build(builder.purpose(purpose), dir.config().clone(), labels)?;
        dir.require(&report, |_| true)?;
        Ok((model, report))
    }

    /// Puts a fresh head for `labels` on a pretrained encoder; the head's first values follow from `seed`. The output
    /// layer of a head in the checkpoint is left aside, since it is for other labels.
    ///
    /// # Errors
    /// As [`Self::load`], but only the encoder's tensors must be there.
    pub fn with_fresh_head(
        dir: &ModelDir,
        labels: &LabelSet,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let config = dir.config().with_labels(labels, H::KIND);
        let checkpoint = dir.checkpoint();
        let prefix = dir.prefix();
        let builder = Builder::new(Some(&checkpoint), prefix, seed, device).fresh_heads(&[OUTPUT]);
        let (model, report) = Self::build(builder, config, labels.clone())?;
        dir.require(&report, |name| is_of_encoder(name, prefix))?;
        Ok((model, report))
    }

    fn build(
        mut builder: Builder<'_>,
        config: ModelConfig,
        labels: LabelSet,
    ) -> Result<(Self, LoadReport)> {
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let head = H::load(&mut builder, &config, labels)?;
        let (parameters, report) = builder.finish();
        let model = Self {
            config,
            encoder,
            head,
            parameters,
        };
        Ok((model, report))
    }

    /// The same model, of which `adaptation` says what learns. It keeps its tensors, but for the factors of low-rank
    /// updates: they are fresh, drawn by `seed`, and those that this model has are left out.
    ///
    /// # Errors
    /// Those of the device.
    pub fn adapted(self, adaptation: &Adaptation, seed: u64) -> Result<Self> {
        let builder = Builder::over(&self.parameters, adaptation, seed);
        let labels = self.labels().clone();
        Ok(Self::build(builder, self.config, labels)?.0)
    }

    /// Names of the outputs.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        self.head.labels()
    }
}
