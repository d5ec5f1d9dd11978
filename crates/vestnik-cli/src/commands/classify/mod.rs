//! `vestnik classify`: articles in, the same articles with the probabilities of labels out.

mod classifier;
mod examples;
mod labels;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};
use vestnik_data::Article;
use vestnik_infer::{ClassBasis, ClassWriter, Classified};

use crate::Outcome;
use crate::articles::{self, ArticleArgs, Work};
use crate::model::{ModelArgs, parse_score};
use crate::output::refuse_inputs;
use crate::progress::Progress;
use classifier::Classifier;
use examples::ExampleArgs;
use labels::{LabelArgs, Questions};

/// Arguments of `vestnik classify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    articles: ArticleArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    examples: ExampleArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Leave out labels with a lower score, 0 to 1: an article that has none left is about something else
    #[arg(long, default_value_t = 0.0, value_name = "X", value_parser = parse_score)]
    min_score: f64,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<Outcome> {
    let read = args.labels.file().into_iter().chain(args.examples.files());
    let read: Vec<PathBuf> = read.map(Path::to_path_buf).collect();
    refuse_inputs(args.articles.outputs().chain(args.examples.saved()), &read)?;
    args.articles.refuse_outputs_of_entities()?;
    let questions = match args.examples.are_given() {
        true => None,
        false => Some(Questions::new(args.labels)?),
    };
    let examples = args.examples.read()?;
    let model = args.model.with_text_time(args.articles.max_time());
    articles::process(&args.articles, || {
        Ok(Classification {
            classifier: match questions {
                Some(questions) => Classifier::by_labels(model.open_zero_shot()?, questions)?,
                None => args.examples.classifier(&model, &examples)?,
            },
            model,
            min_score: args.min_score,
            tokens: 0,
            without_label: 0,
        })
    })
}

/// The work and what it has done so far.
struct Classification {
    model: ModelArgs,
    classifier: Classifier,
    min_score: f64,
    tokens: u64,
    without_label: u64,
}

impl Classification {
    /// One line of JSON. Fields `classes` and `vestnik` of the input are replaced.
    fn line(
        &mut self,
        article: &Article,
        classified: &Classified,
        basis: &ClassBasis,
    ) -> Result<String> {
        let writer = ClassWriter {
            model: self.classifier.name(),
            basis,
            min_score: self.min_score,
        };
        let mut added = Map::new();
        let n_kept = writer.add(&mut added, classified)?;
        self.tokens += classified.tokens as u64;
        self.without_label += u64::from(n_kept == 0);
        Ok(articles::line(article, added))
    }
}

impl Work for Classification {
    fn identity(&self) -> Result<BTreeMap<String, Value>> {
        self.model.identity(self.classifier.name())
    }

    fn fields(&self) -> Vec<&'static str> {
        vec!["classes", "vestnik"]
    }

    fn begin(&self, first: &Article, progress: &Progress) {
        self.model.tell_device(self.classifier.device());
        if first.fields.contains_key("classes") {
            progress.note("note: the input's own \"classes\" are replaced");
        }
    }

    fn lines(&mut self, articles: &[Article]) -> Result<Vec<String>> {
        let answers = self.classifier.classify(articles)?;
        let pairs = articles.iter().zip(answers);
        pairs
            .map(|(article, (classified, basis))| self.line(article, &classified, &basis))
            .collect()
    }

    fn tokens(&self) -> u64 {
        self.tokens
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("without_label", self.without_label)]
    }
}
