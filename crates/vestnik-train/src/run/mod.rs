//! The training loop, common to every task: batches, losses, gradients, updates, evaluation, checkpoints.

mod checkpoint;
mod state;
mod weights;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::{DType, Tensor};
use vestnik_model::{Mode, Parameters, Precision, TrainingPass};
use vestnik_text::Batch;

use crate::error::{Error, Result};
use crate::event::{
    EvaluationEvent, Event, EventLog, FinishReason, Measures, StartEvent, StepEvent,
};
use crate::gradients::{Gradients, clip_factor};
use crate::optimizer::AdamW;
use crate::random::derive_seed;
use crate::record::{DataFile, RunRecord};
use crate::sampling::{Sampler, stream};
use crate::schedule::Schedule;
use crate::tensorboard::EventFile;
use crate::throughput::Throughput;
pub use checkpoint::{DamagedCheckpoint, Resumed, has_begun, holds_run};
use state::State;

const LOG: &str = "log.jsonl";
const TENSORBOARD: &str = "tensorboard";

/// Is told every event of a run; [`ControlFlow::Break`] ends the run after a checkpoint.
pub type OnEvent<'a> = dyn FnMut(&Event) -> ControlFlow<()> + 'a;

/// What differs between tasks.
pub(crate) trait Task: Sync {
    /// "train" or "pretrain".
    const KIND: &'static str;
    /// Sequences with what is to be learnt from them.
    type Batch: Send + Sync + std::fmt::Debug;
    /// The tensors of the model.
    fn parameters(&self) -> &Parameters;
    /// The batch of these examples, which are of one task; `draw` is its own seed for anything random.
    fn batch(&self, examples: &[usize], draw: u64) -> Self::Batch;
    /// Tokens of a batch, special tokens included.
    fn n_tokens(&self, batch: &Self::Batch) -> usize;
    /// Tokens, texts or spans of a batch that have a label.
    fn n_labelled(&self, batch: &Self::Batch) -> usize;
    /// Mean loss over these.
    fn loss(&self, batch: &Self::Batch, mode: Mode<'_>) -> Result<Tensor>;
    /// How much that mean counts beside those of other batches of the same task: by default, one for each label.
    fn weight(&self, batch: &Self::Batch) -> f64 {
        self.n_labelled(batch) as f64
    }
    /// Number of a batch's task, where there are several.
    fn task(&self, _batch: &Self::Batch) -> usize {
        0
    }
    /// The names of the tasks and what their losses are multiplied by; none where there is but one.
    fn tasks(&self) -> &[(String, f64)] {
        &[]
    }
    /// Measures the model; `None` when there is nothing to measure on.
    fn evaluate(&self) -> Result<Option<Measures>>;
    /// Writes the model in the Hugging Face layout.
    fn save(&self, folder: &Path, dtype: DType) -> Result<()>;
    /// A name of an example for messages.
    fn name(&self, example: usize) -> String;
    /// Hash of all that is learnt from and measured on, in its order.
    fn digest(&self) -> String;
    /// Hash of all examples, where their order may be that of files, whatever it is.
    fn unordered_digest(&self) -> String {
        self.digest()
    }
}

/// Settings of the loop, taken from the run file of the task.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) accumulate: usize,
    pub(crate) total_steps: u64,
    /// `None`: at the end of every epoch.
    pub(crate) evaluate_every: Option<u64>,
    pub(crate) checkpoint_every: u64,
    pub(crate) keep_checkpoints: usize,
    pub(crate) patience: Option<u64>,
    pub(crate) precision: Precision,
    pub(crate) gradient_checkpointing: bool,
    pub(crate) save_dtype: DType,
    /// Whether to write event files for TensorBoard.
    pub(crate) tensorboard: bool,
    /// The whole run file, for record and checkpoint.
    pub(crate) config: serde_json::Value,
    pub(crate) data: Vec<DataFile>,
}

/// A run in progress.
#[derive(Debug)]
pub(crate) struct Run<T: Task> {
    pub(crate) task: T,
    pub(crate) settings: Settings,
    out: PathBuf,
    sampler: Sampler,
    schedule: Schedule,
    optimizer: AdamW,
    state: State,
    /// The batches of the present epoch.
    plan: Vec<Vec<usize>>,
    /// The batches of the next update, made while a GPU was busy with the last one.
    prepared: Option<Prepared<T::Batch>>,
    throughput: Throughput,
    /// Hash of all examples in their order.
    examples: String,
    /// Hash of the frozen weights.
    frozen: Option<String>,
    /// Updates in the checkpoint that was written or read last.
    saved_step: u64,
    resumed: bool,
}

