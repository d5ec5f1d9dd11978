//! Fields of a JSON object, taken out with their types checked.

use serde_json::{Map, Value};

use crate::problem::Problem;

/// An object of a request.
pub(crate) type Object = Map<String, Value>;

/// What a value is, for messages.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wrong(name: &str, value: &Value, expected: &str) -> Problem {
    let found = kind_of(value);
    Problem::validation(format!("\"{name}\" is {found}, expected {expected}"))
}

/// The problem of a field that is not there.
pub(crate) fn missing(name: &str) -> Problem {
    Problem::validation(format!("no field \"{name}\""))
}

/// Takes a field out; `null` is as good as none.
fn take(object: &mut Object, name: &str) -> Option<Value> {
    object.shift_remove(name).filter(|value| !value.is_null())
}

/// Takes a string out.
pub(crate) fn take_string(object: &mut Object, name: &str) -> Result<Option<String>, Problem> {
    match take(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(name, &other, "a string")),
    }
}

/// Takes a boolean out.
pub(crate) fn take_bool(object: &mut Object, name: &str) -> Result<Option<bool>, Problem> {
    match take(object, name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(value)),
        Some(other) => Err(wrong(name, &other, "true or false")),
    }
}

/// Takes a score out, 0 to 1.
pub(crate) fn take_score(object: &mut Object, name: &str) -> Result<Option<f64>, Problem> {
    let Some(value) = take(object, name) else {
        return Ok(None);
    };
    let score = value.as_f64().filter(|score| (0.0..=1.0).contains(score));
    score.map(Some).ok_or_else(|| match value {
        Value::Number(_) => Problem::validation(format!("\"{name}\" is {value}, expected 0 to 1")),
        _ => wrong(name, &value, "a number from 0 to 1"),
    })
}

/// Takes a list of strings out; one string with commas is a list too.
pub(crate) fn take_names(object: &mut Object, name: &str) -> Result<Option<Vec<String>>, Problem> {
    match take(object, name) {
        None => Ok(None),
        Some(Value::String(names)) => {
            let names = names.split(',').map(|name| name.trim().to_owned());
            Ok(Some(names.collect()))
        }
        Some(Value::Array(values)) => strings(values, name).map(Some),
        Some(other) => Err(wrong(name, &other, "a list of strings")),
    }
}

/// Takes an object out; an empty one if there is none.
pub(crate) fn take_object(object: &mut Object, name: &str) -> Result<Object, Problem> {
    match take(object, name) {
        None => Ok(Object::new()),
        Some(Value::Object(inner)) => Ok(inner),
        Some(other) => Err(wrong(name, &other, "an object")),
    }
}

/// Takes a list out.
pub(crate) fn take_list(object: &mut Object, name: &str) -> Result<Option<Vec<Value>>, Problem> {
    match take(object, name) {
        None => Ok(None),
        Some(Value::Array(values)) => Ok(Some(values)),
        Some(other) => Err(wrong(name, &other, "a list")),
    }
}

/// All values as strings.
pub(crate) fn strings(values: Vec<Value>, name: &str) -> Result<Vec<String>, Problem> {
    let each = values.into_iter().enumerate();
    each.map(|(place, value)| match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(&format!("{name}[{place}]"), &other, "a string")),
    })
    .collect()
}
