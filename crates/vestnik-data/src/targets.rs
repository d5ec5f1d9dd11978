//! What an article brings beside its text: the targets towards which a stance is asked, and the label of an example.

use vestnik_core::{OffsetUnit, Span};

use crate::articles::Article;
use crate::fields::{Fields, Problems};
use crate::problem::Problem;
use crate::spans::AnnotatedText;

/// The field with the targets.
const TARGETS: &str = "targets";

impl Article {
    /// The targets of the article, `"targets": [{"start": …, "end": …}, …]` with offsets in `unit`, in their order; `None`
    /// where it has no such field, or `null`.
    ///
    /// # Errors
    /// The first thing that is wrong with them: no array of objects, offsets that are missing or no whole numbers, a span
    /// that is empty, blank, outside of the text or ends inside a character.
    pub fn targets(&self, unit: OffsetUnit) -> Result<Option<Vec<Span>>, Problem> {
        let fields = self.fields.only(TARGETS);
        let fields = Fields::new(&fields);
        if !fields.has(TARGETS) {
            return Ok(None);
        }
        let text = AnnotatedText::new(&self.text, unit);
        let spans = fields
            .objects(TARGETS)?
            .map(|target| span(&target?, &text))
            .collect::<Result<_, _>>()?;
        Ok(Some(spans))
    }

    /// The label of the article, a string in a field of it.
    ///
    /// # Errors
    /// The field is not there, no string, or empty.
    pub fn label(&self, field: &str) -> Result<String, Problem> {
        let fields = match self.fields.contains_key(field) {
            true => self.fields.only(field),
            false => self.fields.to_map(),
        };
        Fields::new(&fields).label(field).map(str::to_owned)
    }
}

fn span(target: &Fields<'_>, text: &AnnotatedText<'_>) -> Result<Span, Problem> {
    let mut problems = Problems::default();
    match text.span(target, &mut problems) {
        Some(span) => Ok(span),
        None => Err(problems.into_vec().swap_remove(0)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Position, RecordFields};

    fn article(targets: &serde_json::Value) -> Article {
        let text = "Ёж 😀 и Київ".to_owned();
        let serde_json::Value::Object(fields) = json!({"text": text, "targets": targets}) else {
            unreachable!("an object")
        };
        Article {
            origin: Position {
                path: "a.jsonl".into(),
                line: 3,
            },
            record: 3,
            id: None,
            text,
            parts: Vec::new(),
            detected_lang: None,
            fields: RecordFields::from_map(fields),
        }
    }

    #[test]
    fn offsets_are_in_the_unit_that_was_asked_for() {
        for (unit, start, end) in [
            (OffsetUnit::Char, 7, 11),
            (OffsetUnit::Byte, 13, 21),
            (OffsetUnit::Utf16, 8, 12),
        ] {
            let article = article(&json!([{"start": start, "end": end, "note": 1}]));
            let found = article.targets(unit).unwrap().unwrap();
            assert_eq!(found[0].slice(&article.text), Ok("Київ"), "{unit}");
        }
    }

    #[test]
    fn articles_without_targets_have_none() {
        assert_eq!(article(&json!(null)).targets(OffsetUnit::Char), Ok(None));
        assert_eq!(
            article(&json!([])).targets(OffsetUnit::Char),
            Ok(Some(vec![]))
        );
    }

    #[test]
    fn a_label_is_a_string() {
        let mut article = article(&json!(null));
        assert!(article.label("label").is_err());
        article.fields = RecordFields::parse(r#"{"label":"sport"}"#).unwrap();
        assert_eq!(article.label("label").as_deref(), Ok("sport"));
        article.fields = RecordFields::parse(r#"{"label":""}"#).unwrap();
        let problem = article.label("label").unwrap_err().to_string();
        assert_eq!(problem, "label is empty, expected a label");
    }

    #[test]
    fn the_first_defect_is_told() {
        for (given, expected) in [
            (
                json!("Київ"),
                "targets is a string, expected an array of objects",
            ),
            (
                json!([[0, 1]]),
                "targets[0] is an array, expected an object",
            ),
            (
                json!([{"start": 0, "end": 2}, {"start": 3}]),
                "no field \"targets[1].end\", found \"start\"",
            ),
            (
                json!([{"start": "0", "end": 2}]),
                "targets[0].start is a string, expected a whole number from 0",
            ),
            (
                json!([{"start": -1, "end": 2}]),
                "targets[0].start is a negative or fractional number, expected a whole number from 0",
            ),
            (
                json!([{"start": 0.5, "end": 2}]),
                "targets[0].start is a negative or fractional number, expected a whole number from 0",
            ),
            (json!([{"start": 2, "end": 2}]), "targets[0]"),
            (json!([{"start": 9, "end": 99}]), "targets[0]"),
            (json!([{"start": 2, "end": 3}]), "targets[0]"),
        ] {
            let problem = article(&given).targets(OffsetUnit::Char).unwrap_err();
            assert!(
                problem.to_string().starts_with(expected),
                "{given}: {problem}"
            );
        }
    }
}
