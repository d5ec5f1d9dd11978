//! What a model can be asked.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};

/// What is asked of a text. As text and in JSON: `ner`, `topic`, `stance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Task {
    /// Who and what is named in it.
    Ner,
    /// What it is about.
    Topic,
    /// How it stands towards each name, or towards given targets.
    Stance,
}

impl Task {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Ner, Self::Topic, Self::Stance];

    /// The name, which is also that of the head in `vestnik.json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ner => "ner",
            Self::Topic => "topic",
            Self::Stance => "stance",
        }
    }
}

/// Shows the name.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Task {
    type Err = Error;

    /// # Errors
    /// [`Error::UnknownTask`] for a name that is none.
    fn from_str(name: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|task| task.as_str() == name)
            .ok_or_else(|| Error::UnknownTask { name: name.into() })
    }
}

/// The tasks to do: those that are asked for, or else all that the model can.
///
/// # Errors
/// [`Error::MissingTask`] for one that the model cannot.
pub(crate) fn chosen(asked: Option<&[Task]>, of_model: &[Task]) -> Result<Vec<Task>> {
    let Some(asked) = asked else {
        return Ok(of_model.to_vec());
    };
    if let Some(&task) = asked.iter().find(|task| !of_model.contains(task)) {
        return Err(Error::MissingTask {
            task,
            known: of_model.to_vec(),
        });
    }
    let mut tasks = asked.to_vec();
    tasks.sort_unstable();
    tasks.dedup();
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for task in Task::ALL {
            assert_eq!(task.to_string().parse::<Task>().unwrap(), task);
        }
        let error = "Topic".parse::<Task>().unwrap_err().to_string();
        assert_eq!(error, "\"Topic\" is no task, expected ner, topic or stance");
    }

    #[test]
    fn what_is_asked_is_done_once_and_in_order() {
        let known = [Task::Ner, Task::Stance];
        assert_eq!(chosen(None, &known).unwrap(), known);
        let twice = [Task::Stance, Task::Ner, Task::Stance];
        assert_eq!(chosen(Some(&twice), &known).unwrap(), known);
        let error = chosen(Some(&[Task::Topic]), &known)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "the model has no head for the task \"topic\"; it has: ner, stance"
        );
    }
}
