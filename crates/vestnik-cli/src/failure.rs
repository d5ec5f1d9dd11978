//! What went wrong, as one line for a person: `error: …` and, where there is something to do, `hint: …`.

use std::fmt;
use std::io;

/// A mistake of the caller, with what to do about it.
#[derive(Debug)]
pub(crate) struct Mistake {
    message: String,
    hint: Option<String>,
}

impl Mistake {
    /// A mistake that explains itself.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

/// Whether the reader of our output went away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// `error: …` on one line with all causes, then `hint: …` on a line of its own if there is one.
pub(crate) fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {}\n", one_line(error));
    let hint = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Mistake>()?.hint.as_deref());
    if let Some(hint) = hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

/// The causes joined by `: `; a cause that the line already tells is not repeated.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn causes_share_one_line_and_are_not_repeated() {
        let error = anyhow!("no\n such   file")
            .context("cannot read a.txt: no such file")
            .context("tagging failed");
        assert_eq!(
            render(&error),
            "error: tagging failed: cannot read a.txt: no such file\n"
        );
    }

    #[test]
    fn a_hint_is_found_below_a_context() {
        let mistake = Mistake::new("out.jsonl exists").hint("--force overwrites it");
        let error = Err::<(), _>(mistake).context("cannot write").unwrap_err();
        assert_eq!(
            render(&error),
            "error: cannot write: out.jsonl exists\nhint: --force overwrites it\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_recognised_through_contexts() {
        let pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&pipe.context("writing")));
        assert!(!is_broken_pipe(&anyhow!("broken pipe")));
    }
}
