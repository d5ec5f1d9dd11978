//! The labels that are asked for, and the sentences they become.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use vestnik_infer::{HypothesisTemplate, Question};

use crate::failure::Mistake;

/// Arguments about labels.
#[derive(Debug, clap::Args)]
pub(super) struct LabelArgs {
    /// Labels, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "LABEL,…",
        required_unless_present_any = ["labels_file", "few_shot", "head"],
        conflicts_with_all = ["few_shot", "head"]
    )]
    labels: Vec<String>,
    /// File with a label a line, for labels that have commas
    #[arg(long, value_name = "FILE", conflicts_with_all = ["labels", "few_shot", "head"])]
    labels_file: Option<PathBuf>,
    /// Sentence with {} where the label goes; LANG=SENTENCE for articles whose field `lang` is LANG, several times if need be
    /// [default: "This text is about {}.", in the language of the article where it is be, bg, cs, de, fr, mk, pl, ru, sl or uk]
    #[arg(long, value_name = "SENTENCE", conflicts_with_all = ["few_shot", "head"])]
    template: Vec<Template>,
    /// Any number of labels may hold: each has a probability of its own
    #[arg(long, conflicts_with_all = ["few_shot", "head"])]
    multi_label: bool,
}

impl LabelArgs {
    /// The file of labels.
    pub(super) fn file(&self) -> Option<&Path> {
        self.labels_file.as_deref()
    }
}

/// `--template`.
#[derive(Clone, Debug)]
struct Template {
    lang: Option<String>,
    template: HypothesisTemplate,
}

impl FromStr for Template {
    type Err = vestnik_infer::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_language = text.split_once('=').filter(|(lang, _)| is_language(lang));
        Ok(Self {
            lang: of_language.map(|(lang, _)| lang.to_owned()),
            template: of_language.map_or(text, |(_, template)| template).parse()?,
        })
    }
}

/// Two or three lower-case letters: a code of ISO 639.
fn is_language(text: &str) -> bool {
    (2..=3).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase())
}

/// The question in each language.
pub(super) struct Questions {
    args: LabelArgs,
    labels: Vec<String>,
    made: BTreeMap<Option<String>, (HypothesisTemplate, Question)>,
}

impl Questions {
    /// Reads the labels.
    ///
    /// # Errors
    /// There are none, one is empty or occurs twice, or their file cannot be read.
    pub(super) fn new(args: LabelArgs) -> Result<Self> {
        let labels = match &args.labels_file {
            Some(path) => of_file(path)?,
            None => args
                .labels
                .iter()
                .map(|label| label.trim().to_owned())
                .collect(),
        };
        let mut questions = Self {
            args,
            labels,
            made: BTreeMap::new(),
        };
        questions.of(None)?;
        Ok(questions)
    }

    /// The question for articles of a language, and its template.
    pub(super) fn of(&mut self, lang: Option<&str>) -> Result<&(HypothesisTemplate, Question)> {
        let key = lang.map(str::to_owned);
        if !self.made.contains_key(&key) {
            let template = self.template(lang);
            let question = Question::new(&self.labels, &template).map_err(|error| {
                Mistake::new(format!("labels: {error}")).hint("--labels sport,politics,…")
            })?;
            let question = question.with_multi_label(self.args.multi_label);
            self.made.insert(key.clone(), (template, question));
        }
        Ok(&self.made[&key])
    }

    /// The template that was given for the language, else that for all, else the default one.
    fn template(&self, lang: Option<&str>) -> HypothesisTemplate {
        let given = |lang: Option<&str>| {
            let mut templates = self.args.template.iter().rev();
            templates.find(|template| template.lang.as_deref() == lang)
        };
        let given = lang
            .and_then(|lang| given(Some(lang)))
            .or_else(|| given(None));
        match given {
            Some(given) => given.template.clone(),
            None => HypothesisTemplate::of_language(lang),
        }
    }
}

fn of_file(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the labels in {}", path.display()))?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}