/// The parts of a [`Run`].
pub(crate) struct Parts<T> {
    pub(crate) task: T,
    pub(crate) settings: Settings,
    pub(crate) sampler: Sampler,
    pub(crate) schedule: Schedule,
    pub(crate) optimizer: AdamW,
}

/// Batches that were made before they are needed.
#[derive(Debug)]
struct Prepared<B> {
    epoch: u64,
    /// Places of the batches in the plan of the epoch.
    places: Range<usize>,
    batches: Vec<B>,
}

/// One forward pass of an update.
struct MicroBatch<B> {
    batch: B,
    task: usize,
    labelled: usize,
    weight: f64,
    pass: TrainingPass,
}

/// The loss of an update, and its gradient.
#[derive(Default)]
struct Computed {
    loss: f64,
    task_losses: BTreeMap<String, f64>,
    gradients: Gradients,
}

impl Computed {
    /// Adds the loss of a batch, which has this `weight` in the update and this `share` of its task.
    fn add(&mut self, loss: f64, weight: f64, share: f64, task: Option<&(String, f64)>) {
        self.loss += weight * loss;
        if let Some((name, _)) = task {
            *self.task_losses.entry(name.clone()).or_default() += share * loss;
        }
    }
}

/// Where events go.
struct Teller<'a, 'b> {
    log: EventLog,
    tensorboard: Option<EventFile>,
    on_event: &'a mut OnEvent<'b>,
    stop: bool,
}

impl Teller<'_, '_> {
    fn tell(&mut self, event: &Event) -> Result<()> {
        let line = self.log.write(event)?;
        if let Some(tensorboard) = &mut self.tensorboard {
            tensorboard.add(&line)?;
        }
        self.stop |= (self.on_event)(event).is_break();
        Ok(())
    }
}

impl<T: Task> Run<T> {
    /// A run at its first step.
    ///
    /// # Errors
    /// [`Error::NoExamples`] when an epoch would be empty.
    pub(crate) fn new(parts: Parts<T>, out: &Path) -> Result<Self> {
        let Parts {
            task,
            settings,
            sampler,
            schedule,
            optimizer,
        } = parts;
        let plan = sampler.batches(0);
        if plan.is_empty() {
            return Err(Error::NoExamples {
                examples: sampler.lengths.len(),
            });
        }
        Ok(Self {
            examples: task.digest(),
            frozen: weights::frozen_digest(task.parameters())?,
            task,
            settings,
            out: out.to_owned(),
            sampler,
            schedule,
            optimizer,
            state: State::default(),
            plan,
            prepared: None,
            throughput: Throughput::default(),
            saved_step: 0,
            resumed: false,
        })
    }

    /// Makes all updates that are left.
    pub(crate) fn run(&mut self, on_event: &mut OnEvent<'_>) -> Result<RunRecord> {
        let log = self.open_log()?;
        let mut teller = Teller {
            log,
            tensorboard: self.open_tensorboard()?,
            on_event,
            stop: false,
        };
        teller.tell(&Event::Start(self.start_event()))?;
        let reason = loop {
            if let Some(reason) = self.finish_reason() {
                break reason;
            }
            if teller.stop {
                break FinishReason::Stopped;
            }
            let event = self.step()?;
            teller.tell(&Event::Step(event))?;
            let evaluate = self.evaluation_is_due();
            if evaluate {
                self.evaluate(&mut teller)?;
            }
            if evaluate
                || teller.stop
                || self
                    .state
                    .step
                    .is_multiple_of(self.settings.checkpoint_every)
            {
                self.checkpoint(&mut teller)?;
            }
        };
        let record = self.save_record(reason)?;
        teller.tell(&Event::Finish {
            step: self.state.step,
            reason,
        })?;
        Ok(record)
    }

    fn open_log(&self) -> Result<EventLog> {
        if !self.resumed && holds_run(&self.out) {
            return Err(Error::OutputExists {
                path: self.out.clone(),
            });
        }
        std::fs::create_dir_all(&self.out).map_err(Error::io("create", &self.out))?;
        EventLog::open(&self.out.join(LOG), self.state.log_bytes)
    }

    /// After the log, which it repeats.
    fn open_tensorboard(&self) -> Result<Option<EventFile>> {
        let open = || EventFile::open(&self.out.join(TENSORBOARD), &self.out.join(LOG));
        self.settings.tensorboard.then(open).transpose()
    }

