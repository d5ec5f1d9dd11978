//! The tasks of a run, on one encoder.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Tensor};
use sha2::{Digest, Sha256};
use vestnik_model::{Mode, MultiTaskModel, Parameters};
use vestnik_text::{Batch, Collator, Tokenizer};

use crate::config::{NER, RunConfig, refused};
use crate::error::{Error, Result};
use crate::event::{HeadMeasures, Measures, MultiTaskMeasures};
use crate::labelled::{HeadBatch, HeadTask, LabelledCorpus};
use crate::ner::{NerData, NerTask};
use crate::run::{Task, n_labelled};
use crate::sampling::Stratum;
use crate::trainer::TrainingData;

/// The heads of a model in training.
///
/// Examples are numbered through all tasks: those with entities come first, then those of each head.
#[derive(Debug)]
pub(crate) struct TrainingTask {
    model: MultiTaskModel,
    tokenizer: Tokenizer,
    pub(super) collator: Collator,
    /// The head for entities, where the model has one.
    ner: Option<NerTask>,
    heads: Vec<HeadTask>,
    /// The examples of each task: of entities, then of each head.
    ranges: Vec<Range<usize>>,
    /// Names and weights of the tasks; none where there are entities alone.
    tasks: Vec<(String, f64)>,
    /// The tasks whose scores choose the best model; all that are measured where it is empty.
    best_by: Vec<String>,
}

/// Sequences of one task.
#[derive(Debug)]
pub(crate) enum TaskBatch {
    /// Words with tags.
    Entities(Batch),
    /// Texts or spans with labels of the head of this number.
    Labelled(usize, HeadBatch),
}

impl TrainingTask {
    pub(super) fn new(
        model: MultiTaskModel,
        tokenizer: Tokenizer,
        data: TrainingData,
        config: &RunConfig,
        out: &Path,
    ) -> Result<Self> {
        check_heads(&model, config)?;
        let TrainingData {
            train,
            dev,
            texts,
            dev_texts,
            teacher,
            ..
        } = data;
        let data = NerData {
            train,
            dev,
            teacher,
        };
        let ner = ner(&model, &tokenizer, data, (config, out))?;
        check_tasks(&texts, &dev_texts, config)?;
        let heads = config.model.heads.iter().map(|head| {
            let windows = config.windows.options();
            HeadTask::new(head, &tokenizer, (&texts, &dev_texts), windows)
        });
        let heads = heads.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            ranges: ranges(ner.as_ref(), &heads),
            tasks: tasks(config),
            best_by: config.best_by.clone(),
            collator: Collator::new(tokenizer.special()),
            model,
            tokenizer,
            ner,
            heads,
        })
    }

    pub(super) fn model(&self) -> &MultiTaskModel {
        &self.model
    }

    /// Tokens of every example, special tokens included.
    pub(super) fn lengths(&self) -> Vec<usize> {
        let entities = self.ner.iter().flat_map(NerTask::lengths);
        let labelled = self.heads.iter().flat_map(HeadTask::lengths);
        entities.chain(labelled).collect()
    }

    /// The examples of each task.
    pub(super) fn ranges(&self) -> Vec<Range<usize>> {
        self.ranges.clone()
    }

    /// The corpora of all tasks.
    pub(crate) fn strata(&self) -> Vec<Stratum> {
        let entities = self.ner.iter().flat_map(NerTask::strata).cloned();
        let heads = self.heads.iter().zip(&self.ranges[1..]);
        let labelled = heads.flat_map(|(head, range)| {
            let shifted = |stratum: &Stratum| Stratum {
                weight: stratum.weight,
                examples: stratum.examples.iter().map(|n| n + range.start).collect(),
            };
            head.strata().iter().map(shifted)
        });
        entities.chain(labelled).collect()
    }

    /// The language of an example.
    pub(crate) fn lang(&self, example: usize) -> Option<&str> {
        match self.place(example) {
            (0, own) => self.ner.as_ref()?.lang(own),
            (task, own) => self.heads[task - 1].lang(own),
        }
    }

    /// Number of an example's task, and of the example in it.
    fn place(&self, example: usize) -> (usize, usize) {
        let task = self.ranges.partition_point(|range| range.end <= example);
        (task, example - self.ranges[task].start)
    }

    /// The scores of all tasks that there is data to measure on.
    fn measure(&self) -> Result<MultiTaskMeasures> {
        let ner = match &self.ner {
            Some(ner) => ner.evaluate(&self.model)?,
            None => None,
        };
        let mut heads: BTreeMap<String, HeadMeasures> = BTreeMap::new();
        for head in &self.heads {
            if let Some(measures) = head.evaluate(&self.model)? {
                heads.insert(head.task().to_owned(), measures);
            }
        }
        let mut measures = MultiTaskMeasures {
            score: 0.0,
            ner,
            heads,
        };
        measures.score = self.score(&measures);
        Ok(measures)
    }

    /// The mean of the scores that count.
    fn score(&self, measures: &MultiTaskMeasures) -> f64 {
        let entities = measures.ner.iter().map(|ner| (NER, ner.f1));
        let heads = measures.heads.iter();
        let all = entities.chain(heads.map(|(task, head)| (task.as_str(), head.score)));
        let counts = |task: &str| self.best_by.is_empty() || self.best_by.iter().any(|t| t == task);
        let scores: Vec<f64> = all
            .filter(|(task, _)| counts(task))
            .map(|(_, score)| score)
            .collect();
        scores.iter().sum::<f64>() / scores.len().max(1) as f64
    }

    pub(super) fn entities(&self) -> &NerTask {
        self.ner
            .as_ref()
            .expect("only a model with a head for entities has batches of them")
    }
}

