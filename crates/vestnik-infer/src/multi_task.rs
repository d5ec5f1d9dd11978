//! A model with several heads on one encoder: entities, topics and stances from one pass over a text.

use std::cmp::Reverse;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use rayon::prelude::*;
use vestnik_core::{Span, Topic};
use vestnik_model::{
    Device, HeadKind, HeadOptions, Mode, ModelDir, MultiTaskModel, Reads, TaskHeads,
};
use vestnik_text::{Tokenizer, WindowOptions};

use crate::analysis::{Analysis, Request};
use crate::error::Result;
use crate::head_metadata::HeadMetadata;
use crate::mentions::Mentions;
use crate::metadata::Metadata;
use crate::opened::Opened;
use crate::options::Options;
use crate::pipeline::NerPipeline;
use crate::reader::{ReadBatch, Reader, Text, to_host};
use crate::stance_scores::StanceScores;
use crate::task::{Task, chosen};
use crate::text_states::{TextStates, to_tensor};
use crate::topic_scores::TopicScores;

/// States are held for at most about this many tokens, until the entities are known towards which stances are asked; of a
/// longer text the windows with entities are read twice.
const HELD_TOKENS: usize = 1 << 15;
/// Fewest and most bytes of the texts that one thread reads at once, where threads read different texts: little enough that
/// all threads have something to do until the end, enough to fill a forward pass.
const SHARE_BYTES: RangeInclusive<usize> = 4 << 10..=32 << 10;

/// The same for a GPU: about as much as one forward pass of it takes.
const GPU_SHARE_BYTES: usize = 256 << 10;
/// Shares that are on their way through the steps for a GPU: while it computes one, the tokens of the next are found, and
/// what was computed of the last becomes entities.
const GPU_LANES: usize = 3;

/// The heads in use.
#[derive(Debug)]
pub(crate) struct MultiTask {
    reader: Arc<Reader>,
    heads: Arc<TaskHeads>,
    tasks: Vec<Task>,
    ner: Option<NerPipeline>,
    topics: Option<TopicScores>,
    stances: Option<StanceScores>,
    /// [`HELD_TOKENS`].
    held_tokens: usize,
}

