//! `vestnik show`: a page of tagged articles, or an overview of a run; one file that needs nothing else.

mod article;
mod overview;
mod page;
mod plots;
mod times;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use vestnik_data::{ArticleOptions, ArticleReader, expand_patterns};

use crate::Outcome;
use crate::failure::Mistake;
use crate::output::{Output, note, refuse_inputs};
use article::Shown;
use overview::Overview;

/// Arguments of `vestnik show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `vestnik tag` has written, as JSON lines or Parquet; - for standard input
    #[arg(value_name = "TAGGED", required = true)]
    inputs: Vec<PathBuf>,
    /// Write the page to FILE [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
    /// An overview in place of the articles: names, topics, stances, and all over time where records have a date
    #[arg(long)]
    report: bool,
    /// Articles on the page
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: usize,
    /// Field that holds the text, as for tag
    #[arg(
        long,
        default_value = "text",
        value_delimiter = ',',
        value_name = "FIELD,…"
    )]
    text_field: Vec<String>,
    /// Field that holds the id
    #[arg(long, default_value = "id", value_name = "FIELD")]
    id_field: String,
    /// Field that holds the date [default: date, published, published_at, timestamp, time or created_at]
    #[arg(long, value_name = "FIELD")]
    date_field: Option<String>,
}

/// Makes the page.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let options = ArticleOptions {
        text_fields: args.text_field.clone(),
        id_field: args.id_field.clone(),
        ..ArticleOptions::default()
    };
    let inputs = expand_patterns(&args.inputs)?;
    refuse_inputs(args.output.as_deref(), &inputs)?;
    let reader = ArticleReader::open(&inputs, options)?;
    let mut output = Output::open(args.output.as_deref(), args.force)?;
    let mut n_rejected = 0;
    let mut articles = reader.filter_map(|found| match found {
        Ok(article) => Some(Shown::of(article, args.date_field.as_deref())),
        Err(rejected) => {
            n_rejected += 1;
            note(&format!("set aside: {rejected}"));
            None
        }
    });
    let page = match args.report {
        true => {
            let mut overview = Overview::default();
            articles.by_ref().for_each(|article| overview.add(&article));
            overview.n_tagged().map(|_| overview.page())
        }
        false => {
            let shown: Vec<Shown> = articles.by_ref().take(args.limit).collect();
            let more = articles.next().is_some();
            shown
                .iter()
                .any(|article| article.is_tagged)
                .then(|| page::page(&shown, more))
        }
    };
    drop(articles);
    let page = page.ok_or_else(|| {
        Mistake::new("no record has \"entities\" or \"topics\"")
            .hint("show takes what vestnik tag has written")
    })?;
    output
        .write_all(page.as_bytes())
        .context("cannot write the page")?;
    output.commit()?;
    Ok(match n_rejected {
        0 => Outcome::Done,
        _ => Outcome::Findings,
    })
}
