//! Typed access to the fields of a JSON record, where every misfit becomes a problem with the path to its field.

use serde_json::{Map, Value};

use crate::json::JsonType;
use crate::problem::Problem;

/// Everything that is wrong with one record.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Gives the value, or takes note of the problem.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all problems of others.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

/// The fields of a record, or of an object inside it.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// The path to this object: empty for the record, else such as `entities[2]`.
    path: String,
}

impl<'a> Fields<'a> {
    /// The fields of a whole record.
    pub(crate) fn new(map: &'a Map<String, Value>) -> Self {
        Self {
            map,
            path: String::new(),
        }
    }

    /// The fields of an object at a path, such as an element of an array.
    pub(crate) fn at(map: &'a Map<String, Value>, path: String) -> Self {
        Self { map, path }
    }

    /// Whether a field is there and is not `null`.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.optional(field).is_some()
    }

    /// The value of a field that may be missing; `null` counts as missing.
    pub(crate) fn value(&self, field: &str) -> Option<&'a Value> {
        self.optional(field)
    }

    /// The path to this object.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The path to a field of this object.
    pub(crate) fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    /// All fields but the named ones.
    pub(crate) fn without(&self, names: &[&str]) -> Map<String, Value> {
        let others = self
            .map
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        others
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn required(&self, field: &str) -> Result<&'a Value, Problem> {
        self.map.get(field).ok_or_else(|| self.missing(field))
    }

    /// That a field is not there.
    pub(crate) fn missing(&self, field: &str) -> Problem {
        Problem::MissingField {
            field: self.path_of(field),
            present: self.map.keys().cloned().collect(),
        }
    }

    /// A field that may be missing; `null` counts as missing.
    fn optional(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    pub(crate) fn wrong_type(&self, field: &str, value: &Value, expected: &'static str) -> Problem {
        Problem::WrongType {
            field: self.path_of(field),
            expected,
            found: JsonType::of(value),
        }
    }

    fn as_str(&self, field: &str, value: &'a Value) -> Result<&'a str, Problem> {
        value
            .as_str()
            .ok_or_else(|| self.wrong_type(field, value, "a string"))
    }

    /// A string, which may be empty.
    pub(crate) fn string(&self, field: &str) -> Result<&'a str, Problem> {
        self.as_str(field, self.required(field)?)
    }

    /// A string, where there is one.
    pub(crate) fn optional_string(&self, field: &str) -> Result<Option<String>, Problem> {
        let value = self.optional(field);
        value
            .map(|value| self.as_str(field, value).map(str::to_owned))
            .transpose()
    }

    /// A text with something in it.
    pub(crate) fn text(&self, field: &str) -> Result<&'a str, Problem> {
        let text = self.string(field)?;
        if text.trim().is_empty() {
            return Err(Problem::EmptyText {
                field: self.path_of(field),
            });
        }
        Ok(text)
    }

    /// A label with something in it.
    pub(crate) fn label(&self, field: &str) -> Result<&'a str, Problem> {
        let label = self.string(field)?;
        if label.is_empty() {
            return Err(Problem::EmptyLabel {
                field: self.path_of(field),
            });
        }
        Ok(label)
    }

    /// A label out of a fixed list.
    pub(crate) fn label_of(&self, field: &str, known: &[&str]) -> Result<&'a str, Problem> {
        one_of(self.path_of(field), self.label(field)?, known)
    }

    /// A string or a number, as text.
    pub(crate) fn identifier(&self, field: &str) -> Result<Option<String>, Problem> {
        match self.optional(field) {
            None => Ok(None),
            Some(Value::String(id)) => Ok(Some(id.clone())),
            Some(Value::Number(id)) => Ok(Some(id.to_string())),
            Some(value) => Err(self.wrong_type(field, value, "a string or a number")),
        }
    }

    /// An offset.
    pub(crate) fn offset(&self, field: &str) -> Result<usize, Problem> {
        let value = self.required(field)?;
        let offset = value
            .as_u64()
            .and_then(|offset| usize::try_from(offset).ok());
        offset.ok_or_else(|| self.wrong_type(field, value, "a whole number from 0"))
    }

    /// A number, where there is one.
    pub(crate) fn optional_number(&self, field: &str) -> Result<Option<f64>, Problem> {
        let number = |value: &Value| {
            value
                .as_f64()
                .ok_or_else(|| self.wrong_type(field, value, "a number"))
        };
        self.optional(field).map(number).transpose()
    }

    /// A list of labels.
    pub(crate) fn labels(&self, field: &str) -> Result<Vec<String>, Problem> {
        self.labels_in(field, self.required(field)?)
    }

    /// A list of labels, where there is one.
    pub(crate) fn optional_labels(&self, field: &str) -> Result<Option<Vec<String>>, Problem> {
        self.optional(field)
            .map(|value| self.labels_in(field, value))
            .transpose()
    }

    fn labels_in(&self, field: &str, value: &'a Value) -> Result<Vec<String>, Problem> {
        let labels = value.as_array().and_then(|items| strings(items));
        let labels = labels.ok_or_else(|| self.wrong_type(field, value, "an array of strings"))?;
        match labels.iter().position(String::is_empty) {
            Some(index) => Err(Problem::EmptyLabel {
                field: format!("{}[{index}]", self.path_of(field)),
            }),
            None => Ok(labels),
        }
    }

    /// The objects of an array, each one or its problem.
    pub(crate) fn objects(
        &self,
        field: &str,
    ) -> Result<impl Iterator<Item = Result<Fields<'a>, Problem>> + use<'a>, Problem> {
        let value = self.required(field)?;
        let items = value
            .as_array()
            .ok_or_else(|| self.wrong_type(field, value, "an array of objects"))?;
        let path = self.path_of(field);
        Ok(items
            .iter()
            .enumerate()
            .map(move |(i, item)| object(item, format!("{path}[{i}]"))))
    }

    /// The names of the fields with strings that are not blank.
    pub(crate) fn strings(&self) -> Vec<String> {
        let strings = self.map.iter().filter(|(_, value)| {
            value
                .as_str()
                .is_some_and(|string| !string.trim().is_empty())
        });
        strings.map(|(name, _)| name.clone()).collect()
    }

    /// An object.
    pub(crate) fn object(&self, field: &str) -> Result<Fields<'a>, Problem> {
        object(self.required(field)?, self.path_of(field))
    }

    /// An object, where there is one.
    pub(crate) fn optional_object(&self, field: &str) -> Result<Option<Fields<'a>>, Problem> {
        self.optional(field)
            .map(|value| object(value, self.path_of(field)))
            .transpose()
    }
}

fn object(value: &Value, path: String) -> Result<Fields<'_>, Problem> {
    match value {
        Value::Object(map) => Ok(Fields { map, path }),
        _ => {
            let found = JsonType::of(value);
            Err(Problem::WrongType {
                field: path,
                expected: "an object",
                found,
            })
        }
    }
}

/// The strings of an array; `None` when one is something else.
fn strings(items: &[Value]) -> Option<Vec<String>> {
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// Accepts a value out of a fixed list.
pub(crate) fn one_of<'a>(
    field: String,
    found: &'a str,
    known: &[&str],
) -> Result<&'a str, Problem> {
    if known.contains(&found) {
        return Ok(found);
    }
    let expected = known.iter().map(|&value| value.to_owned()).collect();
    Err(Problem::UnknownValue {
        field,
        found: found.to_owned(),
        expected,
    })
}
