//! `vestnik tag`: articles in, the same articles with their entities out.

mod record;

use anyhow::Result;
use vestnik_core::OffsetUnit;
use vestnik_data::Article;
use vestnik_infer::Vestnik;

use crate::Outcome;
use crate::articles::{self, ArticleArgs, Work};
use crate::model::{self, EntityArgs, ModelArgs};
use crate::progress::{Measures, Progress};
use record::Writer;

/// Arguments of `vestnik tag`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    articles: ArticleArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    entities: EntityArgs,
    /// What to tag, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ner",
        value_name = "TASK,…"
    )]
    tasks: Vec<String>,
    /// Unit of start and end: char (Unicode code points), byte (UTF-8) or utf16
    #[arg(long, default_value_t, value_name = "UNIT")]
    offset_unit: OffsetUnit,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<Outcome> {
    model::refuse_unknown_tasks(&args.tasks)?;
    articles::process(args.articles, || {
        let vestnik = args.model.open(&args.entities)?;
        Ok(Tagging {
            model: args.model,
            vestnik,
            unit: args.offset_unit,
            tokens: 0,
            entities: 0,
        })
    })
}

/// The work and what it has done so far.
struct Tagging {
    model: ModelArgs,
    vestnik: Vestnik,
    unit: OffsetUnit,
    tokens: u64,
    entities: u64,
}

impl Work for Tagging {
    fn begin(&self, first: &Article, progress: &Progress) {
        self.model.tell_device(self.vestnik.device());
        if first.fields.contains_key("entities") {
            progress.note("note: the input's own \"entities\" are replaced");
        }
    }

    fn lines(&mut self, articles: Vec<Article>) -> Result<Vec<String>> {
        let texts: Vec<&str> = articles
            .iter()
            .map(|article| article.text.as_str())
            .collect();
        let analyses = self.vestnik.analyze_batch(&texts)?;
        for analysis in &analyses {
            self.tokens += analysis.tokens as u64;
            self.entities += analysis.entities.len() as u64;
        }
        let writer = Writer::new(&self.vestnik, self.unit);
        let pairs = articles.into_iter().zip(&analyses);
        pairs
            .map(|(article, analysis)| writer.line(article, analysis))
            .collect()
    }

    fn tokens(&self) -> u64 {
        self.tokens
    }

    fn counts(&self) -> Measures {
        vec![("entities", self.entities.into())]
    }
}