    fn start_event(&self) -> StartEvent {
        StartEvent {
            step: self.state.step,
            total_steps: self.settings.total_steps,
            examples: self.sampler.lengths.len(),
            sampling: self.sampler.sampling.clone(),
            parameters: self.task.parameters().n_values(),
            trainable: self.task.parameters().n_trainable_values(),
        }
    }

    fn finish_reason(&self) -> Option<FinishReason> {
        if self.state.step >= self.settings.total_steps {
            return Some(FinishReason::Complete);
        }
        let patience = self.settings.patience?;
        (self.state.stale >= patience).then_some(FinishReason::Patience)
    }

    /// One update: the next batches forward and backward, the gradients summed, clipped and applied.
    fn step(&mut self) -> Result<StepEvent> {
        let start = Instant::now();
        let (epoch, lr) = (self.state.epoch, self.schedule.lr(self.state.step));
        let micro_batches = self.next_micro_batches();
        let labelled = micro_batches.iter().map(|micro| micro.labelled).sum();
        let tokens = micro_batches
            .iter()
            .map(|micro| self.task.n_tokens(&micro.batch))
            .sum();
        let Computed {
            loss,
            task_losses,
            gradients,
        } = self.gradients_while_preparing(&micro_batches)?;
        self.check_finite("loss", loss, &micro_batches)?;
        let grad_norm = gradients.norm()?;
        self.check_finite("gradient norm", grad_norm, &micro_batches)?;
        let scale = clip_factor(grad_norm, self.optimizer.config().max_grad_norm);
        self.optimizer.step(&gradients, lr, scale)?;
        drop(gradients);
        self.advance(micro_batches.len(), tokens, start.elapsed());
        Ok(StepEvent {
            step: self.state.step,
            total_steps: self.settings.total_steps,
            epoch,
            loss,
            task_losses,
            lr,
            grad_norm,
            tokens,
            labelled,
            tokens_per_second: self.throughput.tokens_per_second().unwrap_or_default(),
            eta_seconds: self.eta().unwrap_or_default().as_secs_f64(),
        })
    }

    /// The next `accumulate` batches, or those that are left of the epoch.
    fn next_micro_batches(&mut self) -> Vec<MicroBatch<T::Batch>> {
        let epoch = self.state.epoch;
        let places = self.places_from(self.state.batch);
        let prepared = self.prepared.take();
        let batches = match prepared.filter(|p| p.epoch == epoch && p.places == places) {
            Some(prepared) => prepared.batches,
            None => self.batches(epoch, places.clone()),
        };
        let micro_batch = |(place, batch): (usize, T::Batch)| MicroBatch {
            task: self.task.task(&batch),
            labelled: self.task.n_labelled(&batch),
            weight: self.task.weight(&batch),
            batch,
            pass: self.pass(epoch, place as u64),
        };
        places.zip(batches).map(micro_batch).collect()
    }

    /// The places in the plan of an update that begins at one of them.
    fn places_from(&self, first: usize) -> Range<usize> {
        first..(first + self.settings.accumulate).min(self.plan.len())
    }

    /// A batch is a function of seed, epoch and place, whatever came before.
    fn batches(&self, epoch: u64, places: Range<usize>) -> Vec<T::Batch> {
        let batch = |place: usize| {
            let seed = derive_seed(self.settings.seed, &[stream::MASKS, epoch, place as u64]);
            self.task.batch(&self.plan[place], seed)
        };
        places.map(batch).collect()
    }

    /// [`Self::gradients`]; while a GPU computes them, the batches of the next update of the epoch are made.
    fn gradients_while_preparing(
        &mut self,
        micro_batches: &[MicroBatch<T::Batch>],
    ) -> Result<Computed> {
        let epoch = self.state.epoch;
        let places = self.places_from(self.state.batch + micro_batches.len());
        if self.task.parameters().device().is_cpu() || places.is_empty() {
            return self.gradients(micro_batches);
        }
        let this = &*self;
        let (gradients, batches) = std::thread::scope(|scope| {
            let batches = scope.spawn(|| this.batches(epoch, places.clone()));
            let gradients = this.gradients(micro_batches);
            (gradients, batches.join())
        });
        let batches = batches.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.prepared = Some(Prepared {
            epoch,
            places,
            batches,
        });
        gradients
    }

    fn pass(&self, epoch: u64, place: u64) -> TrainingPass {
        let seed = derive_seed(self.settings.seed, &[stream::DROPOUT, epoch]);
        let pass = TrainingPass::new(seed, place)
            .with_lookups()
            .with_precision(self.settings.precision);
        match self.settings.gradient_checkpointing {
            true => pass.with_gradient_checkpointing(),
            false => pass.with_tape(),
        }
    }

