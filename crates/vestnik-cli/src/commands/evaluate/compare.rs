//! `vestnik evaluate --compare A B`: is the difference between two models more than chance?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use vestnik_core::metrics::{Bootstrap, Counts, Interval, PairedDifference};

use super::gold::{self as annotated, Gold};
use super::{Args, predictions};
use crate::Outcome;
use crate::model::TaskOptions;
use crate::output::print;
use crate::report::groups::{Facet, Group, main_counts};
use crate::report::measured;
use crate::report::scored::{Scored, source_of};

/// What `--json` prints.
#[derive(Serialize)]
struct Comparison<'a> {
    task: &'static str,
    a: &'a str,
    b: &'a str,
    documents: usize,
    bootstrap: Bootstrap,
    groups: BTreeMap<Facet, Vec<Row>>,
}

/// One line: F1 of both, and the difference B less A.
#[derive(Serialize)]
struct Row {
    name: String,
    gold: u64,
    a_f1: f64,
    b_f1: f64,
    #[serde(flatten)]
    paired: PairedDifference,
}

/// Measures both sides over the same documents.
pub(super) fn run(args: &Args, a: &str, b: &str) -> Result<Outcome> {
    let gold = annotated::read_part(&args.data, &args.part)?;
    // A file that does not fit is told before a model computes.
    let files = [read_file(a, &gold)?, read_file(b, &gold)?];
    let mut sides = Vec::new();
    for (name, from_file) in [a, b].into_iter().zip(files) {
        sides.push(match from_file {
            Some(scored) => scored,
            None => run_model(args, name, &gold)?,
        });
    }
    let comparison = Comparison {
        task: "ner",
        a,
        b,
        documents: gold.len(),
        bootstrap: args.bootstrap(),
        groups: compare(&sides[0], &sides[1], &args.bootstrap())?,
    };
    print(&if args.json {
        serde_json::to_string(&comparison)?
    } else {
        table(&comparison)
    })?;
    Ok(Outcome::Done)
}

/// The predictions of a file; `None` when `name` is no file.
fn read_file(name: &str, gold: &[Gold<'_>]) -> Result<Option<Vec<Scored>>> {
    let path = Path::new(name);
    if !path.is_file() {
        return Ok(None);
    }
    let predictions = predictions::read(path, gold)?;
    let scored = gold
        .iter()
        .zip(predictions)
        .map(|(gold, entities)| Scored::new(&gold.document, &source_of(gold.path), entities));
    Ok(Some(scored.collect()))
}

fn run_model(args: &Args, name: &str, gold: &[Gold<'_>]) -> Result<Vec<Scored>> {
    let model = args.model.named(name);
    let vestnik = model.open(&args.entities, &TaskOptions::ner())?;
    annotated::refuse_unknown_labels(gold, measured::ner(&vestnik)?.types())?;
    model.tell_device(vestnik.device());
    Ok(measured::measure(&vestnik, &annotated::sourced(gold), args.progress)?.scored)
}

fn compare(a: &[Scored], b: &[Scored], bootstrap: &Bootstrap) -> Result<BTreeMap<Facet, Vec<Row>>> {
    let (a, b) = (main_counts(a), main_counts(b));
    let (a_totals, b_totals) = (a.totals(), b.totals());
    let of = |totals: &BTreeMap<Group, Counts>, group: &Group| {
        totals.get(group).copied().unwrap_or_default()
    };
    let mut groups: BTreeMap<Facet, Vec<Row>> = BTreeMap::new();
    for (group, paired) in a.paired(&b, bootstrap)? {
        let (a, b) = (of(&a_totals, &group), of(&b_totals, &group));
        groups.entry(group.facet).or_default().push(Row {
            gold: a.gold().max(b.gold()),
            a_f1: a.f1(),
            b_f1: b.f1(),
            paired,
            name: group.name,
        });
    }
    Ok(groups)
}

/// The table for a person.
fn table(comparison: &Comparison<'_>) -> String {
    let mut text = format!(
        "A: {}\nB: {}\n{:<16}{:>8}{:>8}{:>9}{:>22}{:>8}{:>8}\n",
        comparison.a, comparison.b, "F1", "A", "B", "B - A", "95 % interval", "p", "gold"
    );
    for row in comparison.groups.values().flatten() {
        let PairedDifference {
            difference,
            interval,
            p_value,
        } = row.paired;
        let interval = interval.map_or("one document".to_owned(), |Interval { low, high }| {
            format!("{low:+.4} to {high:+.4}")
        });
        let p_value = p_value.map_or(String::new(), |p| format!("{p:.4}"));
        let _ = writeln!(
            text,
            "{:<16}{:>8.4}{:>8.4}{difference:>+9.4}{interval:>22}{p_value:>8}{:>8}",
            row.name, row.a_f1, row.b_f1, row.gold
        );
    }
    if comparison.groups.is_empty() {
        text.push_str("neither gold entities nor predictions: nothing could be compared\n");
    }
    let _ = write!(
        text,
        "{} documents; paired bootstrap over documents, {} resamples; p: two-sided",
        comparison.documents, comparison.bootstrap.resamples
    );
    text
}
