//! Measuring a head: the windows and the pooling of inference.

use candle_core::Tensor;
use std::ops::Range;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vestnik_core::Span;
use vestnik_core::metrics::{LabelEvaluator, LabelScores};
use vestnik_model::{HeadOptions, Mode, MultiTaskModel, ProblemType, Reads};
use vestnik_text::{Batch, Collator, Example, SpanPlace, Tokenizer, WindowOptions};

use crate::config::ScoreName;
use crate::error::{Error, Result};
use crate::event::HeadMeasures;
use crate::labelled::examples::{ItemLabels, known, labels_of_items};
use crate::labelled::{LabelledCorpus, LabelledText};
use crate::ner::{EvaluationOptions, Reading};

/// What a head said of texts or spans.
#[derive(Debug, Clone)]
pub struct HeadEvaluation {
    /// How much of it is right.
    pub scores: LabelScores,
    /// The logits of every text or span, in their order.
    pub items: Vec<ItemLogits>,
}

/// The logits of a text or a span, and what is right.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemLogits {
    /// A logit for each label; none at all for a text or a span without a token.
    pub logits: Vec<f32>,
    /// The labels that hold.
    pub gold: Vec<usize>,
    /// The labels of which the annotation says anything; `None`: of all.
    pub known: Option<Vec<usize>>,
    /// The language of the text.
    pub lang: Option<String>,
}

/// Labels texts, or spans of them, and compares the result with their annotation.
///
/// A text is read in all its windows, and the mean is taken over all its tokens, each as the window gave it that owns it. A span
/// is judged in the window that owns its first token, with the parts of its sentence and of its text that are in the
/// window. A text or a span without a token has no label.
///
/// # Errors
/// [`Error::NoHead`] for a task that the model does not have, [`Error::UnknownLabel`] for a label that the head does not have, [`Error::Model`]
/// or [`Error::Text`] when the model, the tokenizer and the texts do not fit together.
pub fn evaluate_head(
    model: &MultiTaskModel,
    tokenizer: &Tokenizer,
    corpora: &[LabelledCorpus],
    task: &str,
    options: &EvaluationOptions,
) -> Result<HeadEvaluation> {
    let mut heads = model.pooled_heads();
    let head = heads
        .find(|head| head.task == task)
        .ok_or_else(|| Error::NoHead {
            task: task.to_owned(),
        })?;
    let own = corpora.iter().filter(|corpus| corpus.task == task);
    let own: Vec<LabelledCorpus> = own.cloned().collect();
    let mut texts = DevTexts::new(head, tokenizer, &own, &options.windows)?;
    texts.batch_tokens = options.batch_tokens;
    texts.evaluate(model)
}

/// The labels that hold by their logits: the highest one, or all that are more likely than not.
#[must_use]
pub fn held(problem_type: ProblemType, logits: &[f32]) -> Vec<usize> {
    let numbered = logits.iter().enumerate();
    match problem_type {
        ProblemType::MultiLabel => numbered
            .filter(|&(_, &logit)| logit >= 0.0)
            .map(|(label, _)| label)
            .collect(),
        ProblemType::SingleLabel => {
            // The first of equal ones.
            let best = numbered.rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
            best.map(|(label, _)| label).into_iter().collect()
        }
    }
}

/// Texts to measure on, read once.
#[derive(Debug)]
pub(super) struct DevTexts {
    head: HeadOptions,
    texts: Vec<DevText>,
    collator: Collator,
    /// Most tokens of one forward pass.
    batch_tokens: usize,
}

#[derive(Debug)]
struct DevText {
    text: LabelledText,
    reading: Reading,
    /// Of each item; `None` where it has no token.
    places: Vec<Option<ItemPlace>>,
    gold: Vec<ItemLabels>,
    known: Option<Vec<usize>>,
}

/// Where an item is.
#[derive(Debug, Clone)]
enum ItemPlace {
    /// All of the text.
    Whole,
    /// In a window, counted from its first token.
    InWindow(usize, SpanPlace),
}

/// The rows of logits of the items of some texts; `None` where an item has no token.
type Rows = Vec<Vec<Option<Vec<f32>>>>;