/// The head for entities of a model that has one.
fn ner(
    model: &MultiTaskModel,
    tokenizer: &Tokenizer,
    data: NerData,
    run: (&RunConfig, &Path),
) -> Result<Option<NerTask>> {
    match model.labels() {
        Some(labels) => Ok(Some(NerTask::new(model, labels, tokenizer, data, run)?)),
        None if run.0.distillation.is_some() => {
            let expected = "nothing without labels of entities, which a teacher gives";
            Err(refused("distillation", &"set", expected))
        }
        None if !data.train.is_empty() || !data.dev.is_empty() => Err(Error::NoHead {
            task: NER.to_owned(),
        }),
        None => Ok(None),
    }
}

fn ranges(ner: Option<&NerTask>, heads: &[HeadTask]) -> Vec<Range<usize>> {
    let of_entities = ner.map_or(0, |ner| ner.lengths().count());
    let counts = heads.iter().map(|head| head.lengths().count());
    let mut end = 0;
    std::iter::once(of_entities)
        .chain(counts)
        .map(|count| {
            let start = end;
            end += count;
            start..end
        })
        .collect()
}

fn tasks(config: &RunConfig) -> Vec<(String, f64)> {
    let heads = config.model.heads.iter();
    let weights: Vec<_> = heads
        .map(|head| (head.task.clone(), head.loss_weight))
        .collect();
    match weights.is_empty() {
        true => weights,
        false => std::iter::once((NER.to_owned(), 1.0))
            .chain(weights)
            .collect(),
    }
}

/// The model has to have the heads of the run file.
fn check_heads(model: &MultiTaskModel, config: &RunConfig) -> Result<()> {
    let wanted = config.model.heads.iter();
    let missing = wanted
        .zip(
            model
                .pooled_heads()
                .map(Some)
                .chain(std::iter::repeat(None)),
        )
        .find(|(head, found)| *found != Some(&head.options()));
    match missing {
        None => Ok(()),
        Some((head, _)) => Err(Error::NoHead {
            task: head.task.clone(),
        }),
    }
}

