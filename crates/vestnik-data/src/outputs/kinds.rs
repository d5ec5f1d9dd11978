//! The types of columns, found in the values that they have to hold.

use arrow_schema::{DataType, Field, Fields};
use serde_json::{Number, Value};

/// Digits of which a float of 64 bits keeps all.
const EXACT_DIGITS: usize = 15;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value so far but `null`.
    Unknown,
    Bool,
    /// A whole number of 64 bits with a sign; `exact` when a float keeps it too.
    Int {
        exact: bool,
    },
    /// A whole number of 64 bits without a sign that is too large for one with.
    UInt,
    /// A number that a float of 64 bits keeps as it is written.
    Float,
    Text,
    List(Box<Kind>),
    Struct(Vec<(String, Kind)>),
    /// Values of several types, or numbers that no type keeps: their JSON, as text.
    Json,
}

impl Kind {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) => Self::of_number(number),
            Value::String(_) => Self::Text,
            Value::Array(items) => {
                let kinds = items.iter().map(Self::of);
                Self::List(Box::new(kinds.fold(Self::Unknown, Self::join)))
            }
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::of(value)));
                Self::Struct(fields.collect())
            }
        }
    }

    fn of_number(number: &Number) -> Self {
        let text = number.to_string();
        let exact = digits(&text) <= EXACT_DIGITS;
        if number.is_i64() && text != "-0" {
            return Self::Int { exact };
        }
        if number.is_u64() {
            return Self::UInt;
        }
        // Beyond these a float is infinite, or loses digits.
        let in_range = number
            .as_f64()
            .is_some_and(|float| float == 0.0 || (1e-290..1e290).contains(&float.abs()));
        let is_whole = text != "-0"
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-');
        if exact && in_range && !is_whole {
            Self::Float
        } else {
            Self::Json
        }
    }

    /// What holds the values of both.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => kind,
            (Self::Int { exact: a }, Self::Int { exact: b }) => Self::Int { exact: a && b },
            (Self::Int { exact: true }, Self::Float) | (Self::Float, Self::Int { exact: true }) => {
                Self::Float
            }
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.join(*b))),
            (Self::Struct(a), Self::Struct(b)) => Self::Struct(join_fields(a, b)),
            (a, b) if a == b => a,
            _ => Self::Json,
        }
    }

    /// The type of a column. What is never there is text; a structure without fields, which Parquet has not, is JSON.
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int { .. } => DataType::Int64,
            Self::UInt => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::List(items) => {
                DataType::List(Field::new("element", items.data_type(), true).into())
            }
            Self::Struct(fields) if !fields.is_empty() => {
                let fields = fields
                    .iter()
                    .map(|(name, kind)| Field::new(name, kind.data_type(), true));
                DataType::Struct(fields.collect::<Fields>())
            }
            _ => DataType::Utf8,
        }
    }
}

/// The fields of both, in the order in which they were seen.
pub(super) fn join_fields(
    mut fields: Vec<(String, Kind)>,
    others: Vec<(String, Kind)>,
) -> Vec<(String, Kind)> {
    for (name, kind) in others {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = std::mem::replace(known, Kind::Unknown).join(kind),
            None => fields.push((name, kind)),
        }
    }
    fields
}

/// The digits of a number that count.
fn digits(number: &str) -> usize {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    match mantissa.contains('.') {
        true => digits.trim_end_matches('0').len(),
        false => digits.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &str) -> Kind {
        let values: Vec<Value> = serde_json::from_str(values).unwrap();
        values.iter().map(Kind::of).fold(Kind::Unknown, Kind::join)
    }

    #[test]
    fn numbers_that_no_type_keeps_are_json() {
        for (values, expected) in [
            ("[1, null, -3]", Kind::Int { exact: true }),
            ("[1, 0.1]", Kind::Float),
            ("[1.50, 1e5]", Kind::Float),
            ("[12345678901234567890]", Kind::UInt),
            ("[12345678901234567890, 1]", Kind::Json),
            ("[1e400]", Kind::Json),
            ("[0.12345678901234567]", Kind::Json),
            ("[123456789012345678901234567890]", Kind::Json),
            ("[9007199254740993]", Kind::Int { exact: false }),
            ("[9007199254740993, 0.5]", Kind::Json),
            ("[-0]", Kind::Float),
            ("[1, \"a\"]", Kind::Json),
            ("[null]", Kind::Unknown),
        ] {
            assert_eq!(kind(values), expected, "{values}");
        }
    }

    #[test]
    fn structures_have_the_fields_of_all() {
        let found = kind(r#"[[{"a":1}],[],[{"b":"x","a":2.5}],null]"#);
        let fields = vec![("a".to_owned(), Kind::Float), ("b".to_owned(), Kind::Text)];
        assert_eq!(found, Kind::List(Box::new(Kind::Struct(fields))));
    }
}
