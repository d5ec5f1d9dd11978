//! Which windows are seen equally often: those of a corpus, or of a language of it where languages have a temperature.

use crate::config::{NER, RunConfig};
use crate::event::Sampling;
use crate::sampling::{Cell, Stratum, sampling, temper};
use crate::trainer::TrainingTask;

/// The strata of a run, and what corpora and languages get.
pub(crate) fn strata(task: &TrainingTask, config: &RunConfig) -> (Vec<Stratum>, Sampling) {
    let corpora = task.strata();
    let (mut cells, members) = cells(&corpora, |example| task.lang(example));
    temper(&mut cells, &config.sampling);
    let shares = sampling(&cells, &names(config));
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
        by_corpus(corpora, &cells)
    };
    (strata, shares)
}

/// What the corpora are called, in the order of their examples: those with entities, then those of each head.
fn names(config: &RunConfig) -> Vec<String> {
    let heads = config.model.heads.iter().map(|head| head.task.as_str());
    let tasks = std::iter::once(NER).chain(heads);
    let of_task = |task| config.train.iter().filter(move |data| data.task == task);
    let corpora = tasks.flat_map(of_task);
    corpora
        .map(|data| data.path.display().to_string())
        .collect()
}

/// All languages of a corpus have the same weight.
fn by_corpus(corpora: Vec<Stratum>, cells: &[Cell]) -> Vec<Stratum> {
    let corpora = corpora.into_iter().enumerate();
    corpora
        .map(|(corpus, stratum)| {
            let cell = cells.iter().find(|cell| cell.corpus == corpus);
            Stratum {
                weight: cell.map_or(stratum.weight, |cell| cell.weight),
                examples: stratum.examples,
            }
        })
        .collect()
}

/// The languages of all corpora, and the windows of each.
fn cells<'a>(
    corpora: &[Stratum],
    lang: impl Fn(usize) -> Option<&'a str>,
) -> (Vec<Cell>, Vec<Vec<usize>>) {
    let (mut cells, mut members): (Vec<Cell>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for (corpus, stratum) in corpora.iter().enumerate() {
        let first = cells.len();
        for &example in &stratum.examples {
            let lang = lang(example);
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