impl MultiTask {
    pub(crate) fn open(
        dir: &ModelDir,
        metadata: Option<&Metadata>,
        window: WindowOptions,
        device: Device,
        options: &Options,
    ) -> Result<Self> {
        let heads = metadata.map_or(&[][..], |metadata| &metadata.heads);
        let has_tags =
            dir.config().head() == Some(HeadKind::TokenClassification) || heads.is_empty();
        let tasks = chosen(options.tasks.as_deref(), &tasks_of(heads, has_tags))?;
        let of = |task: Task| tasks.contains(&task).then(|| head(heads, task)).flatten();
        let (topic, stance) = (of(Task::Topic), of(Task::Stance));
        let needed: Vec<HeadOptions> = [topic, stance]
            .into_iter()
            .flatten()
            .map(HeadMetadata::options)
            .collect();
        let load = || MultiTaskModel::load_parts(dir, &needed, &device);
        let Opened {
            tokenizer,
            states,
            head: heads,
        } = Opened::new(dir, options, load)?;
        let reader = Reader::new(states, tokenizer, window, device, options)?;
        let (reader, heads) = (Arc::new(reader), Arc::new(heads));
        let ner = tasks.contains(&Task::Ner).then(|| {
            let calibration = metadata.and_then(|metadata| metadata.calibration.clone());
            let calibration = calibration.unwrap_or_default();
            NerPipeline::new(reader.clone(), heads.clone(), calibration, options)
        });
        Ok(Self {
            ner: ner.transpose()?,
            topics: topic.map(|head| topic_scores(head, options)).transpose()?,
            stances: stance.map(stance_scores).transpose()?,
            reader,
            heads,
            tasks,
            held_tokens: HELD_TOKENS,
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

    pub(crate) fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    pub(crate) fn ner(&self) -> Option<&NerPipeline> {
        self.ner.as_ref()
    }

    pub(crate) fn topics(&self) -> Option<&TopicScores> {
        self.topics.as_ref()
    }

    /// Texts are taken in shares from the first step to the last, several at a time, so that no thread waits for the others
    /// between the steps, and a GPU for none of them.
    pub(crate) fn analyze(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        let analyze = |share: &Range<usize>| {
            let first = share.start;
            let analyses = self.analyze_share(&requests[share.clone()]);
            Ok((first, analyses.map_err(|error| error.behind(first))?))
        };
        let mut analyses = if self.reader.is_spread() {
            let mut shares = shares(requests);
            // The longest first, so that no thread begins with one when the others are done.
            shares.sort_by_cached_key(|share| Reverse(n_bytes(&requests[share.clone()])));
            let shares = shares.iter().par_bridge();
            shares.map(analyze).collect::<Result<Vec<_>>>()?
        } else {
            let shares = groups(lengths(requests), GPU_SHARE_BYTES);
            let lanes = shares.par_chunks(shares.len().div_ceil(GPU_LANES));
            lanes
                .flat_map_iter(|lane| lane.iter().map(analyze))
                .collect::<Result<Vec<_>>>()?
        };
        analyses.sort_by_key(|(first, _)| *first);
        Ok(analyses
            .into_iter()
            .flat_map(|(_, of_share)| of_share)
            .collect())
    }

    fn analyze_share(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        let texts: Vec<&str> = requests.iter().map(|request| request.text).collect();
        let texts = self.reader.texts(&texts)?;
        let lengths = texts.iter().map(|text| text.tokens.tokens.len());
        let mut analyses = Vec::with_capacity(texts.len());
        for group in groups(lengths, self.held_tokens) {
            // An error names the place of a text among all of these: texts know theirs.
            analyses.extend(self.analyze_group(&texts[group.clone()], &requests[group])?);
        }
        Ok(analyses)
    }

    fn analyze_group(&self, texts: &[Text<'_>], requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        let n_tokens: usize = texts.iter().map(|text| text.tokens.tokens.len()).sum();
        let holds = self.stances.is_some() && n_tokens <= self.held_tokens;
        let mut held = Vec::new();
        let mut logits = self.ner.as_ref().map(|ner| ner.room(texts));
        let mut states = self.topics.as_ref().map(|_| TextStates::new(texts));
        self.reader.read(texts, |batch| {
            if let (Some(ner), Some(logits)) = (&self.ner, &mut logits) {
                ner.add(&batch, texts, logits)?;
            }
            if let Some(states) = &mut states {
                states.add(&batch, texts)?;
            }
            held.extend(holds.then_some(batch));
            Ok(())
        })?;
        let mut analyses: Vec<Analysis> = texts
            .iter()
            .zip(requests)
            .map(|(text, request)| Analysis::blank(text, request))
            .collect();
        if let (Some(ner), Some(logits)) = (&self.ner, &logits) {
            self.reader
                .stopwatch()
                .decoding(|| add_entities(ner, texts, logits, &mut analyses));
        }
        if let (Some(scores), Some(states)) = (&self.topics, &states) {
            let topics = self.topics_of(scores, &states.means(texts))?;
            analyses
                .iter_mut()
                .zip(topics)
                .for_each(|(analysis, topics)| analysis.topics = topics);
        }
        if let Some(scores) = &self.stances {
            self.add_stances(scores, texts, holds.then_some(held), &mut analyses)?;
        }
        Ok(analyses)
    }

    /// The topics of texts by their mean states.
    fn topics_of(
        &self,
        scores: &TopicScores,
        means: &[Option<Vec<f32>>],
    ) -> Result<Vec<Vec<Topic>>> {
        let mut rows: Vec<Vec<f32>> = means.iter().flatten().cloned().collect();
        let Some(first) = rows.first().cloned() else {
            return Ok(vec![vec![]; means.len()]);
        };
        // A product with one row sums in another order; never alone, a text has the same topics in every batch.
        rows.push(first);
        let states = to_tensor(&rows, self.reader.device())?;
        let each: Vec<Range<usize>> = (0..rows.len()).map(|row| row..row + 1).collect();
        let task = Task::Topic.as_str();
        let logits = self
            .heads
            .text_logits(task, &states, &each, Mode::Inference)?;
        let logits = to_host(&logits)?;
        let mut of_texts = logits.chunks_exact(scores.labels().len());
        let topics = |mean: &Option<Vec<f32>>| match mean {
            Some(_) => of_texts
                .next()
                .map(|row| scores.topics(row))
                .unwrap_or_default(),
            None => vec![],
        };
        Ok(means.iter().map(topics).collect())
    }

    /// Stances towards all entities and targets; where states are not held, the windows with some are read again.
    fn add_stances(
        &self,
        scores: &StanceScores,
        texts: &[Text<'_>],
        held: Option<Vec<ReadBatch>>,
        analyses: &mut [Analysis],
    ) -> Result<()> {
        let spans: Vec<Vec<Span>> = analyses.iter().map(spans).collect();
        let mut mentions = Mentions::new(texts, &spans);
        match held {
            Some(batches) => {
                let mut batches = batches.iter();
                let stopwatch = self.reader.stopwatch();
                stopwatch.computing(|| {
                    batches.try_for_each(|batch| mentions.add(batch, &self.heads, scores))
                })?;
            }
            None => {
                let windows = mentions.windows();
                self.reader.read_windows(texts, &windows, |batch| {
                    mentions.add(&batch, &self.heads, scores)
                })?;
            }
        }
        let mut stances = mentions.into_stances().into_iter();
        for analysis in analyses {
            let entities = analysis
                .entities
                .iter_mut()
                .map(|entity| &mut entity.stance);
            let targets = analysis.targets.iter_mut().map(|target| &mut target.stance);
            entities
                .chain(targets)
                .for_each(|stance| *stance = stances.next().flatten());
        }
        Ok(())
    }
}

/// What a model with these heads, and one for tokens or none, can do.
fn tasks_of(heads: &[HeadMetadata], has_tags: bool) -> Vec<Task> {
    let can = |task: &Task| match task {
        Task::Ner => has_tags,
        _ => head(heads, *task).is_some(),
    };
    Task::ALL.into_iter().filter(can).collect()
}

/// The head for a task.
fn head(heads: &[HeadMetadata], task: Task) -> Option<&HeadMetadata> {
    let reads = match task {
        Task::Stance => Reads::Span,
        _ => Reads::Text,
    };
    let mut heads = heads.iter();
    heads.find(|head| head.task == task.as_str() && head.reads == reads)
}

fn topic_scores(head: &HeadMetadata, options: &Options) -> Result<TopicScores> {
    let calibration = head.calibration.clone().unwrap_or_default();
    TopicScores::new(&head.labels, head.problem_type, &calibration, options)
}

fn stance_scores(head: &HeadMetadata) -> Result<StanceScores> {
    StanceScores::new(&head.labels, &head.calibration.clone().unwrap_or_default())
}

fn add_entities(
    ner: &NerPipeline,
    texts: &[Text<'_>],
    logits: &[Vec<f32>],
    analyses: &mut [Analysis],
) {
    let texts = texts.par_iter().zip(logits).zip(analyses);
    texts.for_each(|((text, logits), analysis)| {
        analysis.entities = ner.entities(text, logits, ner.calibration());
    });
}

/// The stretches towards which stances are asked: entities, then targets.
fn spans(analysis: &Analysis) -> Vec<Span> {
    let entities = analysis.entities.iter().map(|entity| entity.span);
    let targets = analysis.targets.iter().map(|target| target.span);
    entities.chain(targets).collect()
}

/// Bytes of each text.
fn lengths(requests: &[Request<'_>]) -> impl Iterator<Item = usize> {
    requests.iter().map(|request| request.text.len())
}

fn n_bytes(requests: &[Request<'_>]) -> usize {
    lengths(requests).sum()
}

/// Texts for one thread each.
fn shares(requests: &[Request<'_>]) -> Vec<Range<usize>> {
    // Four for each thread: they are not equally long.
    let fair = n_bytes(requests) / (4 * rayon::current_num_threads());
    groups(
        lengths(requests),
        fair.clamp(*SHARE_BYTES.start(), *SHARE_BYTES.end()),
    )
}

/// Texts that follow each other, of at most `most` together; a longer one alone.
fn groups(lengths: impl Iterator<Item = usize>, most: usize) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut end, mut together) = (0, 0, 0);
    for length in lengths {
        if start < end && together + length > most {
            groups.push(start..end);
            (start, together) = (end, 0);
        }
        together += length;
        end += 1;
    }
    groups.push(start..end);
    groups
}

#[cfg(test)]
mod tests;
