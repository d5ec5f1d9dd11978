//! Whether scores are probabilities, before and after the calibration.

use std::fmt::Write as _;

use super::markup::{escape, table};
use crate::report::Evaluation;
use crate::report::measured::Calibrated;
use crate::report::reliability::{Bin, Reliability};

/// The tables with their explanation; nothing without predictions.
pub(super) fn section(evaluation: &Evaluation) -> String {
    let calibration = evaluation.calibration.as_ref();
    let before = calibration.and_then(|calibration| calibration.uncalibrated_reliability.as_ref());
    let scaled = calibration.and_then(|calibration| calibration.reliability.as_ref());
    let tables: String = [
        (
            "Predicted entities by score",
            evaluation.reliability.as_ref(),
        ),
        ("The same with entities below their least scores", scaled),
        ("The same without the calibration", before),
    ]
    .into_iter()
    .filter_map(|(caption, found)| Some(reliability(caption, found?)))
    .collect();
    if tables.is_empty() {
        return tables;
    }
    let explained = calibration.map_or(String::new(), |calibration| {
        explained(calibration, evaluation)
    });
    format!(
        "<h2>Reliability of scores</h2>\n<p>A score of 0.8 should be right four times in five. The expected calibration \
         error is the mean distance of score and share that is right, weighted by bin.</p>\n{explained}{tables}"
    )
}

fn explained(calibration: &Calibrated, evaluation: &Evaluation) -> String {
    let least: Vec<String> = calibration
        .min_scores
        .iter()
        .map(|(label, score)| format!("{} {score}", escape(label)))
        .collect();
    let least = match least.is_empty() {
        true => "none".to_owned(),
        false => least.join(", "),
    };
    let mut text = format!(
        "<p>The model is calibrated: temperature {}, least scores of entities: {least}. Strict F1 {:.4}, without it \
         {:.4}.</p>\n",
        calibration.temperature,
        evaluation.strict().f1(),
        calibration.uncalibrated.f1()
    );
    if let Some(fit) = &calibration.fit {
        let _ = writeln!(
            text,
            "<p>Fitted on these very documents ({} words): mean negative log-likelihood of the tags {:.4}, before {:.4}. \
             What is gained here is more than can be expected elsewhere.</p>",
            fit.words, fit.loss_after, fit.loss_before
        );
    }
    text
}

fn reliability(caption: &str, Reliability { ece, bins }: &Reliability) -> String {
    let cells = |bin: &Bin| {
        let share = |value: f64| match bin.n {
            0 => String::new(),
            _ => format!("{value:.3}"),
        };
        vec![
            format!("{:.1} to {:.1}", bin.from, bin.to),
            bin.n.to_string(),
            share(bin.mean_score),
            share(bin.accuracy),
        ]
    };
    let rows: Vec<Vec<String>> = bins.iter().map(cells).collect();
    let head = ["score", "predictions", "mean score", "share that is right"];
    let caption = format!("{caption}: expected calibration error {ece:.4}");
    table(&caption, &head, &rows)
}
