//! One line of JSON as an object, with nothing lost: field order, numbers as written, and no field twice.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The type of a JSON value. `Display` names it with its article: "a number".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonType {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number without sign and fraction.
    WholeNumber,
    /// Any other number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// The type of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_u64() => Self::WholeNumber,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::WholeNumber => "a number",
            Self::Number => "a negative or fractional number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// Parses one line that must hold one JSON object.
pub(crate) fn parse_object(line: &str) -> Result<Map<String, Value>, Problem> {
    if !line.trim_start().starts_with('{') {
        let value: Value = serde_json::from_str(line)?;
        return Err(Problem::NotAnObject {
            found: JsonType::of(&value),
        });
    }
    let fields = serde_json::from_str(line)?;
    // serde_json keeps the last of two equal fields without a word.
    serde_json::from_str::<NoFieldTwice>(line)?;
    Ok(fields)
}

/// Any JSON value in which no object has one field twice.
struct NoFieldTwice;

impl<'de> Deserialize<'de> for NoFieldTwice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoFieldTwiceVisitor)
    }
}

struct NoFieldTwiceVisitor;

impl<'de> Visitor<'de> for NoFieldTwiceVisitor {
    type Value = NoFieldTwice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoFieldTwice, E> {
        Ok(NoFieldTwice)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoFieldTwice, E> {
        Ok(NoFieldTwice)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoFieldTwice, E> {
        Ok(NoFieldTwice)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoFieldTwice, E> {
        Ok(NoFieldTwice)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoFieldTwice, E> {
        Ok(NoFieldTwice)
    }

    fn visit_unit<E>(self) -> Result<NoFieldTwice, E> {
        Ok(NoFieldTwice)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NoFieldTwice, A::Error> {
        while seq.next_element::<NoFieldTwice>()?.is_some() {}
        Ok(NoFieldTwice)
    }

    // Numbers come here too, as a map with one field: that is how `arbitrary_precision` hands them over.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoFieldTwice, A::Error> {
        let mut fields = HashSet::new();
        while let Some(field) = map.next_key::<String>()? {
            if fields.contains(&field) {
                return Err(A::Error::custom(format_args!(
                    "the field {field:?} is there twice"
                )));
            }
            map.next_value::<NoFieldTwice>()?;
            fields.insert(field);
        }
        Ok(NoFieldTwice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: &str) -> String {
        parse_object(line).unwrap_err().to_string()
    }

    #[test]
    fn order_and_numbers_are_kept() {
        let line = r#"{"z":1.50,"a":[123456789012345678901234567890,-0.0],"text":"ё\u0000"}"#;
        let fields = parse_object(line).unwrap();
        assert_eq!(serde_json::to_string(&fields).unwrap(), line);
    }

    #[test]
    fn defects_are_named_with_their_column() {
        let lines = [
            r#"{"text":"#,
            r#"{"text":NaN}"#,
            r#"{'text':"a"}"#,
            r#"{"text":"a"} {"text":"b"}"#,
            r#"{"text":"\ud83d"}"#,
            "{\"text\":\"a\tb\"}",
            r#"{"a":{"b":1,"c":2,"b":3}}"#,
            r#"{"text":"a","text":"b"}"#,
            r#""text""#,
            "12",
            "hello",
        ];
        let messages = lines.map(|line| format!("{line:<26} {}", problem(line)));
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let line = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(
            problem(&line),
            "invalid JSON at column 132 (recursion limit exceeded), expected one JSON object"
        );
    }
}
