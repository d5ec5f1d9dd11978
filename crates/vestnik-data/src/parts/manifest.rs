//! What is known of a run: what it reads and with which options, how far it is, and which parts it has written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::journal::{Hashed, Hasher};
use crate::articles::RecordPosition;
use crate::atomic::write_beside;
use crate::error::{Error, Result};

pub(super) const FORMAT_VERSION: u32 = 1;
pub(super) const MANIFEST: &str = "manifest.json";

/// What makes a run what it is: with another value of any of these the output would be another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(pub BTreeMap<String, Value>);

/// A value that is not the same in two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What it is of.
    pub name: String,
    /// The value of the run that was started.
    pub was: Option<Value>,
    /// The value now.
    pub now: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| match value {
            None => "not given".to_owned(),
            Some(value) => value.to_string(),
        };
        write!(
            f,
            "{} was {}, now {}",
            self.name,
            shown(&self.was),
            shown(&self.now)
        )
    }
}

impl Identity {
    /// What is not the same in another run.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let names: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let pairs = names.into_iter().map(|name| Difference {
            name: name.clone(),
            was: self.0.get(name).cloned(),
            now: now.0.get(name).cloned(),
        });
        pairs
            .filter(|difference| difference.was != difference.now)
            .collect()
    }
}

/// A closed part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) file: String,
    pub(super) content: Hashed,
}

/// A place in the input, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    records: u64,
    hash: String,
}

impl Position {
    pub(super) fn new(position: RecordPosition) -> Self {
        Self {
            records: position.records,
            hash: position.hash.to_string(),
        }
    }
}

/// What `manifest.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format_version: u32,
    pub(super) identity: Identity,
    pub(super) position: Position,
    pub(super) counts: BTreeMap<String, u64>,
    /// The suffix of the compression of closed parts.
    pub(super) packing: String,
    pub(super) parts: Vec<Part>,
    pub(super) open: Hashed,
    pub(super) errors: Hashed,
    pub(super) finished: bool,
}

impl Manifest {
    pub(super) fn new(identity: Identity, packing: &str) -> Self {
        let nothing = Hasher::default().hashed();
        Self {
            format_version: FORMAT_VERSION,
            identity,
            position: Position::new(RecordPosition::default()),
            counts: BTreeMap::new(),
            packing: packing.to_owned(),
            parts: Vec::new(),
            open: nothing.clone(),
            errors: nothing,
            finished: false,
        }
    }

    /// How many records of the input were read.
    #[must_use]
    pub fn n_records(&self) -> u64 {
        self.position.records
    }

    /// A hash of these records, as [`RecordPosition::hash`] shows it.
    #[must_use]
    pub fn records_hash(&self) -> &str {
        &self.position.hash
    }

    /// What was counted, by name.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// What makes the run what it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether all of the input was read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let damaged = |reason| Error::DamagedParts {
            path: path.clone(),
            reason,
        };
        let bytes = std::fs::read(&path).map_err(|source| Error::io("read", &path, source))?;
        let json: Value =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if json["format_version"] != FORMAT_VERSION {
            let found = &json["format_version"];
            return Err(damaged(format!(
                "format_version is {found}, this version reads {FORMAT_VERSION}"
            )));
        }
        serde_json::from_value(json).map_err(|error| damaged(error.to_string()))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self).expect("a manifest is JSON");
        write_beside(&folder.join(MANIFEST), |out| writeln!(out, "{json}"))
    }
}
