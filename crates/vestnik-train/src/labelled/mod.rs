//! Heads that label texts and spans: what they learn, their losses, their measures.

mod evaluate;
mod examples;
mod objective;

use candle_core::Tensor;
use sha2::{Digest, Sha256};
use vestnik_core::Span;
use vestnik_model::{Mode, MultiTaskModel, Reads};
use vestnik_text::{Batch, Collator, Example, SpanPlace, Tokenizer, WindowOptions};

use crate::config::HeadConfig;
use crate::error::Result;
use crate::event::HeadMeasures;
use crate::sampling::Stratum;
use evaluate::DevTexts;
pub use evaluate::{HeadEvaluation, ItemLogits, evaluate_head, held};
use examples::HeadExamples;
use objective::{HeadObjective, Targets};

/// A text with what one head is to say of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelledText {
    /// A name of it for messages.
    pub id: String,
    /// Its language, an ISO 639-1 code.
    pub lang: Option<String>,
    /// The text.
    pub text: String,
    /// What is labelled: for a head that reads texts the text alone, for one that reads spans any number of them.
    pub items: Vec<LabelledItem>,
}

/// A text or a span with its labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledItem {
    /// The span in bytes; `None` for the whole text.
    pub span: Option<Span>,
    /// Its labels: exactly one where one holds, else any number.
    pub labels: Vec<String>,
    /// Labels of which it is not known whether they hold, where any number may: they are not learnt from it, nor measured.
    pub unknown: Vec<String>,
}

/// Texts of one corpus for one head.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelledCorpus {
    /// The task of the head.
    pub task: String,
    /// The texts.
    pub texts: Vec<LabelledText>,
    /// The labels that the annotation says anything of, where any number of labels hold; `None`: all.
    pub known: Option<Vec<String>>,
    /// How often each window is seen in an epoch: 0.5 is a random half (another one in each epoch), 2 is twice. Where the
    /// corpus is measured on it has no meaning.
    pub weight: f64,
    /// At most so many windows of a text are learnt from; `None`: all. Where the corpus is measured on it has no meaning.
    pub max_windows: Option<usize>,
}

/// Windows of texts and what is labelled in them.
#[derive(Debug)]
pub(crate) struct HeadBatch {
    pub(crate) sequences: Batch,
    /// Places among the tokens of all sequences.
    pub(crate) places: Vec<SpanPlace>,
    targets: Targets,
}

/// A head in training.
#[derive(Debug)]
pub(crate) struct HeadTask {
    config: HeadConfig,
    examples: HeadExamples,
    objective: HeadObjective,
    dev: DevTexts,
}

impl HeadTask {
    /// The head of this configuration with what is for it among the corpora to learn from and to measure on.
    pub(crate) fn new(
        config: &HeadConfig,
        tokenizer: &Tokenizer,
        (train, dev): (&[LabelledCorpus], &[LabelledCorpus]),
        windows: WindowOptions,
    ) -> Result<Self> {
        let of_head = |corpora: &[LabelledCorpus]| -> Vec<LabelledCorpus> {
            let own = corpora.iter().filter(|corpus| corpus.task == config.task);
            own.cloned().collect()
        };
        let examples = HeadExamples::new(config, tokenizer, &of_head(train), &windows)?;
        Ok(Self {
            objective: HeadObjective::new(config, &examples)?,
            dev: DevTexts::new(&config.options(), tokenizer, &of_head(dev), &windows)?,
            config: config.clone(),
            examples,
        })
    }

    pub(crate) fn task(&self) -> &str {
        &self.config.task
    }

    /// Tokens of every example, special tokens included.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = usize> {
        let examples = self.examples.examples.iter();
        examples.map(|example| example.ids.len() + 2)
    }

    pub(crate) fn strata(&self) -> &[Stratum] {
        &self.examples.strata
    }

    pub(crate) fn lang(&self, example: usize) -> Option<&str> {
        self.examples.lang(example)
    }

    pub(crate) fn name(&self, example: usize) -> String {
        self.examples.name(example)
    }

    pub(crate) fn batch(&self, collator: &Collator, numbers: &[usize]) -> HeadBatch {
        let examples = numbers
            .iter()
            .map(|&number| &self.examples.examples[number]);
        let sequence = |example: &examples::HeadExample| Example {
            document: example.text,
            window: example.window,
            ids: example.ids.clone(),
            ..Example::default()
        };
        let sequences: Vec<Example> = examples.clone().map(sequence).collect();
        let sequences = collator.batch(&sequences);
        let places = examples.clone().zip(sequences.sequences());
        // The first token of a sequence is a special one.
        let places = places.flat_map(|(example, tokens)| {
            let items = example.items.iter();
            items.map(move |item| item.place.behind(tokens.start + 1))
        });
        HeadBatch {
            places: places.collect(),
            targets: self.objective.targets(examples),
            sequences,
        }
    }

    pub(crate) fn loss(
        &self,
        model: &MultiTaskModel,
        batch: &HeadBatch,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let states = model.states(&batch.sequences, mode)?;
        let head = (self.task(), self.config.reads);
        let logits = logits(model, head, (&states, &batch.places), mode)?;
        self.objective.loss(&logits, &batch.targets)
    }

    pub(crate) fn weight(&self, batch: &HeadBatch) -> f64 {
        self.objective.weight(&batch.targets)
    }

    /// Scores; `None` when there is nothing to measure on.
    pub(crate) fn evaluate(&self, model: &MultiTaskModel) -> Result<Option<HeadMeasures>> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let scores = self.dev.evaluate(model)?.scores;
        Ok(Some(evaluate::measures(&scores, self.config.score)))
    }

    /// Adds all that is learnt from and measured on, in its order.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        let options = self.config.options();
        hash.update(format!("{options:?}\n"));
        self.examples.hash(hash);
        self.dev.hash(hash);
    }

    /// Adds all that is learnt from, whatever its order.
    pub(crate) fn hash_unordered(&self, hash: &mut Sha256) {
        let options = self.config.options();
        hash.update(format!("{options:?}\n"));
        self.examples.hash_unordered(hash);
    }
}

/// The logits of texts or spans, a row for each place.
fn logits(
    model: &MultiTaskModel,
    (task, reads): (&str, Reads),
    (states, places): (&Tensor, &[SpanPlace]),
    mode: Mode<'_>,
) -> Result<Tensor> {
    Ok(match reads {
        Reads::Span => model.span_logits(task, states, places, mode)?,
        Reads::Text => {
            let texts: Vec<_> = places.iter().map(|place| place.text.clone()).collect();
            model.text_logits(task, states, &texts, mode)?
        }
    })
}
