//! Annotated documents as labelled windows.

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vestnik_core::{Document, TagSet};
use vestnik_model::losses::TextPart;
use vestnik_text::{Batch, Example, Tokenizer, WindowOptions, ner_examples};

use crate::error::{Error, Result};
use crate::ner::evaluate::Reading;
use crate::sampling::Stratum;

/// Documents that are seen equally often.
#[derive(Debug, Clone)]
pub struct TrainingCorpus {
    /// The documents.
    pub documents: Vec<Document>,
    /// How often each window is seen in an epoch: 0.5 is a random half (another one in each epoch), 2 is twice.
    pub weight: f64,
}

/// All windows to learn from.
#[derive(Debug)]
pub(crate) struct Examples {
    pub(crate) examples: Vec<Example>,
    pub(super) strata: Vec<Stratum>,
    /// Ids of the documents, by [`Example::document`].
    ids: Vec<String>,
    /// The first and the last window of each document in which a word is learnt.
    ends: Vec<(usize, usize)>,
    /// Their languages.
    langs: Vec<Option<String>>,
}

impl Examples {
    pub(super) fn new(
        tokenizer: &Tokenizer,
        corpora: &[TrainingCorpus],
        options: &WindowOptions,
        tags: &TagSet,
    ) -> Result<Self> {
        let mut all = Self {
            examples: Vec::new(),
            strata: Vec::new(),
            ids: Vec::new(),
            ends: Vec::new(),
            langs: Vec::new(),
        };
        for corpus in corpora {
            corpus
                .documents
                .iter()
                .try_for_each(|document| check_labels(document, tags))?;
            let windows = corpus
                .documents
                .par_iter()
                .map(|document| labelled_windows(tokenizer, document, options, tags))
                .collect::<Result<Vec<_>>>()?;
            all.add(corpus, windows);
        }
        Ok(all)
    }

    fn add(&mut self, corpus: &TrainingCorpus, windows: Vec<Vec<Example>>) {
        let first = self.examples.len();
        for (document, examples) in corpus.documents.iter().zip(windows) {
            let number = self.ids.len();
            self.ids.push(document.id().to_owned());
            let window = |example: Option<&Example>| example.map_or(0, |example| example.window);
            self.ends
                .push((window(examples.first()), window(examples.last())));
            self.langs.push(document.lang().map(str::to_owned));
            self.examples
                .extend(examples.into_iter().map(|example| Example {
                    document: number,
                    ..example
                }));
        }
        self.strata.push(Stratum {
            weight: corpus.weight,
            examples: (first..self.examples.len()).collect(),
        });
    }

    pub(super) fn name(&self, example: usize) -> String {
        let Example {
            document, window, ..
        } = self.examples[example];
        format!("{} (window {window})", self.ids[document])
    }

    /// The sequences of a batch as parts of their documents.
    pub(crate) fn parts(&self, batch: &Batch) -> Vec<TextPart> {
        let sequences = batch.sequences().zip(&batch.origins);
        let part = |(tokens, &(document, window))| {
            let (first, last) = self.ends[document];
            TextPart {
                tokens,
                begins: window == first,
                ends: window == last,
            }
        };
        sequences.map(part).collect()
    }

    /// How often each label is learnt in an epoch; where the annotation leaves several possible, the first counts: `O`.
    pub(super) fn label_counts(&self, n_labels: usize) -> Vec<f64> {
        let mut counts = vec![0.0; n_labels];
        for stratum in &self.strata {
            let examples = stratum.examples.iter().map(|&index| &self.examples[index]);
            let labels = examples.flat_map(|example| example.labels.iter().flatten());
            for label in labels.filter_map(|&label| usize::try_from(label).ok()) {
                counts[label] += stratum.weight;
            }
        }
        counts
    }

    /// The language of an example's document.
    pub(super) fn lang(&self, example: usize) -> Option<&str> {
        self.langs[self.examples[example].document].as_deref()
    }

    /// Adds ids, labels and weights in their order.
    pub(super) fn hash(&self, hash: &mut Sha256) {
        for stratum in &self.strata {
            hash.update(stratum.weight.to_le_bytes());
            hash.update((stratum.examples.len() as u64).to_le_bytes());
        }
        self.examples
            .iter()
            .for_each(|example| add_example(hash, example));
    }

    /// The same for documents in any order: that of brat's files is another one than that of the lines of a corpus.
    pub(super) fn unordered_digest(&self) -> String {
        let mut hash = Sha256::new();
        for stratum in &self.strata {
            hash.update(stratum.weight.to_le_bytes());
            let mut hashes: Vec<_> = stratum
                .examples
                .iter()
                .map(|&example| {
                    let mut hash = Sha256::new();
                    add_example(&mut hash, &self.examples[example]);
                    hash.finalize()
                })
                .collect();
            hashes.sort_unstable();
            hashes.iter().for_each(|own| hash.update(own));
        }
        format!("{:x}", hash.finalize())
    }
}

fn add_example(hash: &mut Sha256, example: &Example) {
    hash.update((example.ids.len() as u64).to_le_bytes());
    example
        .ids
        .iter()
        .for_each(|id| hash.update(id.to_le_bytes()));
    let labels = example.labels.iter().flatten();
    labels.for_each(|label| hash.update(label.to_le_bytes()));
    let allowed = example.allowed.iter().flatten();
    allowed.for_each(|set| hash.update(set.to_le_bytes()));
}

/// The windows of a document in which a word is learnt.
fn labelled_windows(
    tokenizer: &Tokenizer,
    document: &Document,
    options: &WindowOptions,
    tags: &TagSet,
) -> Result<Vec<Example>> {
    let reading = Reading::new(tokenizer, document.text(), options)?;
    let mut examples = ner_examples(document, &reading.text, &reading.windows, tags);
    examples.retain(|example| example.labels.iter().flatten().any(|&label| label >= 0));
    Ok(examples)
}

fn check_labels(document: &Document, tags: &TagSet) -> Result<()> {
    let mut labels = document.entities().iter().map(|entity| &entity.label);
    match labels.find(|label| tags.types().id(label).is_none()) {
        None => Ok(()),
        Some(label) => Err(Error::UnknownLabel {
            label: label.clone(),
            document: document.id().to_owned(),
            known: tags.types().iter().map(str::to_owned).collect(),
        }),
    }
}
