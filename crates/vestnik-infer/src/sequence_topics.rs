//! A classifier of whole texts as a model of topics.

use vestnik_core::Topic;
use vestnik_model::{Device, Mode, ModelDir, SequenceClassificationHead};
use vestnik_text::{Tokenizer, WindowOptions};

use crate::analysis::{Analysis, Request};
use crate::error::Result;
use crate::head_metadata::HeadCalibration;
use crate::opened::Opened;
use crate::options::Options;
use crate::reader::{ReadBatch, Reader, to_host};
use crate::topic_scores::TopicScores;
use crate::window_means::WindowMeans;

/// A `…ForSequenceClassification`. The logits of a long text are the mean of those of its windows, weighted by the tokens
/// that they own.
#[derive(Debug)]
pub(crate) struct SequenceTopics {
    reader: Reader,
    head: SequenceClassificationHead,
    scores: TopicScores,
}

impl SequenceTopics {
    pub(crate) fn open(
        dir: &ModelDir,
        window: WindowOptions,
        device: Device,
        options: &Options,
    ) -> Result<Self> {
        let Opened {
            tokenizer,
            states,
            head,
        } = Opened::classifier(dir, &device, options)?;
        let identity = HeadCalibration::default();
        Ok(Self {
            scores: TopicScores::new(head.labels(), head.problem_type(), &identity, options)?,
            reader: Reader::new(states, tokenizer, window, device, options)?,
            head,
        })
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        self.reader.tokenizer()
    }

    pub(crate) fn device(&self) -> &Device {
        self.reader.device()
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn topics(&self) -> &TopicScores {
        &self.scores
    }

    pub(crate) fn analyze(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        let texts: Vec<&str> = requests.iter().map(|request| request.text).collect();
        let texts = self.reader.texts(&texts)?;
        let mut logits = WindowMeans::new(&texts);
        self.reader
            .read(&texts, |batch| self.add(&batch, &mut logits))?;
        let means = logits.means(&texts);
        let analyses = texts.iter().zip(requests).zip(means);
        Ok(analyses
            .map(|((text, request), mean)| Analysis {
                topics: self.topics_of(mean.as_deref()),
                ..Analysis::blank(text, request)
            })
            .collect())
    }

    fn add(&self, batch: &ReadBatch, logits: &mut WindowMeans) -> Result<()> {
        let of_batch = self
            .head
            .forward(&batch.states, &batch.batch, Mode::Inference)?;
        let of_batch = to_host(&of_batch)?;
        let rows = of_batch.chunks_exact(self.scores.labels().len());
        for ((sequence, _), row) in batch.windows().zip(rows) {
            logits.set(sequence, row);
        }
        Ok(())
    }

    fn topics_of(&self, logits: Option<&[f32]>) -> Vec<Topic> {
        logits.map_or_else(Vec::new, |logits| self.scores.topics(logits))
    }
}
