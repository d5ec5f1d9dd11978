//! Where a calibration goes: `vestnik.json` of the model itself, or a copy of the model.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_data::AtomicFile;
use vestnik_infer::Metadata;
use vestnik_model::{SETTINGS_FILE, make_directory, write_file};

use super::Args;
use crate::failure::Mistake;

/// The place for a calibrated model, checked before anything is computed.
pub(super) enum CalibratedModel {
    /// The model itself; the file appears when it is complete.
    Itself(Box<AtomicFile>),
    Copy {
        from: PathBuf,
        to: PathBuf,
    },
}

impl CalibratedModel {
    /// `-o DIR`, or the directory of the model.
    ///
    /// # Errors
    /// There is something at `DIR`, the model is in no directory of its own, or the directory cannot be written to.
    pub(super) fn open(args: &Args) -> Result<Self> {
        match &args.output {
            Some(to) => {
                refuse_unmakeable(to)?;
                let from = args.model.directory()?;
                let from = from.ok_or_else(|| no_directory("a copy needs its files"))?;
                Ok(Self::Copy {
                    from,
                    to: to.clone(),
                })
            }
            None => {
                let folder = args.model.folder();
                let folder = folder.ok_or_else(|| no_directory("it stays as it is"))?;
                let file = AtomicFile::create(&folder.join(SETTINGS_FILE))?;
                Ok(Self::Itself(Box::new(file)))
            }
        }
    }

    /// Writes what the model is to say of itself; gives the directory of the calibrated model.
    pub(super) fn write(self, metadata: &Metadata) -> Result<PathBuf> {
        let mut json = serde_json::to_vec_pretty(metadata)?;
        json.push(b'\n');
        match self {
            Self::Itself(mut file) => {
                let path = file.path().to_owned();
                let failed = || format!("cannot write {}", path.display());
                file.write_all(&json).with_context(failed)?;
                file.commit()?;
                Ok(path.parent().map(Path::to_owned).unwrap_or_default())
            }
            Self::Copy { from, to } => {
                make_directory(&to, |partial| -> Result<()> {
                    copy_files(&from, partial)?;
                    Ok(write_file(&partial.join(SETTINGS_FILE), &json)?)
                })?;
                Ok(to)
            }
        }
    }
}

fn refuse_unmakeable(to: &Path) -> Result<()> {
    if to.exists() {
        let message = format!("{} exists", to.display());
        return Err(Mistake::new(message).hint("name another directory").into());
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        Some(parent) if !parent.is_dir() => {
            let message = format!("{}: no such folder", parent.display());
            Err(Mistake::new(message).into())
        }
        _ => Ok(()),
    }
}

fn no_directory(consequence: &str) -> Mistake {
    let message = format!("the model is in no directory of its own: {consequence}");
    Mistake::new(message).hint("name a model directory; -o DIR makes a copy of a model of the hub")
}

/// The files of a model directory but `vestnik.json`; links, as in the cache of the hub, are followed.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("cannot copy {}", from.display());
    for entry in std::fs::read_dir(from).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let is_copied = entry.path().is_file() && entry.file_name() != SETTINGS_FILE;
        if is_copied {
            std::fs::copy(entry.path(), to.join(entry.file_name())).with_context(failed)?;
        }
    }
    Ok(())
}
