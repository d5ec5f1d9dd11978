//! Labelled texts as windows.

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vestnik_core::LabelSet;
use vestnik_model::{ProblemType, Reads};
use vestnik_text::{SpanPlace, Tokenizer, Window, WindowOptions};

use crate::config::HeadConfig;
use crate::error::{Error, Result};
use crate::labelled::{LabelledCorpus, LabelledItem, LabelledText};
use crate::ner::Reading;
use crate::sampling::Stratum;

/// A window in which something is labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeadExample {
    /// Number of the corpus.
    pub(super) corpus: usize,
    /// Number of the text among all of the head.
    pub(super) text: usize,
    pub(super) window: usize,
    /// Token ids without special tokens.
    pub(super) ids: Vec<u32>,
    pub(super) items: Vec<HeadItem>,
}

/// What is labelled, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeadItem {
    /// Where it is, counted from the first token of the window that is no special one. Of a text, `text` is what counts.
    pub(super) place: SpanPlace,
    pub(super) labels: ItemLabels,
}

/// The labels of an item by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemLabels {
    /// Those that hold.
    pub(super) holds: Vec<usize>,
    /// Those of which it is not known.
    pub(super) unknown: Vec<usize>,
}

impl ItemLabels {
    /// Whether it is known if a label holds, where the corpus says something of the `known` ones.
    pub(super) fn knows(&self, label: usize, known: Option<&Vec<usize>>) -> bool {
        let of_corpus = known.is_none_or(|known| known.contains(&label));
        of_corpus && (self.holds.contains(&label) || !self.unknown.contains(&label))
    }
}

/// All windows that a head learns from.
#[derive(Debug)]
pub(super) struct HeadExamples {
    pub(super) examples: Vec<HeadExample>,
    pub(super) strata: Vec<Stratum>,
    /// For each corpus the labels that it says anything of; `None`: all.
    pub(super) known: Vec<Option<Vec<usize>>>,
    /// Ids and languages of the texts.
    texts: Vec<(String, Option<String>)>,
}

