//! `vestnik classify`: articles in, the same articles with the probabilities of labels out.

mod labels;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use vestnik_data::Article;
use vestnik_infer::{Classified, ZeroShot};

use crate::Outcome;
use crate::articles::{self, ArticleArgs, Work};
use crate::model::{ModelArgs, parse_score};
use crate::progress::{Measures, Progress};
use labels::{LabelArgs, Questions};

/// Arguments of `vestnik classify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    articles: ArticleArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Leave out labels with a lower score, 0 to 1: an article that has none left is about something else
    #[arg(long, default_value_t = 0.0, value_name = "X", value_parser = parse_score)]
    min_score: f64,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<Outcome> {
    let questions = Questions::new(args.labels)?;
    articles::process(args.articles, || {
        Ok(Classification {
            zero_shot: args.model.open_zero_shot()?,
            model: args.model,
            questions,
            min_score: args.min_score,
            tokens: 0,
            without_label: 0,
        })
    })
}

/// The work and what it has done so far.
struct Classification {
    model: ModelArgs,
    zero_shot: ZeroShot,
    questions: Questions,
    min_score: f64,
    tokens: u64,
    without_label: u64,
}

/// A label as it is written.
#[derive(Serialize)]
struct ClassRecord<'a> {
    label: &'a str,
    score: f64,
}

/// How the record was made.
#[derive(Serialize)]
struct Provenance<'a> {
    model: &'a str,
    version: &'a str,
    tokens: usize,
    windows: usize,
    tasks: [&'a str; 1],
    template: String,
}

impl Classification {
    /// Articles by their language, each with its place in the chunk.
    fn classify(&mut self, articles: &[Article]) -> Result<Vec<(Classified, String)>> {
        let mut by_language: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for (place, article) in articles.iter().enumerate() {
            let lang = article.fields.get("lang").and_then(Value::as_str);
            by_language.entry(lang).or_default().push(place);
        }
        let mut answers = vec![Default::default(); articles.len()];
        for (lang, places) in by_language {
            let (template, question) = self.questions.of(lang)?;
            let texts: Vec<&str> = places
                .iter()
                .map(|&place| articles[place].text.as_str())
                .collect();
            let classified = self.zero_shot.classify_batch(&texts, question)?;
            for (place, classified) in places.into_iter().zip(classified) {
                answers[place] = (classified, template.to_string());
            }
        }
        Ok(answers)
    }

    /// One line of JSON. Fields `classes` and `vestnik` of the input are replaced.
    fn line(
        &mut self,
        article: Article,
        classified: &Classified,
        template: String,
    ) -> Result<String> {
        let mut fields = article.fields;
        let kept = classified.labels.iter().map(|(label, score)| ClassRecord {
            label,
            score: (f64::from(*score) * 1e4).round() / 1e4,
        });
        let classes: Vec<ClassRecord<'_>> =
            kept.filter(|class| class.score >= self.min_score).collect();
        self.tokens += classified.tokens as u64;
        self.without_label += u64::from(classes.is_empty());
        let provenance = Provenance {
            model: self.zero_shot.name(),
            version: env!("CARGO_PKG_VERSION"),
            tokens: classified.tokens,
            windows: classified.windows,
            tasks: ["classify"],
            template,
        };
        fields.insert("classes".to_owned(), serde_json::to_value(classes)?);
        fields.insert("vestnik".to_owned(), serde_json::to_value(provenance)?);
        Ok(serde_json::to_string(&fields)?)
    }
}

impl Work for Classification {
    fn begin(&self, first: &Article, progress: &Progress) {
        self.model.tell_device(self.zero_shot.device());
        if first.fields.contains_key("classes") {
            progress.note("note: the input's own \"classes\" are replaced");
        }
    }

    fn lines(&mut self, articles: Vec<Article>) -> Result<Vec<String>> {
        let answers = self.classify(&articles)?;
        let pairs = articles.into_iter().zip(answers);
        pairs
            .map(|(article, (classified, template))| self.line(article, &classified, template))
            .collect()
    }

    fn tokens(&self) -> u64 {
        self.tokens
    }

    fn counts(&self) -> Measures {
        vec![("without_label", self.without_label.into())]
    }
}
