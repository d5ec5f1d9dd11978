//! Temperature sampling: small corpora and languages are seen more often than their size says, large ones less.

use std::collections::BTreeMap;

use crate::config::SamplingConfig;
use crate::event::{Sampling, Share};

/// What a language without a name is called (ISO 639-2).
const UNDETERMINED: &str = "und";

/// The examples of one corpus in one language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// Number of the corpus.
    pub(crate) corpus: usize,
    pub(crate) lang: Option<String>,
    pub(crate) n_examples: usize,
    /// How often each example is seen in an epoch, on average.
    pub(crate) weight: f64,
}

/// Multiplies the weights by `n^(1/T - 1)` for the examples `n` of the corpus, and likewise of the language, and by what
/// keeps the length of an epoch.
///
/// So without weights a corpus gets the share `n^(1/T) / Σ n^(1/T)` of an epoch: multinomial sampling with the exponent
/// `α = 1/T` (Conneau & Lample 2019, section 3.1; Conneau et al. 2020), the mixing by temperature of Raffel et al. 2020
/// (section 3.5.2).
pub(crate) fn temper(cells: &mut [Cell], config: &SamplingConfig) {
    if config.is_plain() {
        return;
    }
    let corpora = totals(cells, |cell| cell.corpus);
    let languages = totals(cells, |cell| cell.lang.clone());
    let before = mass(cells);
    for cell in &mut *cells {
        let factor = |n: usize, temperature: f64| (n.max(1) as f64).powf(1.0 / temperature - 1.0);
        cell.weight *= factor(corpora[&cell.corpus], config.corpus_temperature);
        cell.weight *= factor(languages[&cell.lang], config.language_temperature);
    }
    let after = mass(cells);
    if after > 0.0 {
        cells
            .iter_mut()
            .for_each(|cell| cell.weight *= before / after);
    }
}

/// Examples seen in an epoch.
fn mass(cells: &[Cell]) -> f64 {
    cells.iter().map(Cell::seen).sum()
}

fn totals<K: Ord>(cells: &[Cell], key: impl Fn(&Cell) -> K) -> BTreeMap<K, usize> {
    let mut totals = BTreeMap::new();
    for cell in cells {
        *totals.entry(key(cell)).or_insert(0) += cell.n_examples;
    }
    totals
}

/// What corpora and languages get of an epoch; `names` are those of the corpora.
pub(crate) fn sampling(cells: &[Cell], names: &[String]) -> Sampling {
    let name = |corpus: usize| names.get(corpus).cloned().unwrap_or_default();
    let mut languages = shares(cells, |cell| {
        cell.lang.clone().unwrap_or_else(|| UNDETERMINED.to_owned())
    });
    languages.sort_by(|a, b| a.name.cmp(&b.name));
    Sampling {
        corpora: shares(cells, |cell| name(cell.corpus)),
        languages,
    }
}

/// In the order in which the names come first.
fn shares(cells: &[Cell], name: impl Fn(&Cell) -> String) -> Vec<Share> {
    let total = mass(cells);
    let mut shares: Vec<Share> = Vec::new();
    for cell in cells {
        let name = name(cell);
        let known = shares.iter().position(|share| share.name == name);
        let place = known.unwrap_or_else(|| {
            shares.push(Share {
                name,
                ..Share::default()
            });
            shares.len() - 1
        });
        shares[place].examples += cell.n_examples;
        shares[place].per_epoch += cell.seen();
    }
    for share in &mut shares {
        share.share = if total > 0.0 {
            share.per_epoch / total
        } else {
            0.0
        };
    }
    shares
}

impl Cell {
    /// Examples of the cell that are seen in an epoch, on average.
    fn seen(&self) -> f64 {
        self.weight * self.n_examples as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> Vec<Cell> {
        let cell = |corpus, lang: &str, n_examples, weight| Cell {
            corpus,
            lang: Some(lang.to_owned()),
            n_examples,
            weight,
        };
        vec![
            cell(0, "ru", 900, 1.0),
            cell(0, "bg", 100, 1.0),
            cell(1, "bg", 300, 2.0),
        ]
    }

    fn tempered(corpus_temperature: f64, language_temperature: f64) -> Sampling {
        let mut cells = cells();
        let config = SamplingConfig {
            corpus_temperature,
            language_temperature,
        };
        temper(&mut cells, &config);
        sampling(&cells, &["a".to_owned(), "b".to_owned()])
    }

    #[track_caller]
    fn assert_seen(shares: &[Share], expected: &[f64]) {
        assert_eq!(shares.len(), expected.len());
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share.per_epoch - expected).abs() < 1e-9, "{shares:?}");
        }
    }

    #[test]
    fn at_temperature_one_weights_stay_as_they_are() {
        let mut same = cells();
        temper(&mut same, &SamplingConfig::default());
        assert_eq!(same, cells());
        let sampling = tempered(1.0, 1.0);
        assert_seen(&sampling.corpora, &[1000.0, 600.0]);
        assert_seen(&sampling.languages, &[700.0, 900.0]);
        assert_eq!(sampling.corpora[0].share, 0.625);
        assert_eq!(
            (
                sampling.languages[0].name.as_str(),
                sampling.languages[0].examples
            ),
            ("bg", 400)
        );
    }

    #[test]
    fn shares_follow_the_root_of_the_sizes_times_the_weights() {
        // Corpora of 1000 and 300 examples at T = 2, the second with weight 2; an epoch stays 1600 examples long.
        let (a, b) = (1000_f64.sqrt(), 2.0 * 300_f64.sqrt());
        assert_seen(
            &tempered(2.0, 1.0).corpora,
            &[1600.0 * a / (a + b), 1600.0 * b / (a + b)],
        );
        // Of the 400 Bulgarian examples 300 have weight 2: 700 in an epoch, times 400^(1/2 - 1).
        let (ru, bg) = (900.0 / 900_f64.sqrt(), 700.0 / 400_f64.sqrt());
        assert_seen(
            &tempered(1.0, 2.0).languages,
            &[1600.0 * bg / (ru + bg), 1600.0 * ru / (ru + bg)],
        );
    }

    #[test]
    fn a_high_temperature_makes_corpora_equal() {
        let mut even = cells();
        even[2].weight = 1.0;
        let config = SamplingConfig {
            corpus_temperature: 1e9,
            language_temperature: 1.0,
        };
        temper(&mut even, &config);
        let shares = sampling(&even, &["a".to_owned(), "b".to_owned()]).corpora;
        assert!((shares[0].share - 0.5).abs() < 1e-6, "{shares:?}");
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let mut none = cells();
        none.iter_mut().for_each(|cell| cell.weight = 0.0);
        let config = SamplingConfig {
            corpus_temperature: 2.0,
            language_temperature: 2.0,
        };
        temper(&mut none, &config);
        assert!(none.iter().all(|cell| cell.weight == 0.0));
    }
}
