//! The report at the end of a run, and the draft of its model card.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use vestnik_core::Document;
use vestnik_core::metrics::Bootstrap;
use vestnik_infer::Vestnik;
use vestnik_train::{DataFile, LabelledText, RunRecord};

use super::groups::SeenNames;
use super::measured::{Measured, Sourced};
use super::{Curves, DataFacts, Evaluation, ModelFacts, Report, ReportFiles, card};

const LOG: &str = "log.jsonl";
const CARD: &str = "README.md";

/// What a report needs of the data of a run: the rest of them goes to the trainer.
#[derive(Debug, Default)]
pub(crate) struct RunData {
    seen: SeenNames,
    languages: BTreeSet<String>,
    /// Documents to measure on, with their sources.
    dev: Vec<(Document, String)>,
}

impl RunData {
    /// Notes names and languages of documents that are learnt from.
    pub(crate) fn add_train(&mut self, documents: &[Document]) {
        self.seen.add(documents);
        let languages = documents.iter().filter_map(Document::lang);
        self.languages.extend(languages.map(str::to_owned));
    }

    /// Notes the languages of texts that are learnt from.
    pub(crate) fn add_texts(&mut self, texts: &[LabelledText]) {
        let languages = texts.iter().filter_map(|text| text.lang.clone());
        self.languages.extend(languages);
    }

    /// Keeps documents to measure on.
    pub(crate) fn add_dev(&mut self, documents: &[Document], source: &str) {
        let documents = documents.iter().cloned();
        self.dev
            .extend(documents.map(|document| (document, source.to_owned())));
    }

    /// The documents to measure on.
    pub(crate) fn dev(&self) -> Vec<Sourced<'_>> {
        let dev = self.dev.iter();
        dev.map(|(document, source)| (document, source.clone()))
            .collect()
    }
}

/// Writes the report of a finished run to `out` and a card beside the model, from what was measured on its dev data.
///
/// `dev_files` are the files of `data.dev`.
pub(crate) fn write(
    out: &Path,
    (vestnik, measured): (&Vestnik, &Measured),
    record: &RunRecord,
    (data, dev_files): (&RunData, &[DataFile]),
) -> Result<()> {
    let mut report = Report::new(ModelFacts::of(vestnik), data_facts(dev_files));
    report.curves = Curves::read(&out.join(LOG));
    if !data.dev.is_empty() {
        let seen = Some(&data.seen);
        report.evaluation = Some(Evaluation::new(measured, Bootstrap::default(), seen)?);
    }
    ReportFiles::open(out, true)?.write(&report)?;
    let card = card::draft(record, &report, &data.languages);
    write_card(&out.join("model").join(CARD), &card)
}

/// The report of a run that ends without an evaluation by document: pretraining.
pub(crate) fn write_curves(out: &Path, record: &RunRecord) -> Result<()> {
    let name = out.file_name().unwrap_or(out.as_os_str());
    let model = ModelFacts {
        name: name.to_string_lossy().into_owned(),
        labels: Vec::new(),
    };
    let mut report = Report::new(model, data_facts(&record.data));
    report.curves = Curves::read(&out.join(LOG));
    ReportFiles::open(out, true)?.write(&report)
}

fn data_facts(files: &[DataFile]) -> Vec<DataFacts> {
    let facts = |file: &DataFile| DataFacts {
        path: file.path.display().to_string(),
        sha256: file.sha256.clone(),
        documents: file.records,
    };
    files.iter().map(facts).collect()
}

/// A card that someone has worked on stays as it is.
fn write_card(path: &Path, card: &str) -> Result<()> {
    let is_draft = |there: String| there.contains(card::DRAFT);
    if path.exists() && !std::fs::read_to_string(path).is_ok_and(is_draft) {
        return Ok(());
    }
    vestnik_data::write_beside(path, |out| std::io::Write::write_all(out, card.as_bytes()))
        .context("cannot write the model card")
}
