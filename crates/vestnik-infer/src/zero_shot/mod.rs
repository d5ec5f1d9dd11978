//! Labels that no training has seen: each becomes a sentence, and a model of natural language inference says whether the
//! text entails it (Yin, Hay & Roth 2019).

mod entailment;
mod template;

use std::path::Path;

use vestnik_core::LabelSet;
use vestnik_model::{Device, Mode, ModelDir, SequenceClassificationHead};
use vestnik_text::{PairTemplate, TokenizedText, Tokenizer, Window, WindowOptions, windows};

use crate::batch_budget::BatchBudget;
use crate::error::{Error, Result};
use crate::opened::Opened;
use crate::options::Options;
use crate::reader::to_host;
use crate::states::States;
use crate::time_limit::{Share, Spent, TimeLimit};
use crate::times::{Stopwatch, Times};
use crate::token::{Token, tokens};
use crate::vestnik::name_of;
use entailment::Entailment;
pub use template::HypothesisTemplate;

/// Fewest tokens of a text that are read at once beside the longest sentence.
const FEWEST_TOKENS: usize = 16;

/// A model of natural language inference (`…ForSequenceClassification` with an output `entailment`) that classifies texts
/// by any labels. `Send + Sync`.
///
/// ```no_run
/// use vestnik_infer::{HypothesisTemplate, Options, Question, ZeroShot};
///
/// let zero_shot = ZeroShot::from_dir("nli-model", &Options::default())?;
/// let question = Question::new(["sport", "politics"], &HypothesisTemplate::default())?;
/// let answer = &zero_shot.classify_batch(&["The match ended in a draw."], &question)?[0];
/// println!("{:?}", answer.best());
/// # Ok::<(), vestnik_infer::Error>(())
/// ```
#[derive(Debug)]
pub struct ZeroShot {
    name: String,
    states: States,
    head: SequenceClassificationHead,
    tokenizer: Tokenizer,
    template: PairTemplate,
    entailment: Entailment,
    device: Device,
    max_tokens: usize,
    budget: BatchBudget,
    time_limit: TimeLimit,
    stopwatch: Stopwatch,
}

/// What is asked of texts: labels, and a sentence for each.
#[derive(Clone, Debug)]
pub struct Question {
    labels: LabelSet,
    sentences: Vec<String>,
    multi_label: bool,
}

/// The answer for one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classified {
    /// The labels with their probabilities, most probable first, equals in the order of the question; none for a text
    /// without words.
    pub labels: Vec<(String, f32)>,
    /// Tokens that were read: all of the text, however long.
    pub tokens: usize,
    /// Windows the text was read in.
    pub windows: usize,
}

impl Question {
    /// Asks which one of the labels holds.
    ///
    /// # Errors
    /// [`Error::Core`] for no labels, an empty one or one that occurs twice.
    pub fn new<I, S>(labels: I, template: &HypothesisTemplate) -> Result<Self>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let labels = LabelSet::new(labels)?;
        Ok(Self {
            sentences: template.sentences(&labels),
            labels,
            multi_label: false,
        })
    }

    /// Asks of each label whether it holds: probabilities of the labels do not sum to 1.
    #[must_use]
    pub fn with_multi_label(mut self, multi_label: bool) -> Self {
        self.multi_label = multi_label;
        self
    }
}

impl Classified {
    /// Sorts labels by their probabilities.
    pub(crate) fn new(mut labels: Vec<(String, f32)>, tokens: usize, windows: usize) -> Self {
        labels.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Self {
            labels,
            tokens,
            windows,
        }
    }

    /// The most probable label.
    #[must_use]
    pub fn best(&self) -> Option<(&str, f32)> {
        self.labels
            .first()
            .map(|(label, score)| (label.as_str(), *score))
    }
}

/// A text cut for the model.
struct Reading {
    text: TokenizedText,
    windows: Vec<Window>,
    /// For each label the logits of entailment and contradiction, weighted by the tokens of the windows.
    sums: Vec<[f32; 2]>,
}

/// One window of one text with one of the sentences.
#[derive(Clone, Copy)]
struct Pair {
    text: usize,
    window: usize,
    label: usize,
}

