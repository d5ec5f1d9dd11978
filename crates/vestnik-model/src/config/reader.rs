//! Typed values out of the JSON object of a `config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::Activation;
use crate::{Error, Result};

/// Counts above this are mistakes: no model has a dimension like it, and products of such counts would overflow.
const LARGEST_COUNT: u64 = 100_000_000;

/// Reads the keys of a `config.json`. A key that is absent or null takes the default, as in the reference.
pub(crate) struct Reader<'a> {
    pub(crate) raw: &'a Map<String, Value>,
    /// For messages.
    pub(crate) path: &'a Path,
}

impl Reader<'_> {
    /// The value of a key, when it is there and not null.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.raw.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn count(&self, key: &'static str, default: usize) -> Result<usize> {
        Ok(self.optional_count(key)?.unwrap_or(default))
    }

    pub(crate) fn optional_count(&self, key: &'static str) -> Result<Option<usize>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let count = value.as_u64().filter(|count| *count <= LARGEST_COUNT);
        count
            .map(|count| Some(count as usize))
            .ok_or_else(|| self.wrong(key, value, "a count"))
    }

    /// A number of any sign without a fraction; some keys say "none" with -1.
    pub(crate) fn integer(&self, key: &'static str, default: i64) -> Result<i64> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value
            .as_i64()
            .filter(|number| number.unsigned_abs() <= LARGEST_COUNT)
            .ok_or_else(|| self.wrong(key, value, "a whole number"))
    }

    pub(crate) fn number(&self, key: &'static str, default: f64) -> Result<f64> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value
            .as_f64()
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.wrong(key, value, "a number"))
    }

    pub(crate) fn flag(&self, key: &'static str, default: bool) -> Result<bool> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value
            .as_bool()
            .ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    pub(crate) fn text(&self, key: &'static str) -> Result<Option<&str>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        value
            .as_str()
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, "a string"))
    }

    pub(crate) fn activation(&self, key: &'static str, default: &str) -> Result<Activation> {
        let name = self.text(key)?.unwrap_or(default);
        Activation::from_name(name).ok_or_else(|| self.unsupported(key, name, Activation::NAMES))
    }

    /// A dropout probability in `0..1`.
    pub(crate) fn probability(&self, key: &'static str, default: f64) -> Result<f64> {
        let probability = self.number(key, default)?;
        if (0.0..1.0).contains(&probability) {
            Ok(probability)
        } else {
            Err(self.problem(format!("{key} is {probability}, expected 0 <= p < 1")))
        }
    }

    /// Refuses a value other than the one that is implemented.
    pub(crate) fn only(&self, key: &'static str, implemented: &'static str) -> Result<()> {
        match self.value(key) {
            None => Ok(()),
            Some(value) if value.as_str() == Some(implemented) => Ok(()),
            Some(value) => Err(self.unsupported(key, &value.to_string(), implemented)),
        }
    }

    fn wrong(&self, key: &str, value: &Value, expected: &str) -> Error {
        let value = shortened(&value.to_string());
        self.problem(format!("{key} is {value}, expected {expected}"))
    }

    pub(crate) fn problem(&self, problem: String) -> Error {
        Error::Config {
            path: self.path.into(),
            problem,
        }
    }

    pub(crate) fn unsupported(
        &self,
        key: &'static str,
        value: &str,
        supported: &'static str,
    ) -> Error {
        Error::Unsupported {
            path: self.path.into(),
            key,
            value: shortened(value),
            supported,
        }
    }
}

/// A value for a message: whatever a file holds, the message stays a line.
fn shortened(value: &str) -> String {
    const MOST: usize = 80;
    match value.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
