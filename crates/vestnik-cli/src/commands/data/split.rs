//! `vestnik data split`: divides documents into parts that can be told apart by nothing but chance.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};
use vestnik_core::{ColumnScheme, Document};
use vestnik_data::{
    AtomicFile, Corpus, Format, Loss, NEAR_DUPLICATE, SplitItem, WriteOptions, near_duplicates,
    split, write_corpus, write_folder,
};

use super::reading::{ReadArgs, tell_issues, tell_losses, write_options};
use super::table::{row, table};
use crate::Outcome;
use crate::failure::Mistake;
use crate::output::{note, print, refuse_existing};

/// The names of the parts.
const PARTS: [&str; 3] = ["train", "dev", "test"];

/// What parts have in the same shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stratify {
    /// Entities of each label
    Label,
    /// Documents of each language
    Lang,
}

/// Arguments of `vestnik data split`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("sizes").required(true).multiple(true))]
pub(crate) struct Args {
    /// Annotated files or folders, also .gz or .zst
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Folder for train, dev and test; it is made
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Shares of train, dev and, with a third one, test, in any unit, e.g. 80,10,10
    #[arg(long, value_name = "N,N[,N]", value_delimiter = ',', group = "sizes", conflicts_with_all = ["dev", "test"])]
    ratios: Option<Vec<f64>>,
    /// Share of dev, e.g. 0.1; the rest is train
    #[arg(long, value_name = "SHARE", group = "sizes")]
    dev: Option<f64>,
    /// Share of test, e.g. 0.1
    #[arg(long, value_name = "SHARE", group = "sizes")]
    test: Option<f64>,
    /// What all parts should have in the same shares
    #[arg(long, value_name = "label|lang", value_enum)]
    stratify: Option<Stratify>,
    /// Documents with the same value of a field, such as source or outlet, stay together
    #[arg(long, value_name = "FIELD")]
    group_by: Option<String>,
    /// Documents that are nearly the same stay together
    #[arg(long)]
    group_near_duplicates: bool,
    /// Another seed gives another split
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Format of the files: vestnik, conll, conllu, brat, doccano, label-studio, webanno, hf, parquet, cas [default: found]
    #[arg(long, value_name = "FORMAT")]
    from: Option<Format>,
    /// Format to write
    #[arg(long, alias = "to", value_name = "FORMAT", default_value = "vestnik")]
    format: Format,
    #[command(flatten)]
    reading: ReadArgs,
    /// Scheme of tags: iob1, iob2, bioes or bilou
    #[arg(long, value_name = "SCHEME", default_value = "iob2")]
    scheme: ColumnScheme,
    /// Overwrite the files
    #[arg(long)]
    force: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Splits the sound records.
pub(super) fn run(args: &Args) -> Result<Outcome> {
    let shares = args.shares()?;
    let paths = args.paths(shares.len())?;
    let corpus = args.reading.read_all(&args.files, args.from)?;
    tell_issues(&corpus.issues);
    let items = args.items(&corpus)?;
    let part_of = split(&items, &shares, args.seed);
    let parts = divide(&corpus, &part_of, shares.len());
    for (name, part) in PARTS.iter().zip(&parts) {
        if part.documents.is_empty() {
            let n_groups = items
                .iter()
                .map(|item| item.group)
                .max()
                .map_or(0, |last| last + 1);
            return Err(Mistake::new(format!("no document is left for {name}"))
                .hint(format!(
                    "{} documents in {n_groups} groups were given",
                    items.len()
                ))
                .into());
        }
    }
    let mut losses = corpus.losses.clone();
    losses.extend(args.write(&paths, &parts)?);
    tell_losses(&losses);
    args.report(&paths, &parts)?;
    Ok(match corpus.issues.len() {
        0 => Outcome::Done,
        _ => Outcome::Findings,
    })
}

impl Args {
    fn shares(&self) -> Result<Vec<f64>> {
        let shares = match &self.ratios {
            Some(ratios) => ratios.clone(),
            None => {
                let (dev, test) = (self.dev.unwrap_or_default(), self.test);
                let mut shares = vec![1.0 - dev - test.unwrap_or_default(), dev];
                shares.extend(test);
                shares
            }
        };
        let sound = shares.iter().all(|share| share.is_finite() && *share > 0.0);
        if !sound || !(2..=PARTS.len()).contains(&shares.len()) {
            let message = "the shares of train, dev and test must be two or three numbers above 0";
            return Err(Mistake::new(message)
                .hint("--ratios 80,10,10, or --dev 0.1 and perhaps --test 0.1")
                .into());
        }
        Ok(shares)
    }

