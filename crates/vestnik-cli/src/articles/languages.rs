//! The languages of articles: recognised by their text, kept or passed over.

use std::collections::BTreeSet;

use rayon::prelude::*;
use vestnik_data::Article;
use vestnik_infer::recognise_language;

/// Recognises languages, and keeps the ones that are wanted.
pub(super) struct Languages {
    /// Only these are tagged; all when there are none.
    only: BTreeSet<String>,
    n_others: u64,
}

impl Languages {
    pub(super) fn new(only: &[String]) -> Self {
        Self {
            only: only.iter().cloned().collect(),
            n_others: 0,
        }
    }

    /// Notes the language of articles that do not say it, and passes over those in languages that are not wanted.
    pub(super) fn sort(&mut self, mut articles: Vec<Article>) -> Vec<Article> {
        articles.par_iter_mut().for_each(|article| {
            if !article.fields.contains_key("lang") {
                article.detected_lang = recognise_language(&article.text).map(str::to_owned);
            }
        });
        if self.only.is_empty() {
            return articles;
        }
        let n_before = articles.len();
        articles.retain(|article| {
            let said = article
                .fields
                .str("lang")
                .map(|lang| primary(&lang).to_lowercase());
            let lang = said.or_else(|| article.detected_lang.clone());
            lang.is_some_and(|lang| self.only.contains(&lang))
        });
        self.n_others += (n_before - articles.len()) as u64;
        articles
    }

    /// Articles that were passed over.
    pub(super) fn n_others(&self) -> u64 {
        self.n_others
    }
}

/// `pt` of `pt-BR`.
fn primary(lang: &str) -> &str {
    lang.split(['-', '_']).next().unwrap_or(lang)
}
