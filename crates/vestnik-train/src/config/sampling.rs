//! `[sampling]`: how often corpora and languages are seen, beyond their size and their weights.

use serde::{Deserialize, Serialize};

use crate::config::within;
use crate::error::Result;

/// `[sampling]`: temperatures over corpora and languages.
///
/// At temperature `T` a corpus of `n` examples gets a share of an epoch proportional to `n^(1/T)`, times its weight; an
/// epoch stays as long as it is by the weights alone. Likewise a language, whose examples are counted over all corpora.
/// With both temperatures both factors apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingConfig {
    /// Temperature over corpora, 0.1 to 1000: 1 (the default) is by size, more evens out, less sharpens.
    pub corpus_temperature: f64,
    /// Temperature over languages, 0.1 to 1000. Default 1.
    pub language_temperature: f64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            corpus_temperature: 1.0,
            language_temperature: 1.0,
        }
    }
}

impl SamplingConfig {
    /// Whether sizes and weights alone decide.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<()> {
        let range = || 0.1..=1000.0;
        within(
            "sampling.corpus_temperature",
            self.corpus_temperature,
            range(),
        )?;
        within(
            "sampling.language_temperature",
            self.language_temperature,
            range(),
        )
    }
}