    /// Mean loss over all labels, and its gradient: batches of a task weigh what the task says, so that several small batches
    /// give what one large one would. With several tasks that mean is taken for each by itself; a task counts by its batches
    /// among all, times its own weight, so that a few texts are not lost beside thousands of words.
    fn gradients(&self, micro_batches: &[MicroBatch<T::Batch>]) -> Result<Computed> {
        let mut computed = Computed::default();
        let taught: Vec<_> = micro_batches
            .iter()
            .filter(|micro| micro.weight > 0.0)
            .collect();
        for micro in &taught {
            let own = || taught.iter().filter(|other| other.task == micro.task);
            let share = micro.weight / own().map(|other| other.weight).sum::<f64>();
            let weight = share * self.task_weight(micro.task, own().count(), taught.len());
            let loss = self.task.loss(&micro.batch, Mode::Training(&micro.pass))?;
            let mut store = micro
                .pass
                .backward(&loss)
                .map_err(Error::tensor("computing gradients"))?;
            computed.add(
                scalar(&loss)?,
                weight,
                share,
                self.task.tasks().get(micro.task),
            );
            let lookups = micro.pass.take_lookups();
            let parameters = self.task.parameters().trainable();
            computed
                .gradients
                .add(parameters, &lookups, &mut store, weight)?;
        }
        Ok(computed)
    }

    /// What the mean loss of a task with `own` of `all` batches counts in an update.
    fn task_weight(&self, task: usize, own: usize, all: usize) -> f64 {
        match self.task.tasks().get(task) {
            None => 1.0,
            Some((_, weight)) => weight * own as f64 / all as f64,
        }
    }

    fn check_finite(
        &self,
        quantity: &'static str,
        value: f64,
        micro_batches: &[MicroBatch<T::Batch>],
    ) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        let first = self.state.batch;
        let batches = &self.plan[first..first + micro_batches.len()];
        Err(Error::NotFinite {
            quantity,
            value,
            step: self.state.step + 1,
            lr: self.schedule.lr(self.state.step),
            examples: batches
                .iter()
                .flatten()
                .map(|&example| self.task.name(example))
                .collect(),
        })
    }

    /// Moves the position past an update.
    fn advance(&mut self, n_batches: usize, tokens: usize, time: Duration) {
        let state = &mut self.state;
        state.step += 1;
        state.batch += n_batches;
        state.tokens += tokens as u64;
        state.seconds += time.as_secs_f64();
        self.throughput.add(tokens as u64, time);
        if state.batch == self.plan.len() {
            state.batch = 0;
            state.epoch += 1;
            self.plan = self.sampler.batches(state.epoch);
        }
    }

    fn eta(&self) -> Option<Duration> {
        self.throughput
            .time_for(self.settings.total_steps - self.state.step)
    }

    fn evaluation_is_due(&self) -> bool {
        let State { step, batch, .. } = self.state;
        let regular = match self.settings.evaluate_every {
            Some(every) => step.is_multiple_of(every),
            None => batch == 0,
        };
        regular || step == self.settings.total_steps
    }

    /// Measures, and keeps the weights when they are the best so far.
    fn evaluate(&mut self, teller: &mut Teller<'_, '_>) -> Result<()> {
        let Some(measures) = self.task.evaluate()? else {
            return Ok(());
        };
        self.check_finite("score of an evaluation", measures.score(), &[])?;
        let event = EvaluationEvent {
            step: self.state.step,
            epoch: self.state.epoch,
            is_best: self.state.is_best(measures.score()),
            measures,
        };
        self.state.add(event.clone());
        if event.is_best {
            self.save_model()?;
        }
        teller.tell(&Event::Evaluation(event))
    }

    /// The log line comes first, so that a resumed log holds it; the caller hears of a checkpoint that is there.
    fn checkpoint(&mut self, teller: &mut Teller<'_, '_>) -> Result<()> {
        let event = Event::Checkpoint {
            step: self.state.step,
        };
        teller.log.write(&event)?;
        teller.log.sync()?;
        self.state.log_bytes = teller.log.bytes();
        self.save_checkpoint()?;
        teller.stop |= (teller.on_event)(&event).is_break();
        Ok(())
    }
}

/// The tokens of a batch that have a label.
pub(crate) fn n_labelled(batch: &Batch) -> usize {
    let labels = batch.labels.iter().flatten();
    labels.filter(|label| **label >= 0).count()
}

fn scalar(loss: &Tensor) -> Result<f64> {
    let value = loss.to_dtype(DType::F64).and_then(|loss| loss.to_scalar());
    value.map_err(Error::tensor("reading the loss"))
}