    /// The files or folders of the parts; all of them are looked at before anything is read.
    fn paths(&self, n_parts: usize) -> Result<Vec<PathBuf>> {
        let names = PARTS.iter().take(n_parts);
        let paths: Vec<PathBuf> = names
            .map(|name| {
                self.output
                    .join(format!("{name}{}", self.format.extension()))
            })
            .collect();
        if !self.format.is_folder() {
            paths
                .iter()
                .try_for_each(|path| refuse_existing(path, self.force))?;
        }
        Ok(paths)
    }

    fn items(&self, corpus: &Corpus) -> Result<Vec<SplitItem>> {
        let groups = self.groups(corpus)?;
        let documents = corpus.documents.iter().zip(groups);
        Ok(documents
            .map(|(document, group)| SplitItem {
                name: document.id().to_owned(),
                group,
                strata: self.strata(document),
            })
            .collect())
    }

    fn strata(&self, document: &Document) -> BTreeMap<String, usize> {
        let mut strata = BTreeMap::new();
        match self.stratify {
            Some(Stratify::Label) => {
                for entity in document.entities() {
                    *strata.entry(entity.label.clone()).or_default() += 1;
                }
            }
            Some(Stratify::Lang) => {
                strata.insert(document.lang().unwrap_or_default().to_owned(), 1);
            }
            None => {}
        }
        strata
    }

    /// The group of each document, from 0 on.
    fn groups(&self, corpus: &Corpus) -> Result<Vec<usize>> {
        let mut groups: Vec<usize> = (0..corpus.documents.len()).collect();
        if let Some(field) = &self.group_by {
            let values = values(corpus, field)?;
            let mut first: BTreeMap<&str, usize> = BTreeMap::new();
            for (index, value) in values.iter().enumerate() {
                if let Some(value) = value {
                    join(&mut groups, *first.entry(value).or_insert(index), index);
                }
            }
        }
        if self.group_near_duplicates {
            let texts: Vec<&str> = corpus.documents.iter().map(Document::text).collect();
            for pair in near_duplicates(&texts, NEAR_DUPLICATE, |_, _| true) {
                join(&mut groups, pair.earlier, pair.text);
            }
        }
        let roots: Vec<usize> = (0..groups.len())
            .map(|index| root(&mut groups, index))
            .collect();
        let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
        Ok(roots
            .into_iter()
            .map(|root| {
                let next = numbers.len();
                *numbers.entry(root).or_insert(next)
            })
            .collect())
    }

    fn write(&self, paths: &[PathBuf], parts: &[Corpus]) -> Result<Vec<Loss>> {
        if !self.output.is_dir() {
            std::fs::create_dir(&self.output).map_err(|error| {
                Mistake::new(format!(
                    "cannot make the folder {}: {error}",
                    self.output.display()
                ))
            })?;
        }
        let all: BTreeSet<&str> = parts
            .iter()
            .flat_map(|part| labels(part).into_keys())
            .collect();
        let all: Vec<&str> = all.into_iter().collect();
        let options = WriteOptions {
            labels: &all,
            ..write_options(self.scheme)
        };
        let mut losses = Vec::new();
        if self.format.is_folder() {
            for (path, part) in paths.iter().zip(parts) {
                losses.extend(write_folder(part, self.format, &options, path, self.force)?);
            }
            return Ok(losses);
        }
        let mut files = Vec::new();
        for (path, part) in paths.iter().zip(parts) {
            let mut file = AtomicFile::create(path)?;
            losses.extend(write_corpus(part, self.format, &options, &mut file)?);
            files.push(file);
        }
        // No part takes its name before all are written.
        files.into_iter().try_for_each(AtomicFile::commit)?;
        Ok(losses)
    }

