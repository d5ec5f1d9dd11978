//! Masked-language-model pretraining.

mod cache;
mod cutting;
mod masking;
mod pieces;
#[cfg(test)]
mod tests;

use std::path::Path;

use candle_core::{D, DType, Tensor};
use vestnik_model::{MaskedLm, Mode, Parameters, losses};
use vestnik_text::{Batch, Collator, Example};

use crate::config::{PretrainConfig, refused};
use crate::error::{Error, Result};
use crate::event::{MaskedLmMeasures, Measures};
use crate::optimizer::AdamW;
use crate::random::Random;
use crate::record::{DataFile, RunRecord};
use crate::run::{OnEvent, Parts, Resumed, Run, Settings, Task, n_labelled};
use crate::sampling::{Cell, Sampler, Stratum, sampling, stream, temper};
pub use cache::{CacheWriter, SourceText};
use masking::Masker;
pub use pieces::{Cached, Pieces, TextFile};

/// Trains a masked language model on pieces of text.
///
/// The output folder gets `checkpoint/` (to resume), `model/` (the best model with `run.json`) and `log.jsonl`.
#[derive(Debug)]
pub struct Pretrainer {
    run: Run<MaskedLmTask>,
}

/// What pretraining learns from.
#[derive(Debug, Clone)]
pub struct PretrainData {
    /// The texts, of the files of the run file in their order.
    pub pieces: Pieces,
    /// The files they came from, for the record.
    pub files: Vec<DataFile>,
}

impl Pretrainer {
    /// A run at its first step; nothing is written yet.
    ///
    /// # Errors
    /// [`Error::Setting`] for pieces longer than the model can read or for a number of files that is not that of the
    /// settings, [`Error::MaskTokenMissing`],
    /// [`Error::NoExamples`] when no piece is left after those kept aside.
    pub fn new(
        model: MaskedLm,
        data: PretrainData,
        config: &PretrainConfig,
        out: &Path,
    ) -> Result<Self> {
        config.check()?;
        let PretrainData { pieces, files } = data;
        check_length(config, model.config().encoder.max_tokens())?;
        if pieces.n_files() != config.text.len() {
            let (found, expected) = (config.text.len(), format!("{}", pieces.n_files()));
            return Err(refused("text (number of files)", &found, expected));
        }
        let adaptation = config.adaptation(&model.config().encoder)?;
        let model = model.adapted(&adaptation, config.seed)?;
        let optimizer = AdamW::of_model(model.parameters(), config.optimizer.clone())?;
        let schedule = config
            .schedule
            .schedule(config.optimizer.learning_rate, config.steps);
        let dev = dev_pieces(&pieces, config);
        let sampler = sampler(&pieces, &dev, config);
        let task = MaskedLmTask::new(model, pieces, &dev, config)?;
        let parts = Parts {
            task,
            settings: settings(config, files)?,
            sampler,
            schedule,
            optimizer,
        };
        Ok(Self {
            run: Run::new(parts, out)?,
        })
    }

    /// Goes back to the newest checkpoint in the output folder that is as it was written; to the first step when a kill
    /// fell before the first checkpoint.
    ///
    /// # Errors
    /// [`Error::CheckpointMissing`], [`Error::CheckpointMismatch`], [`Error::CheckpointDamaged`],
    /// [`Error::DataChanged`] or [`Error::ConfigChanged`].
    pub fn resume(&mut self) -> Result<Resumed> {
        self.run.resume()
    }

    /// Makes all updates that are left, telling every event.
    ///
    /// # Errors
    /// [`Error::OutputExists`] when the folder holds a run that was not resumed, [`Error::NotFinite`] when the loss or the
    /// gradient explodes, [`Error::Io`] when a file cannot be written.
    pub fn run(&mut self, on_event: &mut OnEvent<'_>) -> Result<RunRecord> {
        self.run.run(on_event)
    }

    /// The model as it is now.
    #[must_use]
    pub fn model(&self) -> &MaskedLm {
        &self.run.task.model
    }
}

