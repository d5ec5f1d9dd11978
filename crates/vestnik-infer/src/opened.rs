//! What every kind of model is opened with.

use vestnik_model::{
    Device, EncoderPart, ModelDir, SequenceClassificationHead, SequenceClassifier,
};
use vestnik_text::Tokenizer;

use crate::error::Result;
use crate::options::Options;
use crate::states::States;

/// The parts of a model.
pub(crate) struct Opened<H> {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) states: States,
    pub(crate) head: H,
}

impl<H: Send> Opened<H> {
    /// Reads the tokenizer while `load` reads the head and the encoder is packed.
    pub(crate) fn new(
        dir: &ModelDir,
        options: &Options,
        load: impl FnOnce() -> vestnik_model::Result<(EncoderPart, H)> + Send,
    ) -> Result<Self> {
        let model = || -> Result<(States, H)> {
            let (encoder, head) = load()?;
            Ok((States::new(dir, encoder, options)?, head))
        };
        let (tokenizer, model) = rayon::join(|| dir.tokenizer(), model);
        let tokenizer = tokenizer?;
        let (states, head) = model?;
        Ok(Self {
            tokenizer,
            states,
            head,
        })
    }
}

impl Opened<SequenceClassificationHead> {
    /// Opens a classifier of texts, or of pairs.
    pub(crate) fn classifier(dir: &ModelDir, device: &Device, options: &Options) -> Result<Self> {
        Self::new(dir, options, || SequenceClassifier::load_parts(dir, device))
    }
}
