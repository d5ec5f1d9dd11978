//! `vestnik train --sweep`: a run for each combination of listed values, and how they compare.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use vestnik_train::{Measures, RunConfig, RunRecord};

use super::grid::{Point, grid};
use super::record::{self, MODEL, RECORD};
use crate::Outcome;
use crate::failure::{Mistake, one_line};
use crate::output::{note, print};
use crate::report;
use crate::training::{Args, Place};

const FILE: &str = "sweep.json";
const REPORT: &str = "report.json";
/// The version of `sweep.json`.
const FORMAT_VERSION: u32 = 1;

/// `sweep.json`.
#[derive(Serialize)]
struct Sweep {
    format_version: u32,
    vestnik: &'static str,
    command: String,
    /// In the order of the grid.
    runs: Vec<Row>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// Its folder within that of the sweep.
    name: String,
    values: Map<String, Value>,
    status: Status,
    /// Why it failed.
    error: Option<String>,
    /// Strict F1 of the finished model on dev.
    f1: Option<f64>,
    /// The score of a run of several tasks: the mean of those of its tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    /// 95 % bootstrap interval of it.
    interval: Option<[f64; 2]>,
    steps: Option<u64>,
    seconds: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Waiting,
    Finished,
    Failed,
}

/// Makes all runs, one after the other. A failed one is told, and the others go on.
pub(super) fn run(args: &Args, sweeps: &[String]) -> Result<Outcome> {
    let points = grid(sweeps, &args.set)?;
    let configs = points
        .iter()
        .map(|point| args.read(RunConfig::parse, &point.overrides()))
        .collect::<Result<Vec<_>>>()?;
    let out = args.default_output("-sweep");
    prepare_folder(&out, args.resume)?;
    let mut sweep = Sweep {
        format_version: FORMAT_VERSION,
        vestnik: env!("CARGO_PKG_VERSION"),
        command: report::command_line(),
        runs: points.iter().map(Row::waiting).collect(),
    };
    for (number, (point, config)) in points.iter().zip(configs).enumerate() {
        note(&format!(
            "run {} of {}: {}",
            number + 1,
            points.len(),
            point.name
        ));
        let row = &mut sweep.runs[number];
        match one(args, config, out.join(&point.name)) {
            Ok(record) => row.finish(&record, &out.join(&point.name)),
            Err(error) => row.fail(&error),
        }
        sweep.write(&out)?;
    }
    print(&sweep.table())?;
    let failed = sweep.runs.iter().any(|row| row.status == Status::Failed);
    Ok(if failed {
        Outcome::Findings
    } else {
        Outcome::Done
    })
}

fn prepare_folder(out: &Path, resume: bool) -> Result<()> {
    let shown = out.display();
    if out.is_file() {
        return Err(Mistake::new(format!("{shown} is a file"))
            .hint("name a folder with -o")
            .into());
    }
    if vestnik_train::holds_run(out) {
        return Err(Mistake::new(format!("{shown} holds a single run"))
            .hint("-o names another folder")
            .into());
    }
    match (out.join(FILE).exists(), resume) {
        (true, false) => Err(Mistake::new(format!("{shown} already holds a sweep"))
            .hint("--resume goes on with it, -o names another folder")
            .into()),
        (false, true) => Err(Mistake::new(format!("{shown} holds no sweep to resume")).into()),
        _ => fs::create_dir_all(out).with_context(|| format!("cannot make the folder {shown}")),
    }
}

/// Makes a run or goes on with it; one that is finished stays as it is.
fn one(args: &Args, config: RunConfig, out: PathBuf) -> Result<RunRecord> {
    if let Some(record) = finished(&config, &out)? {
        if let Some(changed) = record::changed_file(&record, &args.folder())? {
            let message = format!("{} has changed since this run", changed.display());
            return Err(Mistake::new(message).into());
        }
        note("finished before");
        return Ok(record);
    }
    let place = Place {
        folder: args.folder(),
        resume: args.resume && vestnik_train::has_begun(&out),
        out,
    };
    super::train(&args.set_up(config, place)?)
}

/// The record of a run with these settings that is there to its report.
fn finished(config: &RunConfig, out: &Path) -> Result<Option<RunRecord>> {
    let path = out.join(MODEL).join(RECORD);
    if !path.is_file() || !out.join(REPORT).is_file() {
        return Ok(None);
    }
    let record = record::read(&path)?;
    let is_same = record.config == serde_json::to_value(config)?;
    Ok((is_same && record::is_finished(&record)).then_some(record))
}

impl Sweep {
    fn write(&self, out: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        vestnik_data::write_beside(&out.join(FILE), |file| {
            std::io::Write::write_all(file, json.as_bytes())
        })
        .context("cannot write sweep.json")
    }

    /// One line for each run, the best first, failed ones last; equal ones in the order of the grid.
    fn table(&self) -> String {
        let mut rows: Vec<&Row> = self.runs.iter().collect();
        rows.sort_by(|a, b| a.order(b));
        let width = rows.iter().map(|row| row.name.chars().count()).max();
        let width = width.unwrap_or_default();
        let of_several = rows.iter().any(|row| row.score.is_some());
        let measure = if of_several { "score" } else { "dev F1" };
        let mut text = format!(
            "{:<width$}{measure:>9}{:>20}{:>9}",
            "", "95 % interval", "updates"
        );
        for row in rows {
            let _ = write!(text, "\n{:<width$}{}", row.name, row.cells());
        }
        text
    }
}

impl Row {
    fn waiting(point: &Point) -> Self {
        let values = point.values.iter();
        Self {
            name: point.name.clone(),
            values: values
                .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
                .collect(),
            status: Status::Waiting,
            error: None,
            f1: None,
            score: None,
            interval: None,
            steps: None,
            seconds: None,
        }
    }

    fn finish(&mut self, record: &RunRecord, out: &Path) {
        self.status = Status::Finished;
        self.steps = Some(record.steps);
        self.seconds = Some(record.seconds);
        let strict = strict_scores(out).unwrap_or_default();
        self.f1 = strict["f1"].as_f64();
        let best = record.best.as_ref().map(|best| &best.measures);
        if let Some(Measures::MultiTask(measures)) = best {
            self.score = Some(measures.score);
            return;
        }
        let end = |place: usize| strict["interval"][place].as_f64();
        self.interval = end(0).zip(end(1)).map(<[f64; 2]>::from);
    }

    fn fail(&mut self, error: &anyhow::Error) {
        let error = one_line(error);
        note(&format!("failed: {error}"));
        self.status = Status::Failed;
        self.error = Some(error);
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |row: &Self| {
            (
                row.status == Status::Failed,
                -row.score.or(row.f1).unwrap_or(-1.0),
            )
        };
        let (a, b) = (key(self), key(other));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    }

    fn cells(&self) -> String {
        if let Some(error) = &self.error {
            return format!("   failed: {error}");
        }
        let f1 = self
            .score
            .or(self.f1)
            .map_or("none".to_owned(), |f1| format!("{f1:.4}"));
        let interval = self.interval.map_or(String::new(), |[low, high]| {
            format!("{low:.4} to {high:.4}")
        });
        format!("{f1:>9}{interval:>20}{:>9}", self.steps.unwrap_or_default())
    }
}

/// The row of all entities in the report of a run; `None` when nothing was measured.
fn strict_scores(out: &Path) -> Option<Value> {
    let bytes = fs::read(out.join(REPORT)).ok()?;
    let mut report: Value = serde_json::from_slice(&bytes).ok()?;
    report
        .pointer_mut("/evaluation/groups/overall/0")
        .map(Value::take)
}
