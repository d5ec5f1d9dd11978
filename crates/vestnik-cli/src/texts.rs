//! The texts of articles, all in memory, for commands that measure.

use std::path::PathBuf;

use anyhow::Result;
use vestnik_data::{ArticleOptions, ArticleReader};

use crate::failure::Mistake;
use crate::output::note;
use crate::threads::parse_count;

/// Which texts to read.
#[derive(Debug, clap::Args)]
pub(crate) struct TextArgs {
    /// Files (.jsonl, .txt, also .gz or .zst) or folders of them
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Field that holds the text
    #[arg(long, default_value = "text", value_name = "FIELD")]
    text_field: String,
    /// Stop after N articles
    #[arg(long, value_name = "N", value_parser = parse_count)]
    limit: Option<usize>,
}

impl TextArgs {
    /// The texts of all articles that can be read.
    ///
    /// # Errors
    /// An input cannot be opened, or there is no article.
    pub(crate) fn read(&self) -> Result<Vec<String>> {
        let options = ArticleOptions {
            text_fields: vec![self.text_field.clone()],
            ..ArticleOptions::default()
        };
        let mut texts = Vec::new();
        for article in ArticleReader::open(&self.inputs, options)? {
            match article {
                Ok(article) if article.text.trim().is_empty() => {}
                Ok(article) => texts.push(article.text),
                Err(issue) => note(&format!("set aside: {issue}")),
            }
            if self.limit == Some(texts.len()) {
                break;
            }
        }
        if texts.is_empty() {
            return Err(Mistake::new("the input holds no article").into());
        }
        Ok(texts)
    }
}
