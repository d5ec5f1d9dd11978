//! The table of gold types by predicted types.

use std::collections::BTreeMap;

use vestnik_core::metrics::EntityConfusion;

use super::markup::{escape, table};

/// The table with its explanation; nothing when nothing was measured.
pub(super) fn section(confusion: &EntityConfusion) -> String {
    let labels = confusion.labels();
    if labels.is_empty() {
        return String::new();
    }
    let mut head = vec!["annotated ↓ predicted →"];
    head.extend(&labels);
    head.extend(["wrong bounds", "missed"]);
    let mut rows: Vec<Vec<String>> = labels
        .iter()
        .map(|label| gold_row(confusion, &labels, label))
        .collect();
    let predicted = [
        ("wrong bounds", &confusion.wrong_bounds_predicted),
        ("spurious", &confusion.spurious),
    ];
    rows.extend(predicted.map(|(name, counts)| predicted_row(name, counts, &labels)));
    format!(
        "<h2>Confusion</h2>\n<p>Types of entities whose bounds are equal. Wrong bounds: it overlaps something of the other \
         side, with other bounds. Rows add up to the annotated entities, columns to the predicted ones.</p>\n{}",
        table("Entities by type", &head, &rows)
    )
}

fn gold_row(confusion: &EntityConfusion, labels: &[&str], gold: &str) -> Vec<String> {
    let same = |predicted: &&str| {
        let row = confusion.same_bounds.get(gold);
        let n = row.and_then(|row| row.get(*predicted)).copied();
        let class = if gold == *predicted {
            "diagonal"
        } else {
            "off"
        };
        format!("<td class=\"{class}\">{}</td>", n.unwrap_or_default())
    };
    let mut cells = vec![escape(gold)];
    cells.extend(labels.iter().map(same));
    cells.extend([&confusion.wrong_bounds, &confusion.missed].map(|counts| of(counts, gold)));
    cells
}

fn predicted_row(name: &str, counts: &BTreeMap<String, u64>, labels: &[&str]) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    cells.extend(labels.iter().map(|label| of(counts, label)));
    cells.extend([String::new(), String::new()]);
    cells
}

fn of(counts: &BTreeMap<String, u64>, label: &str) -> String {
    counts.get(label).copied().unwrap_or_default().to_string()
}