impl DevTexts {
    pub(super) fn new(
        head: &HeadOptions,
        tokenizer: &Tokenizer,
        corpora: &[LabelledCorpus],
        windows: &WindowOptions,
    ) -> Result<Self> {
        let mut texts = Vec::new();
        for corpus in corpora {
            let known = known(corpus, &head.labels)?;
            let read = corpus
                .texts
                .par_iter()
                .map(|text| DevText::new(head, tokenizer, text, (&known, windows)));
            texts.extend(read.collect::<Result<Vec<_>>>()?);
        }
        Ok(Self {
            head: head.clone(),
            texts,
            collator: Collator::new(tokenizer.special()),
            batch_tokens: EvaluationOptions::new(*windows).batch_tokens,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.iter().all(|text| text.gold.is_empty())
    }

    /// Adds all that the scores depend on.
    pub(super) fn hash(&self, hash: &mut Sha256) {
        for text in &self.texts {
            hash.update(format!("{:?} {:?}\n", text.text, text.known));
        }
    }

    /// Every text is seen once, whole.
    pub(super) fn evaluate(&self, model: &MultiTaskModel) -> Result<HeadEvaluation> {
        let mut items = Vec::new();
        let mut rest = self.texts.as_slice();
        while !rest.is_empty() {
            let (group, others) = rest.split_at(self.fitting(rest));
            self.label(model, group, &mut items)?;
            rest = others;
        }
        let mut evaluator = LabelEvaluator::new(self.head.labels.clone());
        for item in &items {
            let predicted = held(self.head.problem_type, &item.logits);
            let (lang, known) = (item.lang.as_deref(), item.known.as_deref());
            evaluator.add(lang, &item.gold, &predicted, known);
        }
        Ok(HeadEvaluation {
            scores: evaluator.scores(),
            items,
        })
    }

    /// How many texts of a list fit one forward pass; at least one.
    fn fitting(&self, texts: &[DevText]) -> usize {
        let mut tokens = 0;
        let fits = |text: &&DevText| {
            tokens += text.n_read();
            tokens <= self.batch_tokens
        };
        texts.iter().take_while(fits).count().max(1)
    }

    fn label(
        &self,
        model: &MultiTaskModel,
        texts: &[DevText],
        items: &mut Vec<ItemLogits>,
    ) -> Result<()> {
        let rows = match self.head.reads {
            Reads::Text => self.rows_of_texts(model, texts)?,
            Reads::Span => self.rows_of_spans(model, texts)?,
        };
        for (text, rows) in texts.iter().zip(rows) {
            for (gold, row) in text.gold.iter().zip(rows) {
                items.push(ItemLogits {
                    logits: row.unwrap_or_default(),
                    gold: gold.holds.clone(),
                    known: self.known(gold, text.known.as_ref()),
                    lang: text.text.lang.clone(),
                });
            }
        }
        Ok(())
    }

    fn rows_of_texts(&self, model: &MultiTaskModel, texts: &[DevText]) -> Result<Rows> {
        let read: Vec<&DevText> = texts.iter().filter(|text| text.n_tokens() > 0).collect();
        if read.is_empty() {
            return Ok(no_rows(texts));
        }
        let states = self.states(model, texts)?;
        let mut start = 0;
        let ranges: Vec<Range<usize>> = read
            .iter()
            .map(|text| {
                start += text.n_tokens();
                start - text.n_tokens()..start
            })
            .collect();
        let logits = model.text_logits(&self.head.task, &states, &ranges, Mode::Inference)?;
        let mut logits = to_host(&logits)?.into_iter();
        let rows = texts.iter().map(|text| {
            let row = (text.n_tokens() > 0).then(|| logits.next()).flatten();
            vec![row; text.gold.len()]
        });
        Ok(rows.collect())
    }

    fn rows_of_spans(&self, model: &MultiTaskModel, texts: &[DevText]) -> Result<Rows> {
        let mut rows = no_rows(texts);
        let windows: Vec<(usize, usize)> = windows(texts)
            .filter(|&(text, window)| texts[text].places_in(window).next().is_some())
            .collect();
        for batch in self.batches(texts, &windows) {
            let states = model.states(&batch, Mode::Inference)?;
            let (mut places, mut items) = (Vec::new(), Vec::new());
            for (tokens, &(text, window)) in batch.sequences().zip(&batch.origins) {
                for (item, place) in texts[text].places_in(window) {
                    // The first token of a sequence is a special one.
                    places.push(place.behind(tokens.start + 1));
                    items.push((text, item));
                }
            }
            let logits = model.span_logits(&self.head.task, &states, &places, Mode::Inference)?;
            for ((text, item), row) in items.into_iter().zip(to_host(&logits)?) {
                rows[text][item] = Some(row);
            }
        }
        Ok(rows)
    }

    /// The labels of which it is known whether they hold for an item; `None`: all.
    fn known(&self, gold: &ItemLabels, of_corpus: Option<&Vec<usize>>) -> Option<Vec<usize>> {
        if gold.unknown.is_empty() && of_corpus.is_none() {
            return None;
        }
        let labels = 0..self.head.labels.len();
        Some(
            labels
                .filter(|&label| gold.knows(label, of_corpus))
                .collect(),
        )
    }

    /// The states of all tokens of some texts, each as the window gave it that owns it: `[tokens, hidden]`.
    fn states(&self, model: &MultiTaskModel, texts: &[DevText]) -> Result<Tensor> {
        let windows: Vec<(usize, usize)> = windows(texts).collect();
        let mut parts = Vec::new();
        for batch in self.batches(texts, &windows) {
            let states = model.states(&batch, Mode::Inference)?;
            parts.push(owned(&states, &batch, texts).map_err(Error::tensor("pooling texts"))?);
        }
        Tensor::cat(&parts, 0).map_err(Error::tensor("pooling texts"))
    }

    /// Windows of texts in their order, as many at a time as fit one forward pass.
    fn batches(&self, texts: &[DevText], windows: &[(usize, usize)]) -> Vec<Batch> {
        let mut batches = Vec::new();
        let mut rest = windows;
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = |&&(text, window): &&(usize, usize)| {
                tokens += texts[text].reading.windows[window].tokens.len() + 2;
                tokens <= self.batch_tokens
            };
            let n = rest.iter().take_while(fits).count().max(1);
            let (own, others) = rest.split_at(n);
            let examples: Vec<Example> = own.iter().map(|&place| example(texts, place)).collect();
            batches.push(self.collator.batch(&examples));
            rest = others;
        }
        batches
    }
}

impl DevText {
    fn new(
        head: &HeadOptions,
        tokenizer: &Tokenizer,
        text: &LabelledText,
        (known, windows): (&Option<Vec<usize>>, &WindowOptions),
    ) -> Result<Self> {
        let reading = Reading::new(tokenizer, &text.text, windows)?;
        let items = text.items.iter();
        let places = items.map(|item| match (head.reads, item.span) {
            (Reads::Span, Some(span)) => in_window(&reading, span),
            _ => (!reading.windows.is_empty()).then_some(ItemPlace::Whole),
        });
        Ok(Self {
            places: places.collect(),
            gold: labels_of_items(text, (&head.labels, head.problem_type))?,
            known: known.clone(),
            text: text.clone(),
            reading,
        })
    }

