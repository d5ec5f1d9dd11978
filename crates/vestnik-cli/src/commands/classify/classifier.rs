//! The two ways of classifying: by the names of labels, and by examples.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use vestnik_data::Article;
use vestnik_infer::{ClassBasis, Classified, Error, FewShot, TextFeatures, ZeroShot};
use vestnik_model::Device;

use super::labels::Questions;

/// What classifies.
pub(super) enum Classifier {
    /// A model of natural language inference, asked with a sentence for each label.
    ByLabels(Box<ZeroShot>, Questions),
    /// A classifier that learnt from examples, on features of an encoder.
    ByExamples(Box<TextFeatures>, FewShot),
}

impl Classifier {
    /// # Errors
    /// A label that the model cannot read.
    pub(super) fn by_labels(zero_shot: ZeroShot, mut questions: Questions) -> Result<Self> {
        zero_shot.check_labels(&questions.of(None)?.1)?;
        Ok(Self::ByLabels(Box::new(zero_shot), questions))
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::ByLabels(zero_shot, _) => zero_shot.name(),
            Self::ByExamples(features, _) => features.name(),
        }
    }

    pub(super) fn device(&self) -> &Device {
        match self {
            Self::ByLabels(zero_shot, _) => zero_shot.device(),
            Self::ByExamples(features, _) => features.device(),
        }
    }

    /// An answer for each article.
    pub(super) fn classify(
        &mut self,
        articles: &[Article],
    ) -> Result<Vec<(Classified, ClassBasis)>> {
        match self {
            Self::ByLabels(zero_shot, questions) => {
                classify_by_labels(zero_shot, questions, articles)
            }
            Self::ByExamples(features, few_shot) => {
                let texts: Vec<&str> = articles.iter().map(|article| &*article.text).collect();
                let classified = few_shot.classify_batch(features, &texts)?.into_iter();
                let basis = ClassBasis::Examples(few_shot.examples());
                Ok(classified.map(|answer| (answer, basis.clone())).collect())
            }
        }
    }
}

/// An error about one of some articles, told of its place in the chunk.
fn in_chunk(error: Error, places: &[usize]) -> Error {
    match error {
        Error::TimeLimit { text, limit } => Error::TimeLimit {
            text: places[text],
            limit,
        },
        error => error,
    }
}

/// Articles by their language, each with its place in the chunk.
fn classify_by_labels(
    zero_shot: &ZeroShot,
    questions: &mut Questions,
    articles: &[Article],
) -> Result<Vec<(Classified, ClassBasis)>> {
    let mut by_language: BTreeMap<Option<Cow<'_, str>>, Vec<usize>> = BTreeMap::new();
    for (place, article) in articles.iter().enumerate() {
        let lang = article.fields.str("lang");
        by_language.entry(lang).or_default().push(place);
    }
    let mut answers = vec![None; articles.len()];
    for (lang, places) in by_language {
        let (template, question) = questions.of(lang.as_deref())?;
        let texts: Vec<&str> = places
            .iter()
            .map(|&place| articles[place].text.as_str())
            .collect();
        let classified = zero_shot.classify_batch(&texts, question);
        let classified = classified.map_err(|error| in_chunk(error, &places))?;
        for (place, classified) in places.into_iter().zip(classified) {
            answers[place] = Some((classified, ClassBasis::Template(template.to_string())));
        }
    }
    Ok(answers.into_iter().flatten().collect())
}
