//! The fields of a record: read where they lie, written back as they were.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value};

use super::scan::{MAX_DEPTH, Place, Scan};
use crate::json::{JsonType, parse_object};
use crate::problem::Problem;

/// So many names are compared with each other; a hostile record may have millions.
const FEW_FIELDS: usize = 32;

/// The fields of a JSON object in their order, with the text of the object.
///
/// What is not replaced is written back byte for byte: blanks, spelling of numbers (`1E400`, `0.10`,
/// `12345678901234567890`), escapes.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordFields {
    json: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    value: Range<usize>,
}

impl RecordFields {
    /// Reads a text that must be one JSON object.
    ///
    /// # Errors
    /// [`Problem::InvalidJson`] (half a surrogate pair, more than 127 levels and a field that is there twice included),
    /// [`Problem::NotAnObject`].
    pub fn parse(json: impl Into<String>) -> Result<Self, Problem> {
        Self::parse_or_return(json.into()).map_err(|(problem, _)| problem)
    }

    /// As [`RecordFields::parse`], and gives a text that is no such object back.
    pub(crate) fn parse_or_return(json: String) -> Result<Self, (Problem, String)> {
        let Ok(places) = Scan::new(&json, MAX_DEPTH).object() else {
            return Err((defect(&json), json));
        };
        let named = |(name, value): Place| Field {
            name: string(&json[name]).unwrap_or_default().into_owned(),
            value,
        };
        let fields: Vec<Field> = places.into_iter().map(named).collect();
        if let Some(field) = twice(&fields).map(str::to_owned) {
            return Err((Problem::FieldTwice { field }, json));
        }
        Ok(Self { json, fields })
    }

    /// The fields of a map, as `serde_json` writes them.
    #[must_use]
    pub fn from_map(map: Map<String, Value>) -> Self {
        let json = Value::Object(map).to_string();
        Self::parse(json).expect("serde_json writes JSON")
    }

    /// The object as it was written.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The object as it was written.
    #[must_use]
    pub fn into_json(self) -> String {
        self.json
    }

    /// The names of the fields, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The JSON of a value as it is written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(&self.json[field.value.clone()])
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A string; `None` for a field of another type, or none.
    #[must_use]
    pub fn str(&self, name: &str) -> Option<Cow<'_, str>> {
        string(self.raw(name)?)
    }

    /// The JSON of a value: a field of the name, or else, for `a.b`, the field `b` of the object `a`.
    #[must_use]
    pub fn raw_at(&self, path: &str) -> Option<&str> {
        self.raw(path).or_else(|| {
            let (name, rest) = path.split_once('.')?;
            nested(self.raw(name)?, rest)
        })
    }

    /// The value of one field, in a map of its own: empty where there is no such field.
    #[must_use]
    pub fn only(&self, name: &str) -> Map<String, Value> {
        let value = self.get(name).map(|value| (name.to_owned(), value));
        value.into_iter().collect()
    }

    /// All values.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// The object with fields replaced where they are, and the others added behind the last; `values` are names and JSON.
    #[must_use]
    pub fn with(&self, values: &[(&str, String)]) -> String {
        let added: usize = values
            .iter()
            .map(|(name, json)| name.len() + json.len() + 4)
            .sum();
        let mut text = String::with_capacity(self.json.len() + added);
        let mut from = 0;
        for field in &self.fields {
            if let Some((_, json)) = values.iter().find(|(name, _)| *name == field.name) {
                text.push_str(&self.json[from..field.value.start]);
                text.push_str(json);
                from = field.value.end;
            }
        }
        let end = self
            .fields
            .last()
            .map_or_else(|| self.open_end(), |field| field.value.end);
        text.push_str(&self.json[from..end]);
        let mut separator = if self.fields.is_empty() { "" } else { "," };
        for (name, json) in values.iter().filter(|(name, _)| !self.contains_key(name)) {
            text.push_str(separator);
            text.push_str(&Value::from(*name).to_string());
            text.push(':');
            text.push_str(json);
            separator = ",";
        }
        text.push_str(&self.json[end..]);
        text
    }

    /// Behind the bracket of an object without fields.
    fn open_end(&self) -> usize {
        self.json.find('{').map_or(0, |at| at + 1)
    }
}

impl fmt::Display for RecordFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