fn check_length(config: &PretrainConfig, max_tokens: usize) -> Result<()> {
    if config.piece_tokens + 2 <= max_tokens {
        return Ok(());
    }
    let most = max_tokens.saturating_sub(2);
    let expected = format!("at most {most}, what the model reads less two special tokens");
    Err(refused("piece_tokens", &config.piece_tokens, expected))
}

fn settings(config: &PretrainConfig, data: Vec<DataFile>) -> Result<Settings> {
    Ok(Settings {
        seed: config.seed,
        accumulate: config.batch.accumulate,
        total_steps: config.steps,
        evaluate_every: Some(config.evaluate_every),
        checkpoint_every: config.checkpoint_every,
        keep_checkpoints: config.keep_checkpoints,
        patience: None,
        precision: config.precision,
        gradient_checkpointing: config.gradient_checkpointing,
        save_dtype: config.save_dtype.into(),
        tensorboard: config.tensorboard,
        config: crate::config::to_json(config)?,
        data,
    })
}

/// Pieces to measure on, drawn by the seed; at most a tenth of all.
fn dev_pieces(pieces: &Pieces, config: &PretrainConfig) -> Vec<usize> {
    let mut all: Vec<usize> = (0..pieces.len()).collect();
    Random::derive(config.seed, &[stream::DEV_PIECES]).shuffle(&mut all);
    all.truncate(config.dev_pieces.min(pieces.len() / 10));
    all.sort_unstable();
    all
}

fn sampler(pieces: &Pieces, dev: &[usize], config: &PretrainConfig) -> Sampler {
    let learnt = || (0..pieces.len()).filter(|piece| dev.binary_search(piece).is_err());
    let (mut cells, first_cells) = cells(pieces, config);
    let cell = |piece| {
        let (source, language) = pieces.origin(piece);
        first_cells[source] + language
    };
    learnt().for_each(|piece| cells[cell(piece)].n_examples += 1);
    temper(&mut cells, &config.sampling);
    let mut strata: Vec<Stratum> = Vec::new();
    for piece in learnt() {
        let weight = cells[cell(piece)].weight;
        match strata.iter_mut().find(|stratum| stratum.weight == weight) {
            Some(stratum) => stratum.examples.push(piece),
            None => strata.push(Stratum {
                weight,
                examples: vec![piece],
            }),
        }
    }
    let names = config.text.iter().map(|source| source.path.display());
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    Sampler {
        strata,
        sampling: sampling(&cells, &names),
        lengths: (0..pieces.len())
            .map(|piece| pieces.length(piece) + 2)
            .collect(),
        tasks: std::iter::once(0..pieces.len()).collect(),
        max_tokens: config.batch.max_tokens,
        seed: config.seed,
    }
}

/// The languages of all files with their weights and no pieces yet, and where those of each file begin.
fn cells(pieces: &Pieces, config: &PretrainConfig) -> (Vec<Cell>, Vec<usize>) {
    let (mut cells, mut first_cells) = (Vec::new(), Vec::new());
    for (corpus, (languages, source)) in pieces.languages().zip(&config.text).enumerate() {
        first_cells.push(cells.len());
        cells.extend(languages.iter().map(|lang| Cell {
            corpus,
            weight: config.weight(source, lang.as_deref()),
            lang: lang.clone(),
            n_examples: 0,
        }));
    }
    (cells, first_cells)
}

/// The task of the training loop.
#[derive(Debug)]
struct MaskedLmTask {
    model: MaskedLm,
    pieces: Pieces,
    /// Batches to measure on, masked once and for all.
    dev: Vec<Batch>,
    masker: Masker,
    collator: Collator,
}

