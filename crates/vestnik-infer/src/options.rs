//! Options of the pipelines.

use vestnik_text::Aggregation;

use crate::device::DeviceChoice;

/// How to run a model. `Options::default()` is right for most.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Device to compute on. Default: [`DeviceChoice::Auto`].
    pub device: DeviceChoice,
    /// Tokens of one forward pass, special tokens included. More is faster up to a point and takes more memory; a
    /// window longer than this is a batch of its own. Default: 4096.
    pub batch_tokens: usize,
    /// How scores of tokens become entities. Default: [`Aggregation::Viterbi`].
    pub aggregation: Aggregation,
    /// The least score of an entity, 0 to 1, in place of those of the model: 0 keeps all. Default: those of the model.
    pub min_score: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: DeviceChoice::default(),
            batch_tokens: 4096,
            aggregation: Aggregation::default(),
            min_score: None,
        }
    }
}

impl Options {
    /// Sets the device.
    #[must_use]
    pub fn with_device(mut self, device: DeviceChoice) -> Self {
        self.device = device;
        self
    }

    /// Sets the tokens of one forward pass.
    #[must_use]
    pub fn with_batch_tokens(mut self, batch_tokens: usize) -> Self {
        self.batch_tokens = batch_tokens;
        self
    }

    /// Sets how scores of tokens become entities. All ways but [`Aggregation::Viterbi`] take models with any labels.
    #[must_use]
    pub fn with_aggregation(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = aggregation;
        self
    }

    /// Sets the least score of an entity, in place of those of the model.
    #[must_use]
    pub fn with_min_score(mut self, min_score: f64) -> Self {
        self.min_score = Some(min_score);
        self
    }
}
