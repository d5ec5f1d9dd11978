//! Sentences that a text may or may not entail.

use std::fmt;
use std::str::FromStr;

use vestnik_core::LabelSet;

use crate::error::{Error, Result};

/// Where the label goes.
const PLACE: &str = "{}";

/// A sentence with a place for a label: `This text is about {}.`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypothesisTemplate(String);

/// The templates of languages that were thought of; another language gets the English one.
const OF_LANGUAGES: [(&str, &str); 11] = [
    ("en", "This text is about {}."),
    ("be", "Гэты тэкст на тэму: {}."),
    ("bg", "Този текст е за {}."),
    ("ru", "Этот текст на тему: {}."),
    ("uk", "Цей текст на тему: {}."),
    ("de", "In diesem Text geht es um {}."),
    ("fr", "Ce texte parle de {}."),
    ("mk", "Овој текст е за {}."),
    ("cs", "Tento text je na téma {}."),
    ("pl", "Ten tekst jest na temat: {}."),
    ("sl", "To besedilo je na temo {}."),
];

impl HypothesisTemplate {
    /// The template of a language, an ISO 639-1 code; the English one where there is none.
    #[must_use]
    pub fn of_language(lang: Option<&str>) -> Self {
        let known = OF_LANGUAGES.iter().find(|(code, _)| Some(*code) == lang);
        Self(known.unwrap_or(&OF_LANGUAGES[0]).1.to_owned())
    }

    /// The sentence with a label in its place.
    #[must_use]
    pub fn with(&self, label: &str) -> String {
        self.0.replacen(PLACE, label, 1)
    }

    /// The sentences for all labels.
    pub(super) fn sentences(&self, labels: &LabelSet) -> Vec<String> {
        labels.iter().map(|label| self.with(label)).collect()
    }
}

impl Default for HypothesisTemplate {
    fn default() -> Self {
        Self::of_language(None)
    }
}

impl FromStr for HypothesisTemplate {
    type Err = Error;

    /// # Errors
    /// [`Error::Template`] unless `{}` is there once.
    fn from_str(text: &str) -> Result<Self> {
        match text.matches(PLACE).count() {
            1 => Ok(Self(text.to_owned())),
            found => Err(Error::Template {
                template: text.to_owned(),
                found,
            }),
        }
    }
}

impl fmt::Display for HypothesisTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_goes_where_the_braces_are() {
        let template: HypothesisTemplate = "О {}!".parse().unwrap();
        assert_eq!(template.with("спорт {}"), "О спорт {}!");
        let labels = LabelSet::new(["a", "б"]).unwrap();
        assert_eq!(template.sentences(&labels), ["О a!", "О б!"]);
    }

    #[test]
    fn braces_are_there_once() {
        for (template, found) in [("about", 0), ("{} or {}", 2), ("", 0), ("{ }", 0)] {
            let error = template.parse::<HypothesisTemplate>().unwrap_err();
            assert!(matches!(error, Error::Template { found: n, .. } if n == found));
        }
    }

    #[test]
    fn languages_have_templates() {
        for (lang, template) in OF_LANGUAGES {
            let of_language = HypothesisTemplate::of_language(Some(lang));
            assert_eq!(template.parse::<HypothesisTemplate>().unwrap(), of_language);
        }
        let english = HypothesisTemplate::default();
        assert_eq!(HypothesisTemplate::of_language(Some("xx")), english);
    }
}