fn check_tasks(
    texts: &[LabelledCorpus],
    dev_texts: &[LabelledCorpus],
    config: &RunConfig,
) -> Result<()> {
    let mut tasks = texts.iter().chain(dev_texts).map(|corpus| &corpus.task);
    let known = |task: &String| config.model.heads.iter().any(|head| head.task == *task);
    match tasks.find(|task| !known(task)) {
        None => Ok(()),
        Some(task) => Err(Error::NoHead { task: task.clone() }),
    }
}

impl Task for TrainingTask {
    const KIND: &'static str = "train";
    type Batch = TaskBatch;

    fn parameters(&self) -> &Parameters {
        self.model.parameters()
    }

    fn batch(&self, examples: &[usize], _draw: u64) -> TaskBatch {
        let task = examples.first().map_or(0, |&first| self.place(first).0);
        let start = self.ranges[task].start;
        let own: Vec<usize> = examples.iter().map(|example| example - start).collect();
        match task {
            0 => TaskBatch::Entities(self.entities().batch(&self.collator, &own)),
            _ => TaskBatch::Labelled(task - 1, self.heads[task - 1].batch(&self.collator, &own)),
        }
    }

    fn n_tokens(&self, batch: &TaskBatch) -> usize {
        match batch {
            TaskBatch::Entities(batch) => batch.ids.len(),
            TaskBatch::Labelled(_, batch) => batch.sequences.ids.len(),
        }
    }

    fn n_labelled(&self, batch: &TaskBatch) -> usize {
        match batch {
            TaskBatch::Entities(batch) => n_labelled(batch),
            TaskBatch::Labelled(_, batch) => batch.places.len(),
        }
    }

    fn loss(&self, batch: &TaskBatch, mode: Mode<'_>) -> Result<Tensor> {
        match batch {
            TaskBatch::Entities(batch) => self.entities().loss(&self.model, batch, mode),
            TaskBatch::Labelled(head, batch) => self.heads[*head].loss(&self.model, batch, mode),
        }
    }

    fn weight(&self, batch: &TaskBatch) -> f64 {
        match batch {
            TaskBatch::Entities(batch) => self.entities().weight(batch),
            TaskBatch::Labelled(head, batch) => self.heads[*head].weight(batch),
        }
    }

    fn task(&self, batch: &TaskBatch) -> usize {
        match batch {
            TaskBatch::Entities(_) => 0,
            TaskBatch::Labelled(head, _) => head + 1,
        }
    }

    fn tasks(&self) -> &[(String, f64)] {
        &self.tasks
    }

    fn evaluate(&self) -> Result<Option<Measures>> {
        let measures = self.measure()?;
        Ok(match measures {
            MultiTaskMeasures {
                ner: None, heads, ..
            } if heads.is_empty() => None,
            MultiTaskMeasures { ner: Some(ner), .. } if self.heads.is_empty() => {
                Some(Measures::Ner(ner))
            }
            measures => Some(Measures::MultiTask(measures)),
        })
    }

    fn save(&self, folder: &Path, dtype: DType) -> Result<()> {
        self.model.save(folder, dtype)?;
        Ok(self
            .tokenizer
            .save(&folder.join(vestnik_model::TOKENIZER_FILE))?)
    }

    fn name(&self, example: usize) -> String {
        match self.place(example) {
            (0, own) => self.entities().name(own),
            (task, own) => self.heads[task - 1].name(own),
        }
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        if let Some(ner) = &self.ner {
            ner.hash(&mut hash);
        }
        self.heads.iter().for_each(|head| head.hash(&mut hash));
        format!("{:x}", hash.finalize())
    }

    fn unordered_digest(&self) -> String {
        let entities = self.ner.as_ref().map(NerTask::unordered_digest);
        if self.heads.is_empty() {
            return entities.unwrap_or_default();
        }
        let mut hash = Sha256::new();
        hash.update(entities.unwrap_or_default());
        let heads = self.heads.iter();
        heads.for_each(|head| head.hash_unordered(&mut hash));
        format!("{:x}", hash.finalize())
    }
}