impl ZeroShot {
    /// Opens a model directory of the Hugging Face layout; `options` say the device and the tokens of a forward pass.
    ///
    /// # Errors
    /// [`Error::NoEntailment`] for a model without such an output; else as
    /// [`Vestnik::from_dir_with`](crate::Vestnik::from_dir_with).
    pub fn from_dir(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let dir = ModelDir::open(path.as_ref())?;
        let device = options.device.open()?;
        let Opened {
            tokenizer,
            states,
            head,
        } = Opened::classifier(&dir, &device, options)?;
        let budget = BatchBudget::new(options.batch_tokens_on(&device))?;
        let entailment = Entailment::find(head.labels())?;
        Ok(Self {
            name: name_of(path.as_ref()),
            entailment,
            template: PairTemplate::new(&tokenizer)?,
            states,
            head,
            tokenizer,
            device,
            max_tokens: dir.max_tokens(),
            budget,
            time_limit: TimeLimit::new(options.text_time),
            stopwatch: Stopwatch::default(),
        })
    }

    /// Gives the model another name than that of its directory.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name of the model: that of its directory, if it was given no other.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device it computes on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How long its texts took so far, part by part.
    #[must_use]
    pub fn times(&self) -> Times {
        self.stopwatch.times()
    }

    /// Refuses labels that the tokenizer does not see, as in a script that it was not made for: the sentence of each is that
    /// of every other such label. [`ZeroShot::classify_batch`] takes them.
    ///
    /// # Errors
    /// [`Error::UnreadableLabel`] for the first label all of whose tokens are unknown.
    pub fn check_labels(&self, question: &Question) -> Result<()> {
        let mut labels = question.labels.iter();
        labels.try_for_each(|label| self.check_label(label))
    }

