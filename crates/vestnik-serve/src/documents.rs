//! The documents of a request: one as the request itself, or many as its `documents`.

use serde_json::Value;
use vestnik_infer::{add_language, recognise_language};

use crate::config::Config;
use crate::fields::{Object, kind_of, missing, take_list};
use crate::problem::Problem;

/// The texts of a request, each with the fields that go back with its answer.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) records: Vec<Object>,
    /// Whether they came in a list.
    are_many: bool,
}

impl Documents {
    /// What is left of a request when its options have been taken out.
    ///
    /// # Errors
    /// There is no text, one is no string, or there are too many or too long ones.
    pub(crate) fn take(mut request: Object, config: &Config) -> Result<Self, Problem> {
        let Some(values) = take_list(&mut request, "documents")? else {
            text_of(&request, config)?;
            return Ok(Self {
                records: vec![request],
                are_many: false,
            });
        };
        if let Some(name) = request.keys().next() {
            let error = format!("unknown field {name:?} beside \"documents\"");
            return Err(Problem::validation(error));
        }
        check_count(values.len(), config)?;
        let each = values.into_iter().enumerate();
        let records = each.map(|(place, value)| {
            record(value, config).map_err(|problem| problem.at(format_args!("documents[{place}]")))
        });
        Ok(Self {
            records: records.collect::<Result<_, _>>()?,
            are_many: true,
        })
    }

    /// Copies of the texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.records.iter().map(|record| match record.get("text") {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        });
        texts.collect()
    }

    /// What `ask` makes of each text and its record; a problem says which document it is in.
    pub(crate) fn each<T>(
        &self,
        ask: impl Fn(&str, &Object) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let each = self.records.iter().enumerate().map(|(place, record)| {
            let text = record
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or_default();
            ask(text, record).map_err(|problem| match self.are_many {
                true => problem.at(format_args!("documents[{place}]")),
                false => problem,
            })
        });
        each.collect()
    }

    /// The answer: the record, or an object with all of them.
    pub(crate) fn into_value(mut self) -> Value {
        if self.are_many {
            let records: Vec<Value> = self.records.into_iter().map(Value::Object).collect();
            let mut answer = Object::new();
            answer.insert("documents".to_owned(), records.into());
            return answer.into();
        }
        self.records.pop().unwrap_or_default().into()
    }
}

fn record(value: Value, config: &Config) -> Result<Object, Problem> {
    match value {
        Value::Object(record) => {
            text_of(&record, config)?;
            Ok(record)
        }
        other => {
            let found = kind_of(&other);
            Err(Problem::validation(format!(
                "it is {found}, expected an object"
            )))
        }
    }
}

fn text_of(record: &Object, config: &Config) -> Result<(), Problem> {
    match record.get("text") {
        Some(Value::String(text)) => check_text(text, config),
        Some(other) => {
            let found = kind_of(other);
            Err(Problem::validation(format!(
                "\"text\" is {found}, expected a string"
            )))
        }
        None => Err(missing("text")),
    }
}

/// Notes the language that the text of a record is recognised in, as `vestnik tag` does; one that the record says stays
/// as it is.
pub(crate) fn note_language(record: &mut Object, config: &Config) {
    if !config.languages || record.contains_key("lang") {
        return;
    }
    let text = record.get("text").and_then(Value::as_str);
    if let Some(lang) = text.and_then(recognise_language) {
        add_language(record, lang);
    }
}

/// A text may have so many characters.
pub(crate) fn check_text(text: &str, config: &Config) -> Result<(), Problem> {
    let limit = config.max_text_chars;
    // Counting takes a pass over the text; most are far from the limit.
    if text.len() > limit && text.chars().count() > limit {
        return Err(Problem::too_large(format!(
            "the text has more than {limit} characters"
        )));
    }
    Ok(())
}

/// A request may have so many texts.
pub(crate) fn check_count(n_texts: usize, config: &Config) -> Result<(), Problem> {
    let limit = config.max_client_batch;
    if n_texts > limit {
        return Err(Problem::too_large(format!(
            "{n_texts} texts, at most {limit} in a request"
        )));
    }
    Ok(())
}
