//! Which part of the data is measured on.

use std::path::PathBuf;

use anyhow::Result;
use vestnik_train::Fold;

use crate::failure::Mistake;

/// Parts as run files name them, so that what a run held back is measured from the same files.
#[derive(Debug, Default, clap::Args)]
pub(super) struct PartArgs {
    /// Only a part of the data, such as 1/10: the first of ten, cut by a hash of the texts as `fold` of a run file is
    #[arg(long, value_name = "PART/PARTS")]
    fold: Option<Fold>,
    /// All of the data but this part
    #[arg(long, value_name = "PART/PARTS")]
    without_fold: Option<Fold>,
}

impl PartArgs {
    /// Whether a text is measured on.
    pub(super) fn takes(&self, text: &str) -> bool {
        self.fold.is_none_or(|fold| fold.holds(text))
            && !self.without_fold.is_some_and(|fold| fold.holds(text))
    }

    /// Refuses to measure on nothing.
    pub(super) fn refuse_empty(&self, paths: &[PathBuf], is_empty: bool) -> Result<()> {
        let asked = self.fold.is_some() || self.without_fold.is_some();
        if !(asked && is_empty) {
            return Ok(());
        }
        let names: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let message = format!(
            "{}: no document in the part that is asked for",
            names.join(", ")
        );
        Err(Mistake::new(message)
            .hint("leave out --fold and --without-fold, or name fewer parts")
            .into())
    }
}