    /// The items of a window, with their numbers.
    fn places_in(&self, window: usize) -> impl Iterator<Item = (usize, &SpanPlace)> {
        let places = self.places.iter().enumerate();
        places.filter_map(move |(item, place)| match place {
            Some(ItemPlace::InWindow(own, place)) if *own == window => Some((item, place)),
            _ => None,
        })
    }

    fn n_tokens(&self) -> usize {
        self.reading.text.tokens.len()
    }

    /// Tokens that are read, context and special tokens included.
    fn n_read(&self) -> usize {
        let windows = self.reading.windows.iter();
        windows.map(|window| window.tokens.len() + 2).sum()
    }
}

/// The window that owns the first token of a span, and the span's place in it; `None` where it has no token.
fn in_window(reading: &Reading, span: Span) -> Option<ItemPlace> {
    let place = SpanPlace::new(&reading.text, span)?;
    let mut windows = reading.windows.iter().enumerate();
    let (number, window) = windows.find(|(_, window)| window.core.contains(&place.span.start))?;
    Some(ItemPlace::InWindow(number, place.within(&window.tokens)?))
}

/// All windows of some texts: number of the text, and of its window.
fn windows(texts: &[DevText]) -> impl Iterator<Item = (usize, usize)> {
    let texts = texts.iter().enumerate();
    texts.flat_map(|(text, read)| (0..read.reading.windows.len()).map(move |window| (text, window)))
}

fn no_rows(texts: &[DevText]) -> Rows {
    let rows = texts.iter().map(|text| vec![None; text.gold.len()]);
    rows.collect()
}

fn to_host(logits: &Tensor) -> Result<Vec<Vec<f32>>> {
    logits.to_vec2().map_err(Error::tensor("reading logits"))
}

fn example(texts: &[DevText], (text, window): (usize, usize)) -> Example {
    let reading = &texts[text].reading;
    let tokens = reading.windows[window].tokens.clone();
    Example {
        document: text,
        window,
        ids: reading.text.tokens.ids[tokens].to_vec(),
        ..Example::default()
    }
}

/// The rows of the tokens that the windows of a batch own.
fn owned(states: &Tensor, batch: &Batch, texts: &[DevText]) -> candle_core::Result<Tensor> {
    let windows = batch.sequences().zip(&batch.origins);
    let rows = windows.flat_map(|(tokens, &(text, window))| {
        let window = &texts[text].reading.windows[window];
        let first = tokens.start + 1 + window.core.start - window.tokens.start;
        first as u32..(first + window.core.len()) as u32
    });
    let rows: Vec<u32> = rows.collect();
    let n_rows = rows.len();
    let rows = Tensor::from_vec(rows, n_rows, states.device())?;
    states.index_select(&rows, 0)
}

/// The numbers of an evaluation that logs and records keep.
pub(super) fn measures(scores: &LabelScores, score: ScoreName) -> HeadMeasures {
    let per_label = scores.per_label.iter();
    let per_lang = scores.per_lang.iter();
    HeadMeasures {
        score: score.of(scores),
        examples: scores.examples,
        accuracy: scores.accuracy,
        macro_f1: scores.macro_f1,
        micro_f1: scores.micro_f1,
        macro_f1_without_neutral: scores.macro_f1_without_neutral,
        per_label: per_label
            .map(|(label, counts)| (label.clone(), counts.f1()))
            .collect(),
        per_lang: per_lang
            .map(|(lang, scores)| (lang.clone(), score.of_lang(scores)))
            .collect(),
    }
}
