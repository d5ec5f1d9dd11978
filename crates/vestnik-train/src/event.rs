//! What a run tells while it goes on, and the log of it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run begins or goes on.
    Start(StartEvent),
    /// An update was made.
    Step(StepEvent),
    /// The model was measured.
    Evaluation(EvaluationEvent),
    /// A checkpoint was written.
    Checkpoint {
        /// Updates it holds.
        step: u64,
    },
    /// The run is over.
    Finish {
        /// Updates made.
        step: u64,
        /// Why.
        reason: FinishReason,
    },
}

/// Facts at the start of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartEvent {
    /// Updates made before (0, or those of the checkpoint).
    pub step: u64,
    /// Updates of the whole run.
    pub total_steps: u64,
    /// Windows or pieces to learn from, before sampling by weight.
    pub examples: usize,
    /// Weights of the model.
    pub parameters: usize,
    /// Weights that learn.
    pub trainable: usize,
    /// What corpora and languages get of an epoch.
    pub sampling: Sampling,
}

/// What corpora and languages get of an epoch, by their sizes, weights and temperatures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sampling {
    /// The corpora in the order of the run file.
    pub corpora: Vec<Share>,
    /// The languages in the order of their codes; texts without one are "und".
    pub languages: Vec<Share>,
}

/// What a corpus or a language gets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Share {
    /// The file, or the code of the language.
    pub name: String,
    /// Windows or pieces.
    pub examples: usize,
    /// How many are seen in an epoch, on average; some of them more than once where that is more.
    pub per_epoch: f64,
    /// The share of an epoch, 0 to 1.
    pub share: f64,
}

/// Facts of one update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// Updates made, this one included.
    pub step: u64,
    /// Updates of the whole run.
    pub total_steps: u64,
    /// Passes over the data that are complete before this update.
    pub epoch: u64,
    /// Mean loss over the labelled tokens of the update; with several tasks the mean over its batches, each times the
    /// weight of its task.
    pub loss: f64,
    /// With several tasks, the mean loss of each that the update has batches of, without its weight.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub task_losses: BTreeMap<String, f64>,
    /// Learning rate.
    pub lr: f64,
    /// Euclidean norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Tokens of the update, special tokens included.
    pub tokens: usize,
    /// Tokens, texts and spans that had a label.
    pub labelled: usize,
    /// Speed over the last 50 updates, evaluation and checkpoints left out.
    pub tokens_per_second: f64,
    /// Seconds to the last update at this speed.
    pub eta_seconds: f64,
}

/// Facts of one evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationEvent {
    /// Updates made.
    pub step: u64,
    /// Passes over the data that are complete.
    pub epoch: u64,
    /// Whether it is the best of the run so far; then the model was written.
    pub is_best: bool,
    /// What was measured.
    pub measures: Measures,
}

/// What an evaluation measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", content = "scores", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measures {
    /// Entities, strict: start, end and label exact, through the decoding of inference.
    Ner(NerMeasures),
    /// Hidden tokens of the pieces kept aside.
    MaskedLm(MaskedLmMeasures),
    /// All tasks of a model with several heads.
    MultiTask(MultiTaskMeasures),
}

/// The measures of all tasks that there is data to measure on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MultiTaskMeasures {
    /// The mean of the scores of the tasks that count (`best_by` of the run file): the F1 of entities, and of each head its
    /// [`HeadMeasures::score`].
    pub score: f64,
    /// Entities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ner: Option<NerMeasures>,
    /// The heads by their tasks.
    pub heads: BTreeMap<String, HeadMeasures>,
}

/// How well a head labels texts or spans, 0 to 1; see [`vestnik_core::metrics::LabelScores`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HeadMeasures {
    /// The measure that counts: `score` of the head in the run file.
    pub score: f64,
    /// Texts or spans that were measured.
    pub examples: u64,
    /// The share of them that were given exactly their labels.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur.
    pub macro_f1: f64,
    /// F1 of all labels together.
    pub micro_f1: f64,
    /// Mean F1 of all labels but `neutral`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_f1_without_neutral: Option<f64>,
    /// F1 of each label.
    pub per_label: BTreeMap<String, f64>,
    /// The measure that counts, of each language.
    pub per_lang: BTreeMap<String, f64>,
}

/// Strict entity scores, 0 to 1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NerMeasures {
    /// Correct among the predicted.
    pub precision: f64,
    /// Correct among the annotated.
    pub recall: f64,
    /// Micro-averaged F1.
    pub f1: f64,
    /// F1 of each label.
    pub per_label: BTreeMap<String, f64>,
    /// Micro-averaged F1 of each language.
    pub per_lang: BTreeMap<String, f64>,
}

/// How well hidden tokens are foretold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MaskedLmMeasures {
    /// Mean cross-entropy over hidden tokens, in nats.
    pub loss: f64,
    /// Share of hidden tokens whose most likely token is the right one.
    pub accuracy: f64,
}

impl Measures {
    /// The number by which the best model is chosen; higher is better.
    #[must_use]
    pub fn score(&self) -> f64 {
        match self {
            Self::Ner(measures) => measures.f1,
            Self::MaskedLm(measures) => -measures.loss,
            Self::MultiTask(measures) => measures.score,
        }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// All updates were made.
    Complete,
    /// No better evaluation within the patience.
    Patience,
    /// The caller asked for it; the checkpoint holds the state.
    Stopped,
}

/// The log of a run: one event a line as JSON, each with the time in seconds since 1970.
#[derive(Debug)]
pub(crate) struct EventLog {
    file: File,
    path: PathBuf,
    bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl EventLog {
    /// Opens a log and keeps its first `bytes` bytes: a resumed run tells again what came after its checkpoint.
    pub(crate) fn open(path: &Path, bytes: u64) -> Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let bytes = bytes.min(length);
        file.set_len(bytes)
            .and_then(|()| file.seek(SeekFrom::Start(bytes)))
            .map_err(Error::io("write", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            bytes,
        })
    }

    /// Writes one event; gives the line as it was written.
    pub(crate) fn write(&mut self, event: &Event) -> Result<serde_json::Value> {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = Line {
            time: (time.as_secs_f64() * 1000.0).round() / 1000.0,
            event,
        };
        let failed = |source: serde_json::Error| Error::io("write", &self.path)(source.into());
        let mut text = serde_json::to_vec(&line).map_err(failed)?;
        let written = serde_json::from_slice(&text).map_err(failed)?;
        text.push(b'\n');
        self.file
            .write_all(&text)
            .map_err(Error::io("write", &self.path))?;
        self.bytes += text.len() as u64;
        Ok(written)
    }

    /// Flushes the log to disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(Error::io("flush", &self.path))
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn resumed_log_forgets_what_came_after_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = EventLog::open(&path, 0).unwrap();
        log.write(&Event::Checkpoint { step: 1 }).unwrap();
        let bytes = log.bytes();
        log.write(&Event::Checkpoint { step: 2 }).unwrap();
        let mut log = EventLog::open(&path, bytes).unwrap();
        log.write(&Event::Checkpoint { step: 3 }).unwrap();
        let lines = lines(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["event"], &lines[0]["step"]),
            (&"checkpoint".into(), &1.into())
        );
        assert_eq!(lines[1]["step"], 3);
        assert!(lines[1]["time"].as_f64().unwrap() > 1e9);
    }

    #[test]
    fn lower_loss_is_a_better_score() {
        let score = |loss| {
            Measures::MaskedLm(MaskedLmMeasures {
                loss,
                accuracy: 0.0,
            })
            .score()
        };
        assert!(score(1.0) > score(2.0));
    }
}