impl HeadExamples {
    pub(super) fn new(
        head: &HeadConfig,
        tokenizer: &Tokenizer,
        corpora: &[LabelledCorpus],
        options: &WindowOptions,
    ) -> Result<Self> {
        let mut all = Self {
            examples: Vec::new(),
            strata: Vec::new(),
            known: Vec::new(),
            texts: Vec::new(),
        };
        for corpus in corpora {
            let most = corpus.max_windows.unwrap_or(usize::MAX);
            let windows = corpus
                .texts
                .par_iter()
                .map(|text| {
                    let labels = labels_of_items(text, (&head.labels, head.problem_type))?;
                    let reading = Reading::new(tokenizer, &text.text, options)?;
                    Ok(match head.reads {
                        Reads::Text => text_windows(&reading, &labels, most),
                        Reads::Span => span_windows(&reading, text, &labels, most),
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            all.known.push(known(corpus, &head.labels)?);
            all.add(corpus, windows);
        }
        Ok(all)
    }

    fn add(&mut self, corpus: &LabelledCorpus, windows: Vec<Vec<HeadExample>>) {
        let first = self.examples.len();
        for (text, examples) in corpus.texts.iter().zip(windows) {
            let number = self.texts.len();
            self.texts.push((text.id.clone(), text.lang.clone()));
            let placed = examples.into_iter().map(|example| HeadExample {
                corpus: self.strata.len(),
                text: number,
                ..example
            });
            self.examples.extend(placed);
        }
        self.strata.push(Stratum {
            weight: corpus.weight,
            examples: (first..self.examples.len()).collect(),
        });
    }

    pub(super) fn lang(&self, example: usize) -> Option<&str> {
        self.texts[self.examples[example].text].1.as_deref()
    }

    pub(super) fn name(&self, example: usize) -> String {
        let HeadExample { text, window, .. } = self.examples[example];
        format!("{} (window {window})", self.texts[text].0)
    }

    /// How often each label holds in an epoch, and how often it is known whether it does.
    pub(super) fn counts(&self, n_labels: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut holds, mut known) = (vec![0.0; n_labels], vec![0.0; n_labels]);
        for (stratum, of_corpus) in self.strata.iter().zip(&self.known) {
            let examples = stratum.examples.iter().map(|&index| &self.examples[index]);
            for item in examples.flat_map(|example| &example.items) {
                let labels = &item.labels;
                labels
                    .holds
                    .iter()
                    .for_each(|&label| holds[label] += stratum.weight);
                (0..n_labels)
                    .filter(|&label| labels.knows(label, of_corpus.as_ref()))
                    .for_each(|label| known[label] += stratum.weight);
            }
        }
        (holds, known)
    }

    pub(super) fn hash(&self, hash: &mut Sha256) {
        self.hash_corpora(hash);
        self.examples
            .iter()
            .for_each(|example| hash.update(digest(example)));
    }

    /// The same whatever the order of the texts of a corpus.
    pub(super) fn hash_unordered(&self, hash: &mut Sha256) {
        self.hash_corpora(hash);
        for stratum in &self.strata {
            let examples = stratum.examples.iter().map(|&index| &self.examples[index]);
            let mut digests: Vec<_> = examples.map(digest).collect();
            digests.sort_unstable();
            digests.iter().for_each(|own| hash.update(own));
        }
    }

    fn hash_corpora(&self, hash: &mut Sha256) {
        for (stratum, known) in self.strata.iter().zip(&self.known) {
            hash.update(stratum.weight.to_le_bytes());
            hash.update((stratum.examples.len() as u64).to_le_bytes());
            hash.update(format!("{known:?}\n"));
        }
    }
}

fn digest(example: &HeadExample) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((example.ids.len() as u64).to_le_bytes());
    let ids = example.ids.iter();
    ids.for_each(|id| hash.update(id.to_le_bytes()));
    hash.update(format!("{:?}\n", example.items));
    hash.finalize().into()
}

/// The ids of the labels of each item.
pub(super) fn labels_of_items(
    text: &LabelledText,
    head: (&LabelSet, ProblemType),
) -> Result<Vec<ItemLabels>> {
    let items = text.items.iter();
    items
        .map(|item| labels_of_item(text, item, head))
        .collect::<Result<_>>()
}

fn labels_of_item(
    text: &LabelledText,
    item: &LabelledItem,
    (labels, problem_type): (&LabelSet, ProblemType),
) -> Result<ItemLabels> {
    let id = |label: &String| {
        labels.id(label).ok_or_else(|| Error::UnknownLabel {
            label: label.clone(),
            document: text.id.clone(),
            known: labels.iter().map(str::to_owned).collect(),
        })
    };
    let holds = item.labels.iter().map(id).collect::<Result<Vec<_>>>()?;
    let unknown = item.unknown.iter().map(id).collect::<Result<Vec<_>>>()?;
    match (problem_type, holds.len()) {
        (ProblemType::SingleLabel, n) if n != 1 => Err(Error::NotOneLabel {
            document: text.id.clone(),
            labels: item.labels.clone(),
        }),
        _ => Ok(ItemLabels { holds, unknown }),
    }
}

/// The ids of the labels that a corpus says anything of.
pub(super) fn known(corpus: &LabelledCorpus, labels: &LabelSet) -> Result<Option<Vec<usize>>> {
    let Some(known) = &corpus.known else {
        return Ok(None);
    };
    let id = |label: &String| {
        labels.id(label).ok_or_else(|| Error::UnknownLabel {
            label: label.clone(),
            document: format!("`known` of the corpus for {}", corpus.task),
            known: labels.iter().map(str::to_owned).collect(),
        })
    };
    Ok(Some(known.iter().map(id).collect::<Result<_>>()?))
}

/// Every window is an example of the text's labels: the mean is taken over the tokens that it owns.
fn text_windows(reading: &Reading, labels: &[ItemLabels], most: usize) -> Vec<HeadExample> {
    let windows = reading.windows.iter().take(most).enumerate();
    let example = |(number, window): (usize, &Window)| {
        let start = window.tokens.start;
        let owned = window.core.start - start..window.core.end - start;
        let item = |labels: &ItemLabels| HeadItem {
            place: SpanPlace {
                span: owned.clone(),
                sentence: owned.clone(),
                text: owned.clone(),
            },
            labels: labels.clone(),
        };
        new_example(reading, number, labels.iter().map(item).collect())
    };
    windows.map(example).collect()
}

/// Every window is an example of the spans whose first token it owns.
fn span_windows(
    reading: &Reading,
    text: &LabelledText,
    labels: &[ItemLabels],
    most: usize,
) -> Vec<HeadExample> {
    let spans = text.items.iter().map(|item| item.span);
    let places: Vec<_> = spans
        .zip(labels)
        .filter_map(|(span, labels)| Some((SpanPlace::new(&reading.text, span?)?, labels)))
        .collect();
    let windows = reading.windows.iter().take(most).enumerate();
    let examples = windows.map(|(number, window)| {
        let own = places
            .iter()
            .filter(|(place, _)| window.core.contains(&place.span.start));
        let items = own.filter_map(|(place, labels)| {
            Some(HeadItem {
                place: place.within(&window.tokens)?,
                labels: (*labels).clone(),
            })
        });
        new_example(reading, number, items.collect())
    });
    examples
        .filter(|example| !example.items.is_empty())
        .collect()
}

fn new_example(reading: &Reading, window: usize, items: Vec<HeadItem>) -> HeadExample {
    let tokens = reading.windows[window].tokens.clone();
    HeadExample {
        corpus: 0,
        text: 0,
        window,
        ids: reading.text.tokens.ids[tokens].to_vec(),
        items,
    }
}
