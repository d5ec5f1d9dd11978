//! Soft labels: the tag distributions of a teacher for the words that a run learns.
//!
//! The teacher reads the training documents once, before the first update, with its own tokenizer. Words are those of the
//! raw text, whatever the tokenizer, so the distribution at the teacher's first token of a word is the soft label of the
//! student's first token of the same word. They lie in a file beside the run that is mapped into memory: four bytes for
//! each word and tag, read again by a run that goes on.

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vestnik_core::{Document, LabelSet};
use vestnik_model::TokenClassifier;
use vestnik_text::{Batch, Example, Tokenizer, WindowOptions};

use crate::config::refused;
use crate::error::{Error, Result};
use crate::files::{self, NewFolder};
use crate::mapped::MappedFile;
use crate::ner::evaluate::{Reading, WordScores, batches, word_scores};
use crate::ner::examples::{Examples, TrainingCorpus};
use crate::stream::Stream;
use crate::sums;

const FORMAT_VERSION: u32 = 1;
const FOLDER: &str = "teacher";
const ROWS: &str = "rows";
const CONTENTS: &str = "teacher.json";
const NUMBER_BYTES: usize = 4;

/// Most tokens of a forward pass of the teacher.
const BATCH_TOKENS: usize = 4096;

/// Documents that the teacher reads at a time.
const DOCUMENTS_AT_A_TIME: usize = 64;

/// A tagger that a run learns from.
#[derive(Debug, Clone)]
pub struct Teacher {
    /// The model.
    pub model: TokenClassifier,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// SHA-256 of its files, in hexadecimal.
    pub sha256: String,
}

/// The student's side.
pub(super) struct Student<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) labels: &'a LabelSet,
    /// The tag of words outside of entities.
    pub(super) outside: usize,
    pub(super) examples: &'a Examples,
    pub(super) windows: &'a WindowOptions,
}

/// All that the soft labels depend on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    format_version: u32,
    teacher_sha256: String,
    /// Hash of the examples in their order.
    examples_sha256: String,
    labels: Vec<String>,
    max_tokens: usize,
    context: usize,
}

/// Log-probabilities of the student's tags for every labelled token of every example.
#[derive(Debug)]
pub(crate) struct SoftLabels {
    rows: MappedFile,
    n_labels: usize,
    /// Number of the first row of each example.
    first_rows: Vec<usize>,
    /// Hash of the rows.
    pub(super) digest: String,
}

impl SoftLabels {
    /// Those beside the run in `out`, or new ones.
    pub(super) fn new(
        teacher: &Teacher,
        student: &Student<'_>,
        corpora: &[TrainingCorpus],
        out: &Path,
    ) -> Result<Self> {
        if teacher.model.crf().is_some() {
            let expected = "one without transitions, whose outputs are distributions";
            return Err(refused(
                "distillation.teacher",
                &"a tagger with a CRF",
                expected,
            ));
        }
        let columns = columns(teacher.model.labels(), student)?;
        let windows = teacher_windows(teacher, student.windows)?;
        let contents = contents(teacher, student, &windows);
        let target = out.join(FOLDER);
        if !is_whole(&target, &contents) {
            let reader = Reader {
                teacher,
                student,
                columns,
                windows,
            };
            reader.write(corpora, &target, &contents)?;
        }
        Self::open(&target, student)
    }

    fn open(folder: &Path, student: &Student<'_>) -> Result<Self> {
        let examples = &student.examples.examples;
        let mut next = 0;
        let first_rows = examples.iter().map(|example| {
            let first = next;
            next += labelled(example).count();
            first
        });
        Ok(Self {
            first_rows: first_rows.collect(),
            rows: MappedFile::open(&folder.join(ROWS))?,
            n_labels: student.labels.len(),
            digest: sums::digest(folder, &[ROWS])?,
        })
    }

    /// The soft labels of all rows of a batch, zeros where nothing is labelled.
    pub(crate) fn of(&self, batch: &Batch, examples: &[Example]) -> Vec<f32> {
        let mut all = vec![0.0; batch.ids.len() * self.n_labels];
        let labels = batch.labels.as_deref().unwrap_or_default();
        for (sequence, origin) in batch.origins.iter().enumerate() {
            let place = |example: &Example| (example.document, example.window);
            let example = examples.partition_point(|example| place(example) < *origin);
            let tokens = batch.cumulative_lengths[sequence]..batch.cumulative_lengths[sequence + 1];
            let taught = tokens.filter(|&token| labels[token] >= 0);
            for (row, token) in (self.first_rows[example]..).zip(taught) {
                self.copy(row, &mut all[token * self.n_labels..][..self.n_labels]);
            }
        }
        all
    }

    fn copy(&self, row: usize, into: &mut [f32]) {
        let width = self.n_labels * NUMBER_BYTES;
        let bytes = &self.rows.bytes()[row * width..][..width];
        let numbers = bytes.as_chunks::<NUMBER_BYTES>().0;
        for (number, &bytes) in into.iter_mut().zip(numbers) {
            *number = f32::from_le_bytes(bytes);
        }
    }
}

/// The teacher at work.
struct Reader<'a> {
    teacher: &'a Teacher,
    student: &'a Student<'a>,
    /// For each tag of the teacher that of the student.
    columns: Vec<usize>,
    windows: WindowOptions,
}