/// Why a text is no object.
fn defect(json: &str) -> Problem {
    match parse_object(json) {
        Err(problem) => problem,
        Ok(_) => Problem::InvalidJson {
            column: 1,
            reason: "not understood".to_owned(),
        },
    }
}

/// The first field whose name has been there before.
fn twice(fields: &[Field]) -> Option<&str> {
    let names = fields.iter().map(|field| field.name.as_str());
    if fields.len() <= FEW_FIELDS {
        let mut places = names.enumerate();
        let earlier = |at: usize| fields[..at].iter();
        let is_repeated =
            |(at, name): &(usize, &str)| earlier(*at).any(|other| other.name == *name);
        return places.find(is_repeated).map(|(_, name)| name);
    }
    let mut seen = HashSet::with_capacity(fields.len());
    names.into_iter().find(|name| !seen.insert(*name))
}

/// The text of a JSON string that was checked; `None` for JSON of another type.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// A value inside of an object.
fn nested<'a>(json: &'a str, path: &str) -> Option<&'a str> {
    let places = Scan::new(json, MAX_DEPTH).object().ok()?;
    let value = |wanted: &str| {
        let mut places = places.iter();
        let found = places
            .find(|(name, _)| string(&json[name.clone()]).is_some_and(|name| name == wanted))?;
        Some(&json[found.1.clone()])
    };
    value(path).or_else(|| {
        let (name, rest) = path.split_once('.')?;
        nested(value(name)?, rest)
    })
}

/// The type of the value that a JSON text is.
pub(crate) fn type_of(json: &str) -> JsonType {
    JsonType::of(&serde_json::from_str(json).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"{ "z":1E400, "text":"\u0421офия" ,"meta":{"a":{"b":"x"},"n":0.10}, "entities":[ ] } "#;

    #[test]
    fn what_is_not_replaced_stays_as_it_was_written() {
        let record = RecordFields::parse(LINE).unwrap();
        assert_eq!(record.with(&[]), LINE);
        let line = record.with(&[("entities", "[1]".to_owned()), ("vestnik", "{}".to_owned())]);
        assert_eq!(
            line,
            r#"{ "z":1E400, "text":"\u0421офия" ,"meta":{"a":{"b":"x"},"n":0.10}, "entities":[1],"vestnik":{} } "#
        );
        let again = RecordFields::parse(line.clone()).unwrap();
        assert_eq!(
            again.with(&[("entities", "[1]".to_owned()), ("vestnik", "{}".to_owned())]),
            line
        );
        let empty = RecordFields::parse(" {} ").unwrap();
        assert_eq!(
            empty.with(&[("a", "1".to_owned()), ("b", "2".to_owned())]),
            " {\"a\":1,\"b\":2} "
        );
    }

    #[test]
    fn values_are_found_by_name_and_by_path() {
        let record = RecordFields::parse(LINE).unwrap();
        assert_eq!(record.str("text").unwrap(), "София");
        assert_eq!(record.raw_at("meta.a.b"), Some("\"x\""));
        assert_eq!(record.raw_at("meta.n"), Some("0.10"));
        assert_eq!(record.raw_at("meta.a.c"), None);
        assert_eq!(record.raw_at("text.a"), None);
        let dotted = RecordFields::parse(r#"{"a.b":1,"a":{"b":2}}"#).unwrap();
        assert_eq!(dotted.raw_at("a.b"), Some("1"));
    }

    #[test]
    fn a_field_that_is_there_twice_is_a_defect() {
        let problem = RecordFields::parse(r#"{"a":1,"\u0061":2}"#).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the field \"a\" is there twice, expected each field once"
        );
        assert!(RecordFields::parse(r#"{"a":{"b":1,"b":2}}"#).is_ok());
    }

    #[test]
    fn a_record_of_very_many_fields_is_read_in_one_pass() {
        let fields: Vec<String> = (0..400_000).map(|n| format!("\"f{n}\":1")).collect();
        let many = |last: &str| format!("{{{},{last}}}", fields.join(","));
        assert!(RecordFields::parse(many("\"text\":\"Sofia\"")).is_ok());
        let problem = RecordFields::parse(many("\"f7\":2")).unwrap_err();
        assert!(matches!(problem, Problem::FieldTwice { field } if field == "f7"));
    }
}
