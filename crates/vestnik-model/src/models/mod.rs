//! An encoder with a head, its configuration and its parameters.

mod classifier;
mod encoder_model;
mod masked_lm;
mod multi_task;
mod sequence_classifier;
mod token_classifier;

use std::path::Path;

use candle_core::{DType, Device};

pub(crate) use classifier::ClassificationHead;
pub use encoder_model::EncoderModel;
pub use masked_lm::MaskedLm;
pub use multi_task::{MultiTaskModel, TaskHeads};
pub use sequence_classifier::SequenceClassifier;
pub use token_classifier::TokenClassifier;

use crate::builder::Purpose;
use crate::model_dir::write_model;
use crate::{
    Encoder, EncoderPart, Error, HeadKind, LoadReport, ModelConfig, ModelDir, Parameters, Result,
    StoredEncoder,
};

/// An encoder with the head `H`: a [`TokenClassifier`], a [`SequenceClassifier`], a [`MaskedLm`], or an
/// [`EncoderModel`] without one.
#[derive(Clone, Debug)]
pub struct Model<H> {
    config: ModelConfig,
    encoder: Encoder,
    head: H,
    parameters: Parameters,
}

impl<H> Model<H> {
    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The encoder alone.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// All tensors, those that learn and those that do not.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Writes `config.json` and `model.safetensors` in the Hugging Face layout, each beside and renamed.
    ///
    /// # Errors
    /// [`Error::File`] when the directory cannot be written.
    pub fn save(&self, dir: &Path, dtype: DType) -> Result<()> {
        write_model(dir, &self.config, &self.parameters, dtype)
    }
}

impl EncoderPart {
    /// The encoder and the head of a model that `load` makes for a purpose.
    fn load<H>(
        dir: &ModelDir,
        device: &Device,
        load: impl FnOnce(Purpose) -> Result<(Model<H>, LoadReport)>,
    ) -> Result<(Self, H)> {
        if device.is_cpu() {
            let (model, _) = load(Purpose::Head)?;
            let encoder = StoredEncoder::new(dir.weights(), model.parameters.outline);
            return Ok((Self::Stored(encoder), model.head));
        }
        let (model, _) = load(Purpose::Inference)?;
        Ok((Self::Composed(Box::new(model.encoder)), model.head))
    }
}

impl ModelDir {
    /// The prefix of the encoder's tensors in a checkpoint with a head.
    pub(crate) fn prefix(&self) -> &'static str {
        self.config().encoder.architecture.prefix()
    }

    /// Refuses a model with another head than `kind`, whose tensors may have the same names, or with none. A directory
    /// whose `config.json` names no class at all passes.
    ///
    /// # Errors
    /// [`Error::Head`].
    pub fn expect_head(&self, kind: HeadKind) -> Result<()> {
        let config = self.config();
        let classes = config.class_names();
        if classes.is_empty() || config.head() == Some(kind) {
            return Ok(());
        }
        Err(Error::Head {
            path: config.path().into(),
            class: classes.join(", "),
            expected: kind.purpose(),
        })
    }

    /// Refuses a load that left tensors for which `needed` holds without a value.
    pub(crate) fn require(&self, report: &LoadReport, needed: impl Fn(&str) -> bool) -> Result<()> {
        let names: Vec<String> = report
            .missing
            .iter()
            .filter(|name| needed(name))
            .cloned()
            .collect();
        if names.is_empty() {
            Ok(())
        } else {
            Err(Error::MissingTensors {
                path: self.path().into(),
                names,
                unused: report.unused.clone(),
            })
        }
    }
}
