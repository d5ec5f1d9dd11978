//! Progress on standard error: a bar, plain lines, JSON lines, or nothing.

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::note;

/// `--progress`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// A line now and then
    Plain,
    /// A JSON object a line, about every second
    Json,
    /// Nothing
    None,
}

/// Time between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two JSON lines.
const JSON_INTERVAL: Duration = Duration::from_secs(1);

/// What is measured, in the order it is shown: a narrow terminal shows the first ones.
pub(crate) type Measures = Vec<(&'static str, Value)>;

enum Form {
    Silent,
    Bar(ProgressBar),
    Plain,
    Json,
}

/// The progress of one piece of work, measured in units of which the total may be known.
pub(crate) struct Progress {
    form: Form,
    total: Option<u64>,
    /// Units that were done before the clock was started.
    base: u64,
    started: Instant,
    shown: Instant,
}

impl Progress {
    /// Starts the clock. `total` is the amount of work, if it is known.
    pub(crate) fn new(mode: ProgressMode, total: Option<u64>) -> Self {
        let form = match mode {
            ProgressMode::None => Form::Silent,
            ProgressMode::Json => Form::Json,
            ProgressMode::Auto if stderr().is_terminal() => Form::Bar(bar(total)),
            ProgressMode::Auto | ProgressMode::Plain => Form::Plain,
        };
        let now = Instant::now();
        Self {
            form,
            total,
            base: 0,
            started: now,
            shown: now,
        }
    }

    /// Work that goes on after `base` units were done earlier: they say nothing about the time left.
    pub(crate) fn starting_at(mut self, base: u64) -> Self {
        self.base = base;
        if let Form::Bar(bar) = &self.form {
            bar.set_position(base);
            bar.reset_eta();
        }
        self
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Tells that `done` units are done; `measures` is asked for only when something is shown.
    pub(crate) fn update(&mut self, done: u64, measures: impl FnOnce() -> Measures) {
        let interval = match &self.form {
            Form::Silent => return,
            Form::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(plain(&measures()));
                return;
            }
            Form::Plain => PLAIN_INTERVAL,
            Form::Json => JSON_INTERVAL,
        };
        if self.shown.elapsed() >= interval {
            self.shown = Instant::now();
            self.show(done, measures());
        }
    }

    /// Prints a line that stays, beside the bar.
    pub(crate) fn note(&self, line: &str) {
        match &self.form {
            Form::Bar(bar) => bar.suspend(|| note(line)),
            _ => note(line),
        }
    }

    /// Tells something that happened: `line`, or `event` where JSON was asked for.
    pub(crate) fn event(&self, line: &str, event: &impl Serialize) {
        match &self.form {
            Form::Silent => {}
            Form::Bar(bar) => bar.suspend(|| note(line)),
            Form::Plain => note(line),
            Form::Json => note(&serde_json::to_string(event).unwrap_or_default()),
        }
    }

    /// Ends the progress; the last measures stay as a line.
    pub(crate) fn finish(mut self, done: u64, measures: Measures) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
            self.form = Form::Plain;
        }
        self.show(done, measures);
    }

    /// Ends the progress as [`Progress::finish`] does; for people the last measures stay as a table.
    pub(crate) fn finish_as_table(mut self, done: u64, measures: Measures) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
            self.form = Form::Plain;
        }
        match self.form {
            Form::Plain => note(&table(&measures, self.elapsed())),
            _ => self.show(done, measures),
        }
    }

    fn show(&self, done: u64, measures: Measures) {
        let eta = self.eta(done);
        match self.form {
            Form::Silent | Form::Bar(_) => {}
            Form::Plain => {
                let mut line = plain(&measures);
                if let Some(eta) = eta {
                    let _ = write!(line, ", {} left", duration(eta));
                }
                note(&line);
            }
            Form::Json => {
                let mut object: Map<String, Value> = measures
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect();
                object.insert("elapsed_s".to_owned(), seconds(self.elapsed()));
                if let Some(eta) = eta {
                    object.insert("eta_s".to_owned(), seconds(eta));
                }
                note(&Value::Object(object).to_string());
            }
        }
    }

    /// Time left at the mean speed so far; `None` at either end or without a total.
    fn eta(&self, done: u64) -> Option<Duration> {
        let left = self.total?.checked_sub(done).filter(|&left| left > 0)?;
        let done = done.checked_sub(self.base).filter(|&done| done > 0)?;
        Some(self.elapsed().mul_f64(left as f64 / done as f64))
    }
}

/// Whatever ends the work, the bar does not stay behind.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{elapsed_precise} {bar:16} {percent:>3} %, {eta} left  {wide_msg}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{elapsed_precise} {spinner}  {wide_msg}",
        ),
    };
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// `articles 120, tokens 3400`.
fn plain(measures: &Measures) -> String {
    let mut line = String::new();
    for (name, value) in measures {
        let separator = if line.is_empty() { "" } else { ", " };
        let name = name.replace('_', " ");
        match value {
            Value::String(text) => write!(line, "{separator}{name} {text}"),
            value => write!(line, "{separator}{name} {value}"),
        }
        .expect("a string takes every text");
    }
    line
}

/// A line for each measure, and one for the time.
fn table(measures: &Measures, elapsed: Duration) -> String {
    let row = |(name, value): &(&str, Value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        format!("{:<18}{value:>14}", name.replace('_', " "))
    };
    let time = ("time", Value::from(duration(elapsed)));
    measures
        .iter()
        .chain([&time])
        .map(row)
        .collect::<Vec<_>>()
        .join("\n")
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

/// Seconds to one decimal.
fn seconds(time: Duration) -> Value {
    Value::from((time.as_secs_f64() * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(Duration::from_secs(12)), "12 s");
        assert_eq!(duration(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(duration(Duration::from_secs(3725)), "1 h 02 min");
    }

    #[test]
    fn measures_are_told_in_order() {
        let measures = vec![
            ("articles", Value::from(3)),
            ("tokens_per_s", Value::from(12)),
        ];
        assert_eq!(plain(&measures), "articles 3, tokens per s 12");
    }

    #[test]
    fn a_table_has_a_line_for_each_measure() {
        let measures = vec![("set_aside", Value::from(3)), ("tokens", Value::from(12))];
        let expected = "set aside                      3\ntokens                        12\ntime                         5 s";
        assert_eq!(table(&measures, Duration::from_secs(5)), expected);
    }

    #[test]
    fn time_left_needs_a_total_and_a_start() {
        let progress = Progress::new(ProgressMode::None, Some(10));
        assert!(progress.eta(0).is_none());
        assert!(progress.eta(10).is_none());
        assert!(progress.eta(5).is_some());
        assert!(Progress::new(ProgressMode::None, None).eta(5).is_none());
        assert!(progress.starting_at(5).eta(5).is_none());
    }
}
