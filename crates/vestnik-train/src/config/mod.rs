//! Run files: one TOML per run, every key with a default where one makes sense, unknown keys refused.

mod adaptation;
mod dataset;
mod distillation;
mod heads;
mod loss;
mod pretrain;
mod run;
mod sampling;
mod shared;

pub use dataset::{Dataset, Fold, LabelMap, LabelMapFile, NER, UNKNOWN};
pub use distillation::DistillationConfig;
pub use heads::{HeadConfig, ScoreName};
pub use loss::{ClassWeights, LossConfig};
pub use pretrain::{MaskingConfig, PretrainConfig, PretrainModel, TextSource};
pub use run::{HeadName, RunConfig, RunModel, SchemeName, WindowConfig};
pub use sampling::SamplingConfig;
pub use shared::{BatchConfig, SaveDtype, ScheduleConfig};

use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Most times that an example may be seen in an epoch.
const MOST_WEIGHT: f64 = 1000.0;

/// Reads a run file, with `key=value` overrides laid over it (`optimizer.learning_rate=1e-4`, `train.0.weight=2`).
///
/// A value that is not TOML by itself is taken as a string, so that `model.base=models/x` needs no quotes.
fn parse<T: DeserializeOwned>(text: &str, overrides: &[String]) -> Result<T> {
    let unreadable = |source| Error::RunFile {
        source: Box::new(source),
    };
    if overrides.is_empty() {
        // Straight from the text: errors then carry line and column.
        return toml::from_str(text).map_err(unreadable);
    }
    let mut table: toml::Table = toml::from_str(text).map_err(unreadable)?;
    // Without a line of the file to name, the override is named behind which nothing was sound any more.
    let mut sound = table.clone().try_into::<T>().is_ok();
    let mut broken_by = None;
    for entry in overrides {
        lay_over(&mut table, entry)?;
        let was_sound = std::mem::replace(&mut sound, table.clone().try_into::<T>().is_ok());
        if sound {
            broken_by = None;
        } else if was_sound {
            broken_by = Some(entry);
        }
    }
    table.try_into().map_err(|source| match broken_by {
        None => unreadable(source),
        Some(entry) => Error::OverrideValue {
            text: entry.clone(),
            source: Box::new(source),
        },
    })
}

/// A run file with all defaults written out, for records.
pub(crate) fn to_json<T: Serialize>(config: &T) -> Result<serde_json::Value> {
    serde_json::to_value(config).map_err(|source| Error::Record { source })
}

fn lay_over(table: &mut toml::Table, entry: &str) -> Result<()> {
    let malformed = || Error::Override {
        text: entry.to_owned(),
    };
    let (path, value) = entry.split_once('=').ok_or_else(malformed)?;
    let keys: Vec<&str> = path.trim().split('.').collect();
    set(table, &keys, &override_value(value.trim())).ok_or_else(malformed)
}

/// Sets the value that `keys` lead to. Of a list of tables, such as `train`, a number leads to one of them, from 0, and any
/// other key to all of them. `None` when the keys lead nowhere.
fn set(table: &mut toml::Table, keys: &[&str], value: &toml::Value) -> Option<()> {
    let (first, rest) = keys.split_first().filter(|(key, _)| !key.is_empty())?;
    if rest.is_empty() {
        table.insert((*first).to_owned(), value.clone());
        return Some(());
    }
    let inner = table
        .entry(*first)
        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
    match inner {
        toml::Value::Table(inner) => set(inner, rest, value),
        toml::Value::Array(list) => set_in_list(list, rest, value),
        _ => None,
    }
}

fn set_in_list(list: &mut [toml::Value], keys: &[&str], value: &toml::Value) -> Option<()> {
    let (first, rest) = keys.split_first()?;
    match first.parse::<usize>() {
        Ok(number) => set(list.get_mut(number)?.as_table_mut()?, rest, value),
        Err(_) => list
            .iter_mut()
            .try_for_each(|inner| set(inner.as_table_mut()?, keys, value)),
    }
}

fn override_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

/// The default of what is on unless it is turned off.
fn yes() -> bool {
    true
}

/// Whether a setting need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Refuses a count below `least`.
fn at_least(key: &'static str, count: impl TryInto<u64>, least: u64) -> Result<()> {
    // A count that does not fit 64 bits is large enough.
    let count = count.try_into().unwrap_or(u64::MAX);
    match count >= least {
        true => Ok(()),
        false => Err(refused(key, &count, format!("at least {least}"))),
    }
}

/// Refuses a number outside a range, NaN included.
pub(crate) fn within(key: &'static str, number: f64, range: RangeInclusive<f64>) -> Result<()> {
    match range.contains(&number) {
        true => Ok(()),
        false => {
            let expected = format!("{} to {}", range.start(), range.end());
            Err(refused(key, &number, expected))
        }
    }
}

/// The error about the value of a setting.
pub(crate) fn refused(
    key: &'static str,
    value: &impl ToString,
    expected: impl Into<String>,
) -> Error {
    Error::Setting {
        key,
        value: value.to_string(),
        expected: expected.into(),
    }
}

#[cfg(test)]
mod tests;
