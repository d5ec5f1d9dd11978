//! `vestnik data check`: every defect and every doubtful annotation, with counts and lengths.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};
use vestnik_data::{Corpus, Format, NEAR_DUPLICATE};
use vestnik_text::{Tokenizer, sentences};

use super::findings::{Copies, Finding, Kind, Place, copies, edges, labels};
use super::reading::{ReadArgs, tell_losses};
use super::summary::Summary;
use super::table::{row, table};
use crate::output::{note, print};
use crate::{Outcome, model};

/// Arguments of `vestnik data check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Annotated files or folders, also .gz or .zst; texts of one file are looked for in the others
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Format of the files: vestnik, conll, conllu, brat, doccano, label-studio, webanno, hf, parquet, cas [default: found]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    reading: ReadArgs,
    /// Model directory, or ORG/NAME on the hub: find sentences that are longer than it reads at once
    #[arg(long, value_name = "DIR|ID")]
    model: Option<String>,
    /// Share of common word sequences from which on texts count as nearly the same
    #[arg(long, value_name = "0..1", default_value_t = NEAR_DUPLICATE, value_parser = share)]
    threshold: f64,
    /// Texts with fewer words are no copies of each other: "Thank you."
    #[arg(long, value_name = "N", default_value_t = 3)]
    min_words: usize,
    /// What not to look for
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_enum)]
    ignore: Vec<Kind>,
    /// Most findings of a kind that are listed; JSON has all
    #[arg(long, value_name = "N", default_value_t = 100)]
    max: usize,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("expected a number above 0, at most 1".to_owned()),
    }
}

/// Looks at all files together.
pub(super) fn run(args: &Args) -> Result<Outcome> {
    let limit = args.model.as_deref().map(Limit::open).transpose()?;
    let (mut corpus, mut file_of) = (Corpus::default(), Vec::new());
    let mut findings = Vec::new();
    for (file, path) in args.files.iter().enumerate() {
        let read = args.reading.read(path, args.format)?;
        if read.n_entities() == 0 && read.issues.is_empty() {
            let message = "no entity in this file, expected at least one";
            findings.push(Finding::of_file(Kind::NoEntities, path.clone(), message));
        }
        file_of.extend(read.documents.iter().map(|_| file));
        corpus.append(read);
    }
    let issues = corpus.issues.iter();
    findings.extend(issues.map(|issue| Finding::of_issue(Kind::Defect, issue)));
    let overlaps = corpus.overlaps();
    findings.extend(
        overlaps
            .iter()
            .map(|issue| Finding::of_issue(Kind::Overlap, issue)),
    );
    let mut summary = Summary::default();
    for at in Place::all(&corpus) {
        summary.add(at.document);
        findings.extend(edges(&at));
        if let Some(limit) = &limit {
            findings.extend(limit.long_sentences(&at, &mut summary)?);
        }
    }
    findings.extend(labels(&corpus, &summary.labels()));
    findings.extend(copies(&corpus, &file_of, &args.copies()));
    findings.retain(|finding| !args.ignore.contains(&finding.kind));
    args.sort(&mut findings);
    args.report(&corpus, &summary, &findings)?;
    Ok(match findings.len() {
        0 => Outcome::Done,
        _ => Outcome::Findings,
    })
}

impl Args {
    fn copies(&self) -> Copies {
        Copies {
            threshold: self.threshold,
            min_words: self.min_words,
        }
    }

    /// In the order of the files, and there of the lines.
    fn sort(&self, findings: &mut [Finding]) {
        let file = |finding: &Finding| {
            self.files
                .iter()
                .position(|path| finding.path.starts_with(path))
        };
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (file(finding), finding.path.clone(), finding.line);
            key(a).cmp(&key(b))
        });
    }

    fn report(&self, corpus: &Corpus, summary: &Summary, findings: &[Finding]) -> Result<()> {
        let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
        for finding in findings {
            *counts.entry(finding.kind).or_default() += 1;
        }
        if self.json {
            let mut json = summary.json();
            let counts = counts
                .iter()
                .map(|(kind, n)| (kind.name().to_owned(), json!(n)));
            json.insert("counts".to_owned(), Value::Object(counts.collect()));
            let findings = findings.iter().map(Finding::json);
            json.insert("findings".to_owned(), findings.collect());
            return print(&Value::Object(json).to_string());
        }
        let mut listed: BTreeMap<Kind, usize> = BTreeMap::new();
        for finding in findings {
            let n = listed.entry(finding.kind).or_default();
            *n += 1;
            if *n <= self.max {
                print(&finding.line())?;
            }
        }
        let mut rows = vec![row("finding", &[&"number"])];
        rows.extend(counts.iter().map(|(kind, n)| row(kind.name(), &[n])));
        let mut lines = Vec::new();
        if !findings.is_empty() {
            lines.push(String::new());
            lines.extend(table(&rows));
            lines.push(String::new());
        }
        lines.extend(summary.lines());
        print(&lines.join("\n"))?;
        tell_losses(&corpus.losses);
        note(&format!(
            "{} sound documents with {} entities, {} findings",
            summary.documents(),
            summary.entities(),
            findings.len()
        ));
        Ok(())
    }
}

/// What a model reads at once.
struct Limit {
    tokenizer: Tokenizer,
    max_tokens: usize,
}

impl Limit {
    fn open(name: &str) -> Result<Self> {
        let model = model::directory(Some(name))?;
        Ok(Self {
            tokenizer: model.tokenizer()?,
            // Two special tokens stand around what is read.
            max_tokens: model.max_tokens().saturating_sub(2),
        })
    }

    fn long_sentences(&self, at: &Place<'_>, summary: &mut Summary) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let text = at.document.text();
        for sentence in sentences(text) {
            let n_tokens = self.tokenizer.encode(&text[sentence.range()])?.len();
            summary.sentence_tokens.add(n_tokens);
            if n_tokens > self.max_tokens {
                let start: String = text[sentence.range()].chars().take(40).collect();
                let message = format!(
                    "a sentence of {n_tokens} tokens, the model reads {} at once: {start:?}…",
                    self.max_tokens
                );
                findings.push(Finding::of_document(Kind::LongSentence, at, message));
            }
        }
        Ok(findings)
    }
}
