//! What `vestnik evaluate` prints: a table for a person, an object for a program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use vestnik_core::metrics::{Bootstrap, Counts, EntityScores, Interval};

use crate::report::groups::{self, Facet};
use crate::report::measured::{Calibrated, Measured};
use crate::report::reliability::{Reliability, reliability};
use crate::report::{scored, seqeval_f1};

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    task: &'static str,
    model: &'a str,
    documents: usize,
    tokens: usize,
    micro_f1: f64,
    /// 95 % bootstrap interval; none for a single document.
    micro_f1_interval: Option<Interval>,
    macro_f1: f64,
    span_only_f1: f64,
    /// Chunks of words as seqeval counts them, over words of our own: close to `micro_f1`, equal where entities
    /// begin and end at words.
    seqeval_f1: f64,
    micro: Counts,
    per_label: BTreeMap<String, Counts>,
    per_lang: BTreeMap<String, Counts>,
    per_lang_label: BTreeMap<String, BTreeMap<String, Counts>>,
    span_only: Counts,
    /// Expected calibration error of the scores of entities; none without predictions.
    ece: Option<f64>,
    /// None for a model that is not calibrated.
    calibration: Option<&'a Calibrated>,
}

impl<'a> Summary<'a> {
    pub(super) fn new(
        model: &'a str,
        measured: &'a Measured,
        bootstrap: &Bootstrap,
    ) -> Result<Self> {
        let EntityScores {
            micro,
            macro_f1,
            per_label,
            per_lang,
            per_lang_label,
            span_only,
            ..
        } = scored::scores(&measured.scored);
        Ok(Self {
            task: "ner",
            model,
            documents: measured.scored.len(),
            tokens: measured.tokens,
            micro_f1: micro.f1(),
            micro_f1_interval: micro_interval(measured, bootstrap),
            macro_f1,
            span_only_f1: span_only.f1(),
            seqeval_f1: seqeval_f1(&measured.scored)?,
            micro,
            per_label,
            per_lang,
            per_lang_label,
            span_only,
            ece: reliability(&measured.scored).map(|reliability| reliability.ece),
            calibration: measured.calibrated.as_ref(),
        })
    }
}

fn micro_interval(measured: &Measured, bootstrap: &Bootstrap) -> Option<Interval> {
    let scores = groups::scores(&groups::main_counts(&measured.scored), bootstrap);
    scores.get(&Facet::Overall)?.first()?.interval
}

/// The table for a person.
pub(super) fn table(summary: &Summary<'_>) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>10}{:>10}{:>10}\n",
        "", "precision", "recall", "F1", "gold"
    );
    row(&mut text, "all (strict)", summary.micro);
    row(&mut text, "all (span only)", summary.span_only);
    for (label, counts) in &summary.per_label {
        row(&mut text, label, *counts);
    }
    for (lang, counts) in &summary.per_lang {
        row(&mut text, lang, *counts);
    }
    let _ = write!(
        text,
        "macro F1 over labels {:.4}; seqeval F1 over words {:.4}; {} documents, {} tokens",
        summary.macro_f1, summary.seqeval_f1, summary.documents, summary.tokens
    );
    if let Some(Interval { low, high }) = summary.micro_f1_interval {
        let _ = write!(text, "; 95 % interval of strict F1 {low:.4} to {high:.4}");
    }
    if let Some(calibrated) = summary.calibration {
        text.push_str(&calibration(calibrated, summary));
    }
    text
}

/// What the calibration is, and what it changes on these data.
fn calibration(calibrated: &Calibrated, summary: &Summary<'_>) -> String {
    let mut text = format!("\ncalibration: temperature {}", calibrated.temperature);
    for (label, score) in &calibrated.min_scores {
        let _ = write!(text, ", {label} from {score}");
    }
    let ece = |reliability: &Option<Reliability>| match reliability {
        Some(Reliability { ece, .. }) => format!("{ece:.4}"),
        None => "none".to_owned(),
    };
    let _ = write!(
        text,
        "\nwithout it: strict F1 {:.4}, now {:.4}; calibration error of the same entities {}, now {}",
        calibrated.uncalibrated.f1(),
        summary.micro_f1,
        ece(&calibrated.uncalibrated_reliability),
        ece(&calibrated.reliability)
    );
    if let Some(fit) = &calibrated.fit {
        let _ = write!(
            text,
            "; loss of tags {:.4}, now {:.4} ({} words)",
            fit.loss_before, fit.loss_after, fit.words
        );
        if !fit.rare.is_empty() {
            let rare = fit.rare.join(", ");
            let _ = write!(text, "\ntoo few entities for a least score: {rare}");
        }
    }
    text
}

fn row(text: &mut String, name: &str, counts: Counts) {
    let _ = writeln!(
        text,
        "{name:<16}{:>10.4}{:>10.4}{:>10.4}{:>10}",
        counts.precision(),
        counts.recall(),
        counts.f1(),
        counts.gold()
    );
}
