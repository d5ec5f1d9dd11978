//! One model, the texts that wait for it, and the thread that hands them over in batches.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::auth::Client;
use crate::config::Config;
use crate::engine::{Ask, Engine, Found};
use crate::fair_queue::FairQueue;
use crate::metrics::LaneMetrics;
use crate::problem::{Kind, Problem};
use crate::stages::{StageWatch, Stages};

/// What a text has at least, in bytes, for the shares of clients: tokenising and decoding are not free.
const LEAST_COST: usize = 64;
/// Bytes of a token until texts have been read.
const BYTES_PER_TOKEN: f64 = 4.0;
/// How much the last batch weighs in the averages.
const WEIGHT: f64 = 0.2;
/// The longest that a client is told to wait, in seconds.
const LONGEST_RETRY: f64 = 60.0;

/// One model and its queue.
#[derive(Debug)]
pub(crate) struct Lane {
    name: String,
    engine: RwLock<Arc<Engine>>,
    waiting: Mutex<Waiting>,
    wake: Condvar,
    limits: Limits,
    metrics: LaneMetrics,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    queue: usize,
    queue_of_client: usize,
    batch_tokens: usize,
    max_wait: Duration,
}

#[derive(Debug)]
struct Waiting {
    queue: FairQueue<Client, Text>,
    next_request: u64,
    /// When the queue was last empty and something came.
    since: Option<Instant>,
    /// Nobody else will come to share a batch.
    hurry: bool,
    closed: bool,
    bytes_per_token: f64,
    /// Cost that is worked off in a second; 0 until a batch was read.
    speed: f64,
}

/// A text that waits.
#[derive(Debug)]
struct Text {
    text: String,
    ask: Ask,
    cost: usize,
    since: Instant,
    reply: oneshot::Sender<Result<Answer, Problem>>,
}

/// Where the answer to a text comes out.
type Reply = oneshot::Receiver<Result<Answer, Problem>>;

/// What a model found in a text, and the model: after a reload it is another one.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) found: Found,
    /// When the text came into the queue.
    pub(crate) queued: Instant,
    /// How it was read.
    pub(crate) stages: Stages,
}

impl Lane {
    pub(crate) fn new(engine: Engine, config: &Config, metrics: LaneMetrics) -> Self {
        Self {
            name: engine.name().to_owned(),
            engine: RwLock::new(Arc::new(engine)),
            waiting: Mutex::new(Waiting {
                queue: FairQueue::new(),
                next_request: 0,
                since: None,
                hurry: false,
                closed: false,
                bytes_per_token: BYTES_PER_TOKEN,
                speed: 0.0,
            }),
            wake: Condvar::new(),
            limits: Limits {
                queue: config.max_queue,
                queue_of_client: config.max_queue_of_client(),
                batch_tokens: config.batch_tokens,
                max_wait: config.max_wait,
            },
            metrics,
        }
    }

    /// The name that clients call the model by; a reload does not change it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The model as it is now.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another model in place of this one; batches in progress end with the old one.
    pub(crate) fn replace(&self, engine: Engine) {
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(engine);
    }

    pub(crate) fn metrics(&self) -> &LaneMetrics {
        &self.metrics
    }

    /// Texts that wait.
    pub(crate) fn queue_len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Puts the texts of a request into the queue.
    pub(crate) fn submit(
        self: &Arc<Self>,
        client: &Client,
        texts: Vec<String>,
        asks: Vec<Ask>,
    ) -> Result<Pending, Problem> {
        let mut waiting = self.lock();
        self.admit(&waiting, client, texts.len())?;
        let request = waiting.next_request;
        waiting.next_request += 1;
        let (things, replies) = prepare(texts, asks);
        waiting.since.get_or_insert_with(Instant::now);
        waiting.queue.push(client.clone(), request, things);
        self.tell_length(&waiting);
        drop(waiting);
        self.wake.notify_one();
        Ok(Pending {
            lane: Arc::clone(self),
            request,
            replies,
        })
    }

