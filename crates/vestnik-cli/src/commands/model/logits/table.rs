//! The numbers as a table for a person.

use super::computer::{Computer, Numbers};
use super::sequence::Sequence;

/// Pieces that are told for a token of a masked language model.
const BEST: usize = 5;

/// The table of one sequence, without a line end.
pub(super) fn of(sequence: &Sequence, computer: &Computer, numbers: &Numbers) -> String {
    let rows = match numbers {
        Numbers::OfSequence(logits) => of_labels(computer.labels(), logits),
        Numbers::OfTokens(rows) if computer.labels().is_empty() => {
            of_pieces(sequence, computer, rows)
        }
        Numbers::OfTokens(rows) | Numbers::Hidden(rows) => {
            of_tokens(sequence, computer.labels(), rows)
        }
    };
    aligned(&rows)
}

fn of_labels(labels: &[String], logits: &[f32]) -> Vec<Vec<String>> {
    let pairs = labels.iter().zip(logits);
    pairs
        .map(|(label, logit)| vec![label.clone(), number(*logit)])
        .collect()
}

fn of_tokens(sequence: &Sequence, labels: &[String], rows: &[Vec<f32>]) -> Vec<Vec<String>> {
    let mut head = head(sequence);
    head.extend_from_slice(labels);
    let rows = rows.iter().enumerate().map(|(token, logits)| {
        let mut row = place(sequence, token);
        row.extend(logits.iter().map(|&logit| number(logit)));
        row
    });
    std::iter::once(head).chain(rows).collect()
}

fn of_pieces(sequence: &Sequence, computer: &Computer, rows: &[Vec<f32>]) -> Vec<Vec<String>> {
    let mut head = head(sequence);
    head.push("best pieces".to_owned());
    let rows = rows.iter().enumerate().map(|(token, logits)| {
        let mut row = place(sequence, token);
        let told = |id: &usize| format!("{} {}", computer.piece(*id), number(logits[*id]));
        let pieces: Vec<String> = best(logits).iter().map(told).collect();
        row.push(pieces.join(", "));
        row
    });
    std::iter::once(head).chain(rows).collect()
}

/// The outputs with the largest numbers, the largest first.
fn best(logits: &[f32]) -> Vec<usize> {
    let mut ids: Vec<usize> = (0..logits.len()).collect();
    ids.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    ids.truncate(BEST);
    ids
}

fn head(sequence: &Sequence) -> Vec<String> {
    let names: &[&str] = match sequence.place {
        Some(_) => &["token", "id", "start", "end"],
        None => &["id"],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

fn place(sequence: &Sequence, token: usize) -> Vec<String> {
    let id = sequence.ids[token].to_string();
    let Some(place) = &sequence.place else {
        return vec![id];
    };
    let (start, end) = place.offsets[token];
    let name = sequence.tokens[token].clone();
    vec![name, id, start.to_string(), end.to_string()]
}

fn number(logit: f32) -> String {
    format!("{logit:.4}")
}

/// Columns of equal width, the first on the left, the others on the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
