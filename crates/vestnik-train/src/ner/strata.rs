//! Which windows are seen equally often: those of a corpus, or of a language of it where languages have a temperature.

use crate::config::RunConfig;
use crate::event::Sampling;
use crate::ner::examples::Examples;
use crate::sampling::{Cell, Stratum, sampling, temper};

/// The strata of a run, and what corpora and languages get.
pub(super) fn strata(examples: &Examples, config: &RunConfig) -> (Vec<Stratum>, Sampling) {
    let (mut cells, members) = cells(examples);
    temper(&mut cells, &config.sampling);
    let names = config.train.iter().map(|dataset| dataset.path.display());
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    let shares = sampling(&cells, &names);
    let by_language = config.sampling.language_temperature != 1.0;
    let strata = if by_language {
        let strata = cells.iter().zip(members);
        strata
            .map(|(cell, examples)| Stratum {
                weight: cell.weight,
                examples,
            })
            .collect()
    } else {
        by_corpus(examples, &cells)
    };
    (strata, shares)
}

/// All languages of a corpus have the same weight.
fn by_corpus(examples: &Examples, cells: &[Cell]) -> Vec<Stratum> {
    let strata = examples.strata.iter().enumerate();
    strata
        .map(|(corpus, stratum)| {
            let cell = cells.iter().find(|cell| cell.corpus == corpus);
            Stratum {
                weight: cell.map_or(stratum.weight, |cell| cell.weight),
                examples: stratum.examples.clone(),
            }
        })
        .collect()
}

/// The languages of all corpora, and the windows of each.
fn cells(examples: &Examples) -> (Vec<Cell>, Vec<Vec<usize>>) {
    let (mut cells, mut members): (Vec<Cell>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for (corpus, stratum) in examples.strata.iter().enumerate() {
        let first = cells.len();
        for &example in &stratum.examples {
            let lang = examples.lang(example);
            let known = cells[first..]
                .iter()
                .position(|cell| cell.lang.as_deref() == lang);
            let place = known.map_or(cells.len(), |known| first + known);
            if place == cells.len() {
                cells.push(Cell {
                    corpus,
                    lang: lang.map(str::to_owned),
                    n_examples: 0,
                    weight: stratum.weight,
                });
                members.push(Vec::new());
            }
            cells[place].n_examples += 1;
            members[place].push(example);
        }
    }
    (cells, members)
}
