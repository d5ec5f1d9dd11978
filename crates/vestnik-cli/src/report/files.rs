//! `report.html` and `report.json` in their folder: both appear whole, or the folder stays as it was.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_data::AtomicFile;

use super::{Report, html};
use crate::failure::Mistake;
use crate::output::refuse_existing;

const HTML: &str = "report.html";
const JSON: &str = "report.json";

/// The files of a report, open before anything is computed, so that a folder that cannot be written to is told at once.
pub(crate) struct ReportFiles {
    html: AtomicFile,
    json: AtomicFile,
    /// Dropped after the files.
    folder: Folder,
}

impl ReportFiles {
    /// Opens the files in `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// `folder` is a file or cannot be written to, or it holds a report and `force` is off.
    pub(crate) fn open(folder: &Path, force: bool) -> Result<Self> {
        if folder.is_file() {
            return Err(Mistake::new(format!("{} is a file", folder.display()))
                .hint("name a folder for the report")
                .into());
        }
        for name in [HTML, JSON] {
            refuse_existing(&folder.join(name), force)?;
        }
        let folder = Folder::make(folder)?;
        Ok(Self {
            html: AtomicFile::create(&folder.path.join(HTML))?,
            json: AtomicFile::create(&folder.path.join(JSON))?,
            folder,
        })
    }

    /// Writes the report.
    pub(crate) fn write(mut self, report: &Report) -> Result<()> {
        let failed = || format!("cannot write the report to {}", self.folder.path.display());
        let json = serde_json::to_string_pretty(report)?;
        let html = html::page(report);
        writeln!(self.json, "{json}").with_context(failed)?;
        self.html.write_all(html.as_bytes()).with_context(failed)?;
        self.json.commit()?;
        self.html.commit()?;
        self.folder.made = false;
        Ok(())
    }
}

/// A folder that goes away again when it was made here and nothing came into it.
struct Folder {
    path: PathBuf,
    made: bool,
}

impl Folder {
    fn make(path: &Path) -> Result<Self> {
        let made = !path.exists();
        std::fs::create_dir_all(path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            made,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            // It stays when something else was put into it.
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}
