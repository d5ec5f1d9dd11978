//! `vestnik train --reproduce`: makes a recorded run again and compares everything that was measured.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use vestnik_data::sha256_file;
use vestnik_model::WEIGHTS_FILE;
use vestnik_train::{RunConfig, RunRecord};

use super::record::{self, MODEL, RECORD};
use crate::Outcome;
use crate::failure::Mistake;
use crate::output::{note, print};
use crate::training::{Args, Place};

/// Most differences that are told.
const TOLD: usize = 20;

/// A run that is to be made again.
struct Recorded {
    record: RunRecord,
    /// Where the record lies: beside the weights, when they are there.
    beside: PathBuf,
    /// The folder of the run.
    run: PathBuf,
}

/// Makes the run again, in a folder of its own.
pub(super) fn run(args: &Args, paths_from: Option<&Path>) -> Result<Outcome> {
    let recorded = Recorded::find(&args.run_file)?;
    let record = &recorded.record;
    let folder = paths_from.map_or_else(|| recorded.parent(), Path::to_owned);
    refuse_other_data(record, &folder)?;
    let place = Place {
        folder,
        out: args.output.clone().unwrap_or_else(|| recorded.beside_run()),
        resume: args.resume,
    };
    let out = place.out.clone();
    let config = recorded.config()?;
    if record.crate_version != env!("CARGO_PKG_VERSION") {
        note(&format!(
            "note: the record is of vestnik {}, this is {}",
            record.crate_version,
            env!("CARGO_PKG_VERSION")
        ));
    }
    let again = super::train(&args.set_up(config, place)?)?;
    let mut differences = differences(record, &again)?;
    let weights = same_weights(&recorded.beside, &out.join(MODEL))?;
    if weights == Some(false) {
        differences.push("the weights of the model".to_owned());
    }
    print(&told(&recorded, &differences, weights))?;
    Ok(match differences.is_empty() {
        true => Outcome::Done,
        false => Outcome::Findings,
    })
}

impl Recorded {
    /// The record of a run: its file, the folder of the model, or the folder of the run.
    fn find(path: &Path) -> Result<Self> {
        let candidates = [
            path.to_owned(),
            path.join(RECORD),
            path.join(MODEL).join(RECORD),
        ];
        let file = candidates.into_iter().find(|path| path.is_file());
        let file = file.ok_or_else(|| {
            Mistake::new(format!("{}: no run.json there", path.display()))
                .hint("name the folder of a finished run, or its run.json")
        })?;
        let record = record::read(&file)?;
        refuse_unfit(&record, &file)?;
        let beside = file.parent().map(Path::to_owned).unwrap_or_default();
        let run = match beside.ends_with(MODEL) {
            true => beside.parent().map(Path::to_owned).unwrap_or_default(),
            false => beside.clone(),
        };
        Ok(Self {
            record,
            beside,
            run,
        })
    }

    /// The folder that holds that of the run.
    fn parent(&self) -> PathBuf {
        match (self.run.file_name(), self.run.parent()) {
            (Some(_), Some(parent)) => parent.to_owned(),
            // `.` or `..`
            _ => self.run.join(".."),
        }
    }

    /// A new folder beside that of the run.
    fn beside_run(&self) -> PathBuf {
        let run = self.run.components().as_path();
        let mut name = run.file_name().unwrap_or(run.as_os_str()).to_owned();
        name.push("-reproduced");
        run.with_file_name(name)
    }

    fn config(&self) -> Result<RunConfig> {
        let config: RunConfig = serde_json::from_value(self.record.config.clone())
            .context("the settings of the record are not understood")?;
        config.check()?;
        Ok(config)
    }
}

fn refuse_unfit(record: &RunRecord, file: &Path) -> Result<()> {
    let file = file.display();
    if record.kind != "train" {
        let message = format!("{file} is the record of a run of {:?}", record.kind);
        return Err(Mistake::new(message)
            .hint("only runs of vestnik train are reproduced")
            .into());
    }
    match record::is_finished(record) {
        true => Ok(()),
        false => Err(Mistake::new(format!(
            "{file} is the record of a run that did not come to its end"
        ))
        .into()),
    }
}

/// Other data give other numbers, which says nothing about the run.
fn refuse_other_data(record: &RunRecord, folder: &Path) -> Result<()> {
    let hint = "--paths-from names the folder that the paths of the run file begin at";
    let changed = record::changed_file(record, folder);
    match changed {
        Ok(None) => Ok(()),
        Ok(Some(path)) => Err(Mistake::new(format!(
            "{} is not what the run learnt from: its SHA-256 is {}",
            path.display(),
            sha256_file(&path)?
        ))
        .hint("a run is reproduced on its own data; run.json has their hashes")
        .into()),
        Err(error) => Err(Mistake::new(crate::failure::one_line(&error))
            .hint(hint)
            .into()),
    }
}

/// What is not as it was, one line each.
fn differences(record: &RunRecord, again: &RunRecord) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let pairs = [
        ("examples", record.examples as u64, again.examples as u64),
        ("updates", record.steps, again.steps),
        ("tokens", record.tokens, again.tokens),
        (
            "evaluations",
            record.evaluations.len() as u64,
            again.evaluations.len() as u64,
        ),
    ];
    for (what, before, now) in pairs {
        if before != now {
            found.push(format!("{what}: {now} instead of {before}"));
        }
    }
    for (before, now) in record.evaluations.iter().zip(&again.evaluations) {
        let (before_json, now_json) = (serde_json::to_value(before)?, serde_json::to_value(now)?);
        compare(
            &format!("after {} updates", before.step),
            &before_json,
            &now_json,
            &mut found,
        );
    }
    Ok(found)
}

/// The leaves of two values that are not equal; names that only one side has count too.
fn compare(at: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, before) in a {
                compare(&format!("{at}, {key}"), before, &now[key.as_str()], found);
            }
            let new = b.iter().filter(|(key, _)| !a.contains_key(*key));
            for (key, now) in new {
                compare(&format!("{at}, {key}"), &Value::Null, now, found);
            }
        }
        _ if before == now => {}
        _ => found.push(format!("{at}: {now} instead of {before}")),
    }
}

/// Whether the weights of two models are the same bytes; `None` when the record came without weights.
fn same_weights(before: &Path, now: &Path) -> Result<Option<bool>> {
    let before = before.join(WEIGHTS_FILE);
    if !before.is_file() {
        return Ok(None);
    }
    Ok(Some(
        sha256_file(&before)? == sha256_file(&now.join(WEIGHTS_FILE))?,
    ))
}

fn told(recorded: &Recorded, differences: &[String], weights: Option<bool>) -> String {
    let (run, record) = (recorded.run.display(), &recorded.record);
    if differences.is_empty() {
        let best = record.best.as_ref();
        let best = best.map_or(String::new(), |best| {
            format!(", the best with {:?}", best.measures.score())
        });
        let weights = if weights.is_some() {
            ", and so are the weights"
        } else {
            ""
        };
        return format!(
            "reproduced {run}: all {} evaluations are equal{best}{weights}",
            record.evaluations.len()
        );
    }
    let mut lines = vec![format!(
        "not reproduced: {} numbers of {run} differ",
        differences.len()
    )];
    lines.extend(differences.iter().take(TOLD).cloned());
    if differences.len() > TOLD {
        lines.push(format!("… and {} more", differences.len() - TOLD));
    }
    lines.join("\n")
}