    /// The tokens of a text alone, with the special tokens around it.
    ///
    /// # Errors
    /// [`Error::Text`] if the tokenizer fails.
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        tokens(&self.tokenizer, text)
    }

    /// Classifies texts; the answer has one element for each, in the same order.
    ///
    /// A text that is too long to be read at once beside the longest sentence is read in windows, whose logits are
    /// averaged with their tokens as weights. A text is tokenised once, whatever the number of labels.
    ///
    /// Of one label (the default) the probabilities are the softmax of all labels' logits of entailment; of several, each
    /// is the softmax of the label's entailment and contradiction.
    ///
    /// # Errors
    /// [`Error::LongHypothesis`] for a sentence that leaves no room for a text; [`Error::TimeLimit`], [`Error::Text`],
    /// [`Error::Model`] and [`Error::Tensor`] as elsewhere.
    pub fn classify_batch(&self, texts: &[&str], question: &Question) -> Result<Vec<Classified>> {
        let sentences = self.sentences(question)?;
        let options = WindowOptions {
            max_tokens: self.room(&sentences, question)?,
            context: 0,
        };
        let spent: Vec<Spent> = texts.iter().map(|_| Spent::default()).collect();
        let mut readings = self.stopwatch.tokenizing(|| {
            let texts = texts.iter().enumerate();
            texts
                .map(|(index, text)| {
                    let read = || self.read(text, &options, sentences.len());
                    self.time_limit.alone(index, &spent[index], read)
                })
                .collect::<Result<Vec<_>>>()
        })?;
        self.stopwatch
            .computing(|| self.compute_all(&mut readings, &sentences, &spent))?;
        Ok(readings
            .iter()
            .map(|reading| reading.answer(question))
            .collect())
    }

    fn sentences(&self, question: &Question) -> Result<Vec<Vec<u32>>> {
        let sentences = question.sentences.iter();
        sentences
            .map(|sentence| Ok(self.tokenizer.encode(sentence)?.ids))
            .collect()
    }

    fn check_label(&self, label: &str) -> Result<()> {
        let ids = self.tokenizer.encode(label)?.ids;
        let unknown = self.tokenizer.special().unk;
        if ids.iter().any(|&id| Some(id) != unknown) {
            return Ok(());
        }
        Err(Error::UnreadableLabel {
            label: label.to_owned(),
        })
    }

    /// Tokens of a window beside the longest sentence.
    fn room(&self, sentences: &[Vec<u32>], question: &Question) -> Result<usize> {
        let longest = (0..sentences.len()).max_by_key(|&label| sentences[label].len());
        let longest = longest.unwrap_or_default();
        let taken = sentences[longest].len() + self.template.n_special();
        match self.max_tokens.checked_sub(taken) {
            Some(room) if room >= FEWEST_TOKENS => Ok(room),
            _ => Err(Error::LongHypothesis {
                label: question
                    .labels
                    .label(longest)
                    .unwrap_or_default()
                    .to_owned(),
                tokens: sentences[longest].len(),
                available: self
                    .max_tokens
                    .saturating_sub(self.template.n_special() + FEWEST_TOKENS),
            }),
        }
    }

    fn read(&self, text: &str, options: &WindowOptions, n_labels: usize) -> Result<Reading> {
        let text = TokenizedText::new(&self.tokenizer, text)?;
        Ok(Reading {
            windows: windows(&text, options),
            text,
            sums: vec![[0.0; 2]; n_labels],
        })
    }

    /// Reads every window with every sentence.
    fn compute_all(
        &self,
        readings: &mut [Reading],
        sentences: &[Vec<u32>],
        spent: &[Spent],
    ) -> Result<()> {
        let pairs = pairs(readings, sentences.len());
        let length = |pair: &Pair| {
            let window = &readings[pair.text].windows[pair.window];
            window.tokens.len() + sentences[pair.label].len() + self.template.n_special()
        };
        let lengths: Vec<usize> = pairs.iter().map(length).collect();
        self.budget.each_batch(&lengths, |batch| {
            let shares = batch.iter().map(|&index| Share {
                text: pairs[index].text,
                spent: &spent[pairs[index].text],
                tokens: lengths[index],
            });
            let of_batch: Vec<Pair> = batch.iter().map(|&index| pairs[index]).collect();
            let compute = || self.compute(readings, &of_batch, sentences);
            self.time_limit.together(shares, compute)
        })
    }

    fn compute(
        &self,
        readings: &mut [Reading],
        pairs: &[Pair],
        sentences: &[Vec<u32>],
    ) -> Result<()> {
        let ids = pairs.iter().map(|pair| {
            let reading = &readings[pair.text];
            let window = reading.windows[pair.window].tokens.clone();
            [&reading.text.tokens.ids[window], &sentences[pair.label][..]]
        });
        let batch = self.template.batch(ids);
        let states = self.states.of(&batch)?;
        let logits = self.head.forward(&states, &batch, Mode::Inference)?;
        let logits = to_host(&logits)?;
        let rows = logits.chunks_exact(self.head.labels().len());
        for (pair, row) in pairs.iter().zip(rows) {
            let reading = &mut readings[pair.text];
            let weight = reading.windows[pair.window].tokens.len() as f32;
            let [follows, contradicts] = &mut reading.sums[pair.label];
            *follows += weight * row[self.entailment.follows];
            *contradicts += weight * row[self.entailment.contradicts];
        }
        Ok(())
    }
}

fn pairs(readings: &[Reading], n_labels: usize) -> Vec<Pair> {
    let of_text = |(text, reading): (usize, &Reading)| {
        let windows = 0..reading.windows.len();
        windows.flat_map(move |window| {
            (0..n_labels).map(move |label| Pair {
                text,
                window,
                label,
            })
        })
    };
    readings.iter().enumerate().flat_map(of_text).collect()
}

impl Reading {
    fn answer(&self, question: &Question) -> Classified {
        let tokens = self.text.tokens.len();
        let scores = if tokens == 0 {
            vec![]
        } else {
            self.scores(question.multi_label)
        };
        let labels = question.labels.iter().map(str::to_owned);
        Classified::new(labels.zip(scores).collect(), tokens, self.windows.len())
    }

    fn scores(&self, multi_label: bool) -> Vec<f32> {
        let tokens = self.text.tokens.len() as f32;
        let means = self.sums.iter().map(|sums| sums.map(|sum| sum / tokens));
        if multi_label {
            return means
                .map(|[follows, contradicts]| 1.0 / (1.0 + (contradicts - follows).exp()))
                .collect();
        }
        softmax(&means.map(|[follows, _]| follows).collect::<Vec<_>>())
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|logit| (logit - max).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.iter().map(|exp| exp / sum).collect()
}