impl Reader<'_> {
    fn write(&self, corpora: &[TrainingCorpus], target: &Path, contents: &Contents) -> Result<()> {
        let folder = NewFolder::create(target)?;
        let mut rows = Stream::create(folder.path().join(ROWS))?;
        let documents: Vec<&Document> = corpora.iter().flat_map(|c| &c.documents).collect();
        let mut examples = self.student.examples.examples.as_slice();
        for (chunk, documents) in documents.chunks(DOCUMENTS_AT_A_TIME).enumerate() {
            let behind = chunk * DOCUMENTS_AT_A_TIME + documents.len();
            let n_examples = examples.partition_point(|example| example.document < behind);
            let (own, rest) = examples.split_at(n_examples);
            examples = rest;
            for number in self.rows(documents, own, chunk * DOCUMENTS_AT_A_TIME)? {
                rows.write(&number.to_le_bytes())?;
            }
        }
        rows.finish()?;
        files::write_json(&folder.path().join(CONTENTS), contents)?;
        sums::write(folder.path())?;
        files::remove_folder(target)?;
        folder.commit()
    }

    /// The rows of the examples of some documents, of which the first has the number `first`.
    fn rows(
        &self,
        documents: &[&Document],
        examples: &[Example],
        first: usize,
    ) -> Result<Vec<f32>> {
        let read = |tokenizer: &Tokenizer, windows: &WindowOptions| {
            documents
                .par_iter()
                .map(|document| Reading::new(tokenizer, document.text(), windows))
                .collect::<Result<Vec<_>>>()
        };
        let readings = read(&self.teacher.tokenizer, &self.windows)?;
        let batches = batches(&self.teacher.tokenizer, &readings, BATCH_TOKENS);
        let empty = |reading| WordScores::outside(reading, self.columns.len(), self.outside());
        let mut scores: Vec<WordScores> = readings.iter().map(empty).collect();
        word_scores(&self.teacher.model, &readings, &batches, &mut scores)?;
        let readings = read(self.student.tokenizer, self.student.windows)?;
        let mut rows = Vec::new();
        for example in examples {
            let document = example.document - first;
            for word in words(&readings[document], example) {
                self.add(scores[document].row(word), &mut rows);
            }
        }
        Ok(rows)
    }

    /// The teacher's tag of words that it sees no token of.
    fn outside(&self) -> usize {
        let student = self.student.outside;
        let found = self.columns.iter().position(|&column| column == student);
        found.unwrap_or_default()
    }

    /// Appends the teacher's row as log-probabilities of the student's tags.
    fn add(&self, teacher: &[f32], rows: &mut Vec<f32>) {
        let mut probabilities = vec![0.0; self.student.labels.len()];
        for (&column, log) in self.columns.iter().zip(teacher) {
            probabilities[column] += log.exp();
        }
        rows.extend(probabilities.into_iter().map(f32::ln));
    }
}

/// The words of an example's labelled tokens.
fn words<'a>(reading: &'a Reading, example: &'a Example) -> impl Iterator<Item = usize> + 'a {
    let first = reading.windows[example.window].tokens.start;
    labelled(example).filter_map(move |token| reading.text.word_begun_by(first + token))
}

/// The tokens of an example that are learnt; each is the first one of a word.
fn labelled(example: &Example) -> impl Iterator<Item = usize> + '_ {
    let labels = example.labels.iter().flatten().enumerate();
    labels
        .filter(|&(_, &label)| label >= 0)
        .map(|(token, _)| token)
}

/// For each of the teacher's tags the one of the same name; the outside tag for those that the student does not have.
fn columns(teacher: &LabelSet, student: &Student<'_>) -> Result<Vec<usize>> {
    let missing: Vec<String> = student
        .labels
        .iter()
        .filter(|label| teacher.id(label).is_none())
        .map(str::to_owned)
        .collect();
    if !missing.is_empty() {
        return Err(Error::TeacherLabels {
            missing,
            known: teacher.iter().map(str::to_owned).collect(),
        });
    }
    let column = |label| student.labels.id(label).unwrap_or(student.outside);
    Ok(teacher.iter().map(column).collect())
}

/// The student's windows, shorter where the teacher cannot read that many tokens.
fn teacher_windows(teacher: &Teacher, student: &WindowOptions) -> Result<WindowOptions> {
    let most = teacher
        .model
        .config()
        .encoder
        .max_tokens()
        .saturating_sub(2);
    if most <= 2 * student.context {
        let expected = format!("less than {}, half of what the teacher reads", most / 2);
        return Err(refused("windows.context", &student.context, expected));
    }
    Ok(WindowOptions {
        max_tokens: student.max_tokens.min(most),
        context: student.context,
    })
}

fn contents(teacher: &Teacher, student: &Student<'_>, windows: &WindowOptions) -> Contents {
    let mut hash = Sha256::new();
    student.examples.hash(&mut hash);
    Contents {
        format_version: FORMAT_VERSION,
        teacher_sha256: teacher.sha256.clone(),
        examples_sha256: format!("{:x}", hash.finalize()),
        labels: student.labels.iter().map(str::to_owned).collect(),
        max_tokens: windows.max_tokens,
        context: windows.context,
    }
}

/// Whether a folder holds these soft labels as they were written.
fn is_whole(folder: &Path, contents: &Contents) -> bool {
    folder.is_dir()
        && sums::problem(folder).is_none()
        && files::read_json::<Contents>(&folder.join(CONTENTS))
            .is_ok_and(|found| found == *contents)
}