impl MaskedLmTask {
    fn new(
        model: MaskedLm,
        pieces: Pieces,
        dev: &[usize],
        config: &PretrainConfig,
    ) -> Result<Self> {
        let special = pieces.tokenizer().special();
        let mask = special.mask.ok_or(Error::MaskTokenMissing)?;
        let vocab_size = pieces.tokenizer().vocab_size();
        let mut task = Self {
            model,
            masker: Masker::new(config.masking.clone(), &special, mask, vocab_size),
            collator: Collator::new(special),
            pieces,
            dev: Vec::new(),
        };
        let size = (config.batch.max_tokens / (config.piece_tokens + 2)).max(1);
        task.dev = (0..)
            .zip(dev.chunks(size))
            .map(|(number, pieces)| {
                let random = Random::derive(config.seed, &[stream::DEV_MASKS, number]);
                task.masked(pieces, random)
            })
            .collect();
        Ok(task)
    }

    fn masked(&self, pieces: &[usize], mut random: Random) -> Batch {
        let examples: Vec<Example> = pieces
            .iter()
            .map(|&piece| {
                let (mut ids, word_starts) = self.pieces.piece(piece);
                let labels = self.masker.hide(&mut ids, &word_starts, &mut random);
                Example {
                    document: piece,
                    window: 0,
                    ids,
                    labels: Some(labels),
                    allowed: None,
                }
            })
            .collect();
        self.collator.batch(&examples)
    }

    /// Logits at the hidden tokens, and what was there.
    fn hidden(&self, batch: &Batch, mode: Mode<'_>) -> Result<(Tensor, Vec<i64>)> {
        let labels = batch.labels.iter().flatten();
        let (places, labels): (Vec<u32>, Vec<i64>) =
            (0..).zip(labels).filter(|&(_, &label)| label >= 0).unzip();
        Ok((self.model.logits(batch, &places, mode)?, labels))
    }

    /// Sum of the losses, number of correct guesses and of hidden tokens.
    fn measure(&self, batch: &Batch) -> Result<(f64, usize, usize)> {
        let (logits, labels) = self.hidden(batch, Mode::Inference)?;
        let doing = "measuring the masked language model";
        let loss = losses::cross_entropy(&logits, &labels)?;
        let loss = loss.to_scalar::<f32>().map_err(Error::tensor(doing))?;
        let guesses = logits
            .argmax(D::Minus1)
            .and_then(|guesses| guesses.to_vec1::<u32>())
            .map_err(Error::tensor(doing))?;
        let correct = guesses
            .iter()
            .zip(&labels)
            .filter(|&(&guess, &label)| i64::from(guess) == label);
        Ok((
            f64::from(loss) * labels.len() as f64,
            correct.count(),
            labels.len(),
        ))
    }
}

impl Task for MaskedLmTask {
    const KIND: &'static str = "pretrain";
    type Batch = Batch;

    fn parameters(&self) -> &Parameters {
        self.model.parameters()
    }

    fn batch(&self, examples: &[usize], draw: u64) -> Batch {
        self.masked(examples, Random::derive(draw, &[]))
    }

    fn n_tokens(&self, batch: &Batch) -> usize {
        batch.ids.len()
    }

    fn n_labelled(&self, batch: &Batch) -> usize {
        n_labelled(batch)
    }

    fn loss(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let (logits, labels) = self.hidden(batch, mode)?;
        Ok(losses::cross_entropy(&logits, &labels)?)
    }

    fn evaluate(&self) -> Result<Option<Measures>> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let (mut loss, mut correct, mut asked) = (0.0, 0, 0);
        for batch in &self.dev {
            let measured = self.measure(batch)?;
            (loss, correct, asked) = (loss + measured.0, correct + measured.1, asked + measured.2);
        }
        Ok(Some(Measures::MaskedLm(MaskedLmMeasures {
            loss: loss / asked as f64,
            accuracy: correct as f64 / asked as f64,
        })))
    }

    fn save(&self, folder: &Path, dtype: DType) -> Result<()> {
        self.model.save(folder, dtype)?;
        Ok(self
            .pieces
            .tokenizer()
            .save(&folder.join(vestnik_model::TOKENIZER_FILE))?)
    }

    fn name(&self, example: usize) -> String {
        format!("piece {example}")
    }

    fn digest(&self) -> String {
        self.pieces.digest()
    }
}
