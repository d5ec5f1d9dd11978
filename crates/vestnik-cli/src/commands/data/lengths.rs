//! How long texts are: quantiles of a list of lengths.

use serde_json::{Value, json};

use super::table::row;

/// The quantiles that are told, with their names.
const QUANTILES: [(&str, f64); 6] = [
    ("min", 0.0),
    ("10 %", 0.1),
    ("median", 0.5),
    ("90 %", 0.9),
    ("99 %", 0.99),
    ("max", 1.0),
];

/// Lengths of one kind, such as words of a document.
#[derive(Debug, Default)]
pub(super) struct Lengths(Vec<usize>);

impl Lengths {
    pub(super) fn add(&mut self, length: usize) {
        self.0.push(length);
    }

    /// The smallest length that at least the share of all is not above (nearest rank).
    fn quantiles(&self) -> Option<[usize; 6]> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        Some(QUANTILES.map(|(_, share)| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted[rank.saturating_sub(1).min(last)]
        }))
    }

    /// `{"n","min","p10","p50","p90","p99","max"}`; `null` without any.
    pub(super) fn json(&self) -> Value {
        match self.quantiles() {
            None => Value::Null,
            Some([min, p10, p50, p90, p99, max]) => json!({
                "n": self.0.len(),
                "min": min, "p10": p10, "p50": p50, "p90": p90, "p99": p99, "max": max,
            }),
        }
    }

    pub(super) fn header() -> Vec<String> {
        let names = QUANTILES.iter().map(|(name, _)| (*name).to_owned());
        std::iter::once("length".to_owned()).chain(names).collect()
    }

    /// A row of the table; `None` without any length.
    pub(super) fn row(&self, name: &str) -> Option<Vec<String>> {
        let [a, b, c, d, e, f] = self.quantiles()?;
        Some(row(name, &[&a, &b, &c, &d, &e, &f]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_lengths_that_occur() {
        let lengths = Lengths((1..=100).rev().collect());
        assert_eq!(lengths.quantiles(), Some([1, 10, 50, 90, 99, 100]));
        assert_eq!(Lengths(vec![7]).quantiles(), Some([7; 6]));
        assert_eq!(Lengths::default().quantiles(), None);
    }
}
