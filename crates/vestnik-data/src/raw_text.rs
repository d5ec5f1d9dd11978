//! Raw text to learn from: for language models and tokenizers.

use std::path::PathBuf;

use crate::articles::{Article, ArticleOptions, ArticleReader};
use crate::error::{Error, Result};
use crate::fields::Problems;
use crate::issue::Issue;
use crate::problem::Problem;
use crate::record::{RecordFields, string, type_of};

/// A text with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawText {
    /// The record's id; for a text file its name, inside a folder its path from there.
    pub id: Option<String>,
    /// The language, an ISO 639-1 code.
    pub lang: Option<String>,
    /// The corpus or the outlet.
    pub source: Option<String>,
    /// The text, with at least one character that is no white space.
    pub text: String,
}

/// Reads the texts of files and folders, of what [`ArticleReader`] reads: the field `text` of JSON lines, `.txt` files.
///
/// # Errors
/// As items: [`Error::Input`] for each defect, after which reading goes on; [`Error::NotFound`] or
/// [`Error::NoArticles`] alone, before anything is read.
pub fn read_texts(paths: &[PathBuf]) -> impl Iterator<Item = Result<String>> + Send + use<> {
    read_raw_texts(paths).map(|text| text.map(|text| text.text))
}

/// Reads texts as [`read_texts`] does, with their fields `id`, `lang` and `source`.
///
/// # Errors
/// Those of [`read_texts`].
pub fn read_raw_texts(paths: &[PathBuf]) -> impl Iterator<Item = Result<RawText>> + Send + use<> {
    let (articles, error) = match ArticleReader::open(paths, ArticleOptions::default()) {
        Ok(articles) => (Some(articles), None),
        Err(error) => (None, Some(error)),
    };
    let texts = articles
        .into_iter()
        .flatten()
        .flat_map(|article| match article {
            Ok(article) => raw_texts(article),
            Err(rejected) => rejected.issues().map(|issue| Err(issue.into())).collect(),
        });
    error.into_iter().map(Err).chain(texts)
}

/// The text of an article, or all that is wrong with it.
fn raw_texts(article: Article) -> Vec<Result<RawText>> {
    let Article {
        origin,
        id,
        text,
        fields,
        ..
    } = article;
    let mut problems = Problems::default();
    let lang = problems.keep(optional_string(&fields, "lang"));
    let source = problems.keep(optional_string(&fields, "source"));
    let text = problems.keep(not_blank(text));
    if let (Some(lang), Some(source), Some(text)) = (lang, source, text) {
        return vec![Ok(RawText {
            id,
            lang,
            source,
            text,
        })];
    }
    let issue = |problem| Error::from(Issue::at(&origin.path, origin.line, problem));
    problems
        .into_vec()
        .into_iter()
        .map(issue)
        .map(Err)
        .collect()
}

fn optional_string(
    fields: &RecordFields,
    name: &str,
) -> std::result::Result<Option<String>, Problem> {
    let Some(json) = fields.raw(name).filter(|&json| json != "null") else {
        return Ok(None);
    };
    match string(json) {
        Some(text) => Ok(Some(text.into_owned())),
        None => Err(Problem::WrongType {
            field: name.to_owned(),
            expected: "a string",
            found: type_of(json),
        }),
    }
}

fn not_blank(text: String) -> std::result::Result<String, Problem> {
    if text.trim().is_empty() {
        Err(Problem::EmptyText {
            field: "text".to_owned(),
        })
    } else {
        Ok(text)
    }
}
