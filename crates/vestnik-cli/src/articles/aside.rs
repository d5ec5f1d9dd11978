//! Records that cannot be used: told, counted, or the end of the run.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use vestnik_data::Issue;

use super::OnError;
use crate::failure::Mistake;
use crate::output::Output;
use crate::progress::Progress;

/// Where bad records go.
pub(crate) struct Aside {
    file: Option<Output>,
    on_error: OnError,
    count: u64,
    /// The first bad record while no article has been read: if it stays alone it is the reason why there is no output.
    held: Option<Issue>,
}

impl Aside {
    /// Opens `--errors FILE`, if it is given.
    pub(crate) fn open(path: Option<&Path>, force: bool, on_error: OnError) -> Result<Self> {
        let file = path
            .map(|path| Output::open(Some(path), force))
            .transpose()?;
        Ok(Self {
            file,
            on_error,
            count: 0,
            held: None,
        })
    }

    /// Number of records set aside.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Sets a record aside.
    ///
    /// # Errors
    /// The record itself, with `--on-error fail`.
    pub(crate) fn put(&mut self, issue: Issue, progress: &Progress) -> Result<()> {
        if self.on_error == OnError::Fail {
            return Err(Mistake::new(issue.to_string()).into());
        }
        self.count += 1;
        if let Some(file) = &mut self.file {
            let record = json!({
                "path": issue.path,
                "line": issue.line,
                "problem": issue.problem.to_string(),
            });
            return writeln!(file, "{record}").context("cannot write the errors");
        }
        self.settle(progress);
        if self.count == 1 {
            self.held = Some(issue);
        } else {
            tell(&issue, progress);
        }
        Ok(())
    }

    /// Tells the record that was held back: there are articles, so it is no reason to fail.
    pub(crate) fn settle(&mut self, progress: &Progress) {
        if let Some(issue) = self.held.take() {
            tell(&issue, progress);
        }
    }

    /// Ends the list of bad records.
    ///
    /// # Errors
    /// Nothing was read (`any_article` is off), so there is no output to make.
    pub(crate) fn finish(self, any_article: bool) -> Result<()> {
        if let Some(file) = self.file {
            file.commit()?;
        }
        match (any_article, self.held) {
            (true, _) => Ok(()),
            (false, Some(issue)) => Err(Mistake::new(issue.to_string()).into()),
            (false, None) if self.count == 0 => {
                Err(Mistake::new("the input holds no article").into())
            }
            (false, None) => {
                let message = format!(
                    "no article could be read, {} records were set aside",
                    self.count
                );
                Err(Mistake::new(message).into())
            }
        }
    }
}

fn tell(issue: &Issue, progress: &Progress) {
    progress.note(&format!("set aside: {issue}"));
}
