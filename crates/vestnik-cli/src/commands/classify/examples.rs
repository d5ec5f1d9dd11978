//! `--few-shot` and `--head`: labels by examples.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_data::{Article, ArticleOptions, ArticleReader, Issue, Problem};
use vestnik_infer::{FewShot, TextFeatures};

use super::classifier::Classifier;
use crate::failure::Mistake;
use crate::model::ModelArgs;
use crate::output::{Output, note};

/// Fewest examples of a label from which it is learnt well enough to be worth a try.
const FEWEST: usize = 8;

/// Arguments about examples.
#[derive(Debug, clap::Args)]
pub(super) struct ExampleArgs {
    /// Learn labels from examples, 8 to 64 of each: JSON lines with text and label. Takes seconds, and needs no model of
    /// inference: any encoder does, the built-in one by default
    #[arg(long, value_name = "FILE")]
    few_shot: Option<PathBuf>,
    /// Write what was learnt to FILE, for --head
    #[arg(long, value_name = "FILE", requires = "few_shot", conflicts_with_all = ["labels", "labels_file", "head"])]
    save_head: Option<PathBuf>,
    /// Classify by what an earlier run learnt from examples (--save-head), with the same model
    #[arg(long, value_name = "FILE", conflicts_with = "few_shot")]
    head: Option<PathBuf>,
}

/// A text and its label.
pub(super) type Example = (String, String);

impl ExampleArgs {
    /// The files that labels are learnt from.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.few_shot, &self.head]
            .into_iter()
            .filter_map(|path| path.as_deref())
    }

    /// The file that what was learnt is written to.
    pub(super) fn saved(&self) -> Option<&Path> {
        self.save_head.as_deref()
    }

    /// Whether labels are known by examples.
    pub(super) fn are_given(&self) -> bool {
        self.few_shot.is_some() || self.head.is_some()
    }

    /// The examples to learn from; none where nothing is to be learnt.
    ///
    /// # Errors
    /// One of them cannot be read or has no label: what is learnt from has to be sound.
    pub(super) fn read(&self) -> Result<Vec<Example>> {
        let Some(path) = &self.few_shot else {
            return Ok(Vec::new());
        };
        let articles = ArticleReader::open(std::slice::from_ref(path), ArticleOptions::default())?;
        let examples = articles.map(|article| match article {
            Ok(article) => {
                example(&article).map_err(|problem| issue(&article, problem).to_string())
            }
            Err(rejected) => Err(rejected.to_string()),
        });
        let examples: Vec<Example> = examples
            .collect::<Result<_, String>>()
            .map_err(Mistake::new)?;
        tell_rare(&examples);
        Ok(examples)
    }

    /// Learns from examples, or reads what was learnt.
    ///
    /// # Errors
    /// There are not examples of two labels, the file is no head for this model, or the model cannot be opened.
    pub(super) fn classifier(&self, model: &ModelArgs, examples: &[Example]) -> Result<Classifier> {
        let features = model.open_features()?;
        let few_shot = match &self.head {
            Some(path) => open_head(path, &features)?,
            None => self.fit(&features, examples)?,
        };
        Ok(Classifier::ByExamples(Box::new(features), few_shot))
    }

    fn fit(&self, features: &TextFeatures, examples: &[Example]) -> Result<FewShot> {
        let examples: Vec<(&str, &str)> = examples
            .iter()
            .map(|(text, label)| (text.as_str(), label.as_str()))
            .collect();
        let few_shot = FewShot::fit(features, &examples)?;
        if let Some(path) = &self.save_head {
            if path.exists() {
                return Err(Mistake::new(format!("{} exists", path.display()))
                    .hint("--save-head takes a file that is not there yet")
                    .into());
            }
            let mut file = Output::open(Some(path), true)?;
            writeln!(file, "{}", few_shot.to_json()?)
                .with_context(|| format!("cannot write {}", path.display()))?;
            file.commit()?;
        }
        Ok(few_shot)
    }
}

fn example(article: &Article) -> Result<Example, Problem> {
    if article.text.trim().is_empty() {
        return Err(Problem::EmptyText {
            field: "text".to_owned(),
        });
    }
    Ok((article.text.clone(), article.label("label")?))
}

fn issue(article: &Article, problem: Problem) -> Issue {
    Issue {
        path: article.origin.path.clone(),
        line: Some(article.origin.line),
        problem,
    }
}

/// Says which labels have very few examples.
fn tell_rare(examples: &[Example]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, label) in examples {
        *counts.entry(label).or_default() += 1;
    }
    let rare: Vec<String> = counts
        .iter()
        .filter(|&(_, &count)| count < FEWEST)
        .map(|(label, count)| format!("{label} ({count})"))
        .collect();
    if !rare.is_empty() {
        let rare = rare.join(", ");
        note(&format!("note: fewer than {FEWEST} examples of {rare}"));
    }
}

fn open_head(path: &Path, features: &TextFeatures) -> Result<FewShot> {
    let json =
        std::fs::read(path).with_context(|| format!("cannot read the head {}", path.display()))?;
    FewShot::from_json(&json, features).with_context(|| path.display().to_string())
}
