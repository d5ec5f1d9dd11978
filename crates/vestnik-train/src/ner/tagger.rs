//! Models that label tokens with tags.

use candle_core::Tensor;
use vestnik_core::LabelSet;
use vestnik_model::{Crf, Mode, MultiTaskModel, TokenClassifier};
use vestnik_text::Batch;

use crate::error::Result;

/// A model with a head for tokens.
pub(super) trait Tagger {
    /// `[tokens, labels]`.
    fn logits(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor>;
    /// Names of the outputs.
    fn labels(&self) -> &LabelSet;
    /// The conditional random field over the logits, if there is one.
    fn crf(&self) -> Option<&Crf>;
}

impl Tagger for TokenClassifier {
    fn logits(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        Ok(self.forward(batch, mode)?)
    }

    fn labels(&self) -> &LabelSet {
        self.labels()
    }

    fn crf(&self) -> Option<&Crf> {
        self.crf()
    }
}

/// The head for tokens of a model with several heads.
pub(super) struct TagHead<'a> {
    pub(super) model: &'a MultiTaskModel,
    pub(super) labels: &'a LabelSet,
}

impl Tagger for TagHead<'_> {
    fn logits(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let states = self.model.states(batch, mode)?;
        Ok(self.model.token_logits(&states, mode)?)
    }

    fn labels(&self) -> &LabelSet {
        self.labels
    }

    fn crf(&self) -> Option<&Crf> {
        self.model.crf()
    }
}