    fn report(&self, paths: &[PathBuf], parts: &[Corpus]) -> Result<()> {
        if self.json {
            let parts = PARTS.iter().zip(paths.iter().zip(parts));
            let parts: Map<String, Value> = parts
                .map(|(name, (path, part))| ((*name).to_owned(), part_json(path, part)))
                .collect();
            return print(&json!({"seed": self.seed, "parts": parts}).to_string());
        }
        print(&table(&rows(parts)).join("\n"))?;
        let shown = paths.iter().map(|path| path.display().to_string());
        note(&format!(
            "written: {}",
            shown.collect::<Vec<_>>().join(", ")
        ));
        Ok(())
    }
}

/// The value of a field in each record.
fn values(corpus: &Corpus, field: &str) -> Result<Vec<Option<String>>> {
    let documents = corpus.documents.iter().zip(&corpus.fields);
    let values: Vec<Option<String>> = documents
        .map(|(document, others)| match field {
            "id" => Some(document.id().to_owned()),
            "lang" => document.lang().map(str::to_owned),
            "source" => document.source().map(str::to_owned),
            name => match others.get(name) {
                None | Some(Value::Null) => None,
                Some(Value::String(value)) => Some(value.clone()),
                Some(value) => Some(value.to_string()),
            },
        })
        .collect();
    let missing = values.iter().filter(|value| value.is_none()).count();
    if missing == values.len() {
        return Err(Mistake::new(format!("no record has the field {field:?}"))
            .hint(format!("the fields are {}", field_names(corpus)))
            .into());
    }
    if missing > 0 {
        note(&format!(
            "{missing} records have no field {field:?}: each is a group of its own"
        ));
    }
    Ok(values)
}

fn field_names(corpus: &Corpus) -> String {
    let mut names = vec!["id", "lang", "source"];
    let others = corpus.fields.iter().flat_map(Map::keys);
    for name in others {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// The first member of a group.
fn root(groups: &mut [usize], mut member: usize) -> usize {
    while groups[member] != member {
        groups[member] = groups[groups[member]];
        member = groups[member];
    }
    member
}

fn join(groups: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(groups, a), root(groups, b));
    groups[a.max(b)] = a.min(b);
}

fn divide(corpus: &Corpus, part_of: &[usize], n_parts: usize) -> Vec<Corpus> {
    let mut parts = vec![Corpus::default(); n_parts];
    for (index, &part) in part_of.iter().enumerate() {
        parts[part].documents.push(corpus.documents[index].clone());
        parts[part].positions.push(corpus.positions[index].clone());
        parts[part].fields.push(corpus.fields[index].clone());
    }
    parts
}

fn labels(part: &Corpus) -> BTreeMap<&str, usize> {
    let mut labels = BTreeMap::new();
    for entity in part.documents.iter().flat_map(Document::entities) {
        *labels.entry(entity.label.as_str()).or_default() += 1;
    }
    labels
}

fn languages(part: &Corpus) -> BTreeMap<&str, usize> {
    let mut languages = BTreeMap::new();
    for lang in part.documents.iter().filter_map(Document::lang) {
        *languages.entry(lang).or_default() += 1;
    }
    languages
}

fn part_json(path: &Path, part: &Corpus) -> Value {
    json!({
        "path": path,
        "documents": part.documents.len(),
        "entities": part.n_entities(),
        "labels": labels(part),
        "languages": languages(part),
    })
}

/// A row for documents and entities, one for each language and each label; a column for each part.
fn rows(parts: &[Corpus]) -> Vec<Vec<String>> {
    let cells = |name: &str, count: &dyn Fn(&Corpus) -> usize| {
        let counts: Vec<String> = parts.iter().map(|part| count(part).to_string()).collect();
        std::iter::once(name.to_owned())
            .chain(counts)
            .collect::<Vec<String>>()
    };
    let names: Vec<&dyn std::fmt::Display> = PARTS
        .iter()
        .take(parts.len())
        .map(|name| name as &dyn std::fmt::Display)
        .collect();
    let mut rows = vec![
        row("", &names),
        cells("documents", &|part| part.documents.len()),
        cells("entities", &Corpus::n_entities),
    ];
    let mut all: Vec<(&str, bool)> = Vec::new();
    all.extend(
        parts
            .iter()
            .flat_map(languages)
            .map(|(lang, _)| (lang, true)),
    );
    all.extend(
        parts
            .iter()
            .flat_map(labels)
            .map(|(label, _)| (label, false)),
    );
    all.sort_by_key(|&(name, is_lang)| (!is_lang, name));
    all.dedup();
    for (name, is_lang) in all {
        let count = |part: &Corpus| {
            let counts = if is_lang {
                languages(part)
            } else {
                labels(part)
            };
            counts.get(name).copied().unwrap_or_default()
        };
        rows.push(cells(name, &count));
    }
    rows
}