    fn admit(&self, waiting: &Waiting, client: &Client, n_texts: usize) -> Result<(), Problem> {
        if waiting.closed {
            return Err(Problem::stopping());
        }
        let of_client = waiting.queue.len_of(client) + n_texts;
        let of_all = waiting.queue.len() + n_texts;
        if of_client > self.limits.queue_of_client || of_all > self.limits.queue {
            return Err(Problem::overloaded(waiting.seconds_to_work_off()));
        }
        Ok(())
    }

    /// No text waits for others to share its batch any more.
    pub(crate) fn hurry(&self) {
        self.lock().hurry = true;
        self.wake.notify_all();
    }

    /// No text is taken any more, and those that wait are given up: whoever asked for them had the time to drain.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.hurry = true;
        waiting.closed = true;
        let left = self.take(&mut waiting, usize::MAX);
        drop(waiting);
        fail(left, &Problem::stopping());
        self.wake.notify_all();
    }

    /// Reads batches until the lane is closed and its queue is empty.
    pub(crate) fn work(&self) {
        while let Some(batch) = self.next_batch() {
            let begin = Instant::now();
            let cost: usize = batch.iter().map(|text| text.cost).sum();
            let bytes: usize = batch.iter().map(|text| text.text.len()).sum();
            let tokens = self.read(batch, begin);
            let mut waiting = self.lock();
            waiting.learn(cost, bytes, tokens, begin.elapsed());
        }
    }

    /// Waits for texts, and a little longer for others to share their batch.
    fn next_batch(&self) -> Option<Vec<Text>> {
        let mut waiting = self.lock();
        loop {
            let budget = waiting.budget(self.limits.batch_tokens);
            let due = waiting.since.map(|since| since + self.limits.max_wait);
            match due {
                None if waiting.closed => return None,
                None => {
                    waiting = self
                        .wake
                        .wait(waiting)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() || waiting.hurry || waiting.queue.cost() >= budget {
                        return Some(self.take(&mut waiting, budget));
                    }
                    let waited = self.wake.wait_timeout(waiting, left);
                    waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn take(&self, waiting: &mut Waiting, budget: usize) -> Vec<Text> {
        let batch = waiting.queue.take(budget);
        if waiting.queue.len() == 0 {
            waiting.since = None;
        }
        self.tell_length(waiting);
        batch
    }

    /// Reads a batch and answers; gives the tokens that were read.
    fn read(&self, batch: Vec<Text>, begin: Instant) -> usize {
        let engine = self.engine();
        for text in &batch {
            self.metrics.queue(begin - text.since);
        }
        let mut tokens = 0;
        for group in groups(batch) {
            tokens += self.read_group(&engine, group);
        }
        tokens
    }

    /// Reads texts that can be read at once.
    fn read_group(&self, engine: &Arc<Engine>, group: Vec<Text>) -> usize {
        let watch = StageWatch::start(engine);
        let texts: Vec<(&str, &Ask)> = group
            .iter()
            .map(|text| (text.text.as_str(), &text.ask))
            .collect();
        let found = match read_caught(engine, &texts) {
            // One bad text must not cost its neighbours their answers.
            Err(_) if group.len() > 1 => {
                return group
                    .into_iter()
                    .map(|text| self.read_group(engine, vec![text]))
                    .sum();
            }
            found => found,
        };
        match found {
            Ok(found) => {
                let stages = watch.stop(engine, group.len());
                self.answer(engine, group, found, stages)
            }
            Err(problem) => {
                fail(group, &problem);
                0
            }
        }
    }

    fn answer(
        &self,
        engine: &Arc<Engine>,
        group: Vec<Text>,
        found: Vec<Found>,
        stages: Stages,
    ) -> usize {
        self.metrics.batch(&found, &stages);
        let tokens = found.iter().map(Found::tokens).sum();
        for (text, found) in group.into_iter().zip(found) {
            let answer = Answer {
                engine: Arc::clone(engine),
                found,
                queued: text.since,
                stages,
            };
            // Whoever asked may have gone.
            let _ = text.reply.send(Ok(answer));
        }
        tokens
    }

    /// Texts of a request whose client has gone leave the queue.
    fn forget(&self, request: u64) {
        let mut waiting = self.lock();
        let removed = waiting.queue.remove(request);
        if waiting.queue.len() == 0 {
            waiting.since = None;
        }
        self.metrics.cancelled(removed.len());
        self.tell_length(&waiting);
    }

    fn tell_length(&self, waiting: &Waiting) {
        self.metrics.queue_len(waiting.queue.len());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The budget of a batch as a cost.
    fn budget(&self, tokens: usize) -> usize {
        (tokens as f64 * self.bytes_per_token) as usize
    }

    fn learn(&mut self, cost: usize, bytes: usize, tokens: usize, took: Duration) {
        let seconds = took.as_secs_f64();
        if tokens == 0 || seconds == 0.0 {
            return;
        }
        let mix = |old: f64, new: f64| old + WEIGHT * (new - old);
        self.bytes_per_token = mix(
            self.bytes_per_token,
            (bytes as f64 / tokens as f64).max(1.0),
        );
        let speed = cost as f64 / seconds;
        self.speed = if self.speed == 0.0 {
            speed
        } else {
            mix(self.speed, speed)
        };
    }

    /// When the queue should be empty, in whole seconds from now.
    fn seconds_to_work_off(&self) -> u64 {
        if self.speed == 0.0 {
            return 1;
        }
        (self.queue.cost() as f64 / self.speed)
            .clamp(1.0, LONGEST_RETRY)
            .ceil() as u64
    }
}

fn prepare(texts: Vec<String>, asks: Vec<Ask>) -> (VecDeque<(usize, Text)>, Vec<Reply>) {
    let since = Instant::now();
    let both = texts.into_iter().zip(asks).map(|(text, ask)| {
        let cost = text.len().max(LEAST_COST) * ask.readings();
        let (reply, receiver) = oneshot::channel();
        let text = Text {
            text,
            ask,
            cost,
            since,
            reply,
        };
        ((cost, text), receiver)
    });
    both.unzip()
}

/// Texts that can be read at once, together.
fn groups(batch: Vec<Text>) -> Vec<Vec<Text>> {
    let mut groups: Vec<Vec<Text>> = Vec::new();
    for text in batch {
        match groups
            .iter_mut()
            .find(|group| group[0].ask.is_like(&text.ask))
        {
            Some(group) => group.push(text),
            None => groups.push(vec![text]),
        }
    }
    groups
}

/// A model that panics must not end the thread that all clients depend on.
fn read_caught(engine: &Engine, texts: &[(&str, &Ask)]) -> Result<Vec<Found>, Problem> {
    catch_unwind(AssertUnwindSafe(|| engine.read(texts)))
        .unwrap_or_else(|_| Err(Problem::new(Kind::Backend, "the model failed on this text")))
}

fn fail(group: Vec<Text>, problem: &Problem) {
    for text in group {
        let _ = text.reply.send(Err(problem.clone()));
    }
}

/// A request that waits for its answers. Dropped, it leaves the queue.
#[derive(Debug)]
pub(crate) struct Pending {
    lane: Arc<Lane>,
    request: u64,
    replies: Vec<Reply>,
}

impl Pending {
    /// The answers, in the order of the texts; the first problem instead of them if there is one.
    pub(crate) async fn answers(mut self) -> Result<Vec<Answer>, Problem> {
        let replies = std::mem::take(&mut self.replies);
        let n_texts = replies.len();
        let mut answers = Vec::with_capacity(n_texts);
        for (place, reply) in replies.into_iter().enumerate() {
            let answer = reply.await.unwrap_or_else(|_| Err(Problem::stopping()));
            answers.push(answer.map_err(|problem| match n_texts {
                1 => problem,
                _ => problem.at(format_args!("text {place}")),
            })?);
        }
        Ok(answers)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.lane.forget(self.request);
    }
}
