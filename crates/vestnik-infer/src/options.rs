//! Options of the pipelines.

use std::time::Duration;

use vestnik_model::Device;
use vestnik_text::Aggregation;

use crate::device::DeviceChoice;
use crate::dtype::Dtype;
use crate::task::Task;

/// Tokens of a forward pass whose states stay in the caches of a CPU.
const CPU_BATCH_TOKENS: usize = 4096;
/// Tokens of a forward pass that give all of a GPU something to do.
const GPU_BATCH_TOKENS: usize = 32_768;

/// How to run a model. `Options::default()` is right for most.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Device to compute on. Default: [`DeviceChoice::Auto`].
    pub device: DeviceChoice,
    /// The numbers in which products are computed. Default: [`Dtype::F32`].
    pub dtype: Option<Dtype>,
    /// Tokens of one forward pass, special tokens included. More is faster up to a point and takes more memory; a
    /// window longer than this is a batch of its own. Default: 4,096 on the CPU, 32,768 on a GPU.
    pub batch_tokens: Option<usize>,
    /// How scores of tokens become entities. Default: [`Aggregation::Viterbi`].
    pub aggregation: Aggregation,
    /// The least score of an entity, 0 to 1, in place of those of the model: 0 keeps all. Default: those of the model.
    pub min_score: Option<f64>,
    /// The least score of a topic, 0 to 1, in place of those of the model: a text none of whose topics has it is about
    /// [`OTHER_TOPIC`](crate::OTHER_TOPIC). Default: those of the model, or none where one topic holds and 0.5 where any
    /// number hold.
    pub min_topic_score: Option<f64>,
    /// What to do. Default: all that the model can.
    pub tasks: Option<Vec<Task>>,
    /// The most time that one text may take: that for its tokens, and its part of the forward passes, by its part of their
    /// tokens. Looked at between passes; a call with a text that takes longer ends with
    /// [`Error::TimeLimit`](crate::Error::TimeLimit). Which texts that are depends on the machine and its load. Default: none.
    pub text_time: Option<Duration>,
}

impl Options {
    /// Sets the device.
    #[must_use]
    pub fn with_device(mut self, device: DeviceChoice) -> Self {
        self.device = device;
        self
    }

    /// Sets the numbers in which products are computed; those that are not there are an error when a model is opened.
    #[must_use]
    pub fn with_dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// Sets the tokens of one forward pass.
    #[must_use]
    pub fn with_batch_tokens(mut self, batch_tokens: usize) -> Self {
        self.batch_tokens = Some(batch_tokens);
        self
    }

    /// [`Options::batch_tokens`], or the default of a device.
    pub(crate) fn batch_tokens_on(&self, device: &Device) -> usize {
        let default = match device.is_cpu() {
            true => CPU_BATCH_TOKENS,
            false => GPU_BATCH_TOKENS,
        };
        self.batch_tokens.unwrap_or(default)
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

    /// Sets the least score of a topic, in place of those of the model.
    #[must_use]
    pub fn with_min_topic_score(mut self, min_topic_score: f64) -> Self {
        self.min_topic_score = Some(min_topic_score);
        self
    }

    /// Sets what to do; a task that the model has no head for is an error when it is opened.
    #[must_use]
    pub fn with_tasks(mut self, tasks: impl IntoIterator<Item = Task>) -> Self {
        self.tasks = Some(tasks.into_iter().collect());
        self
    }

    /// Sets the most time that one text may take.
    #[must_use]
    pub fn with_text_time(mut self, limit: Duration) -> Self {
        self.text_time = Some(limit);
        self
    }
}
