//! Reports of evaluations and runs: one set of numbers, as `report.json` and as `report.html`.

mod card;
mod curves;
mod files;
pub(crate) mod groups;
mod html;
pub(crate) mod measured;
pub(crate) mod reliability;
pub(crate) mod run;
pub(crate) mod scored;
mod worst;

use anyhow::Result;
use serde::Serialize;
use vestnik_core::metrics::{Bootstrap, Counts, EntityConfusion, Interval, seqeval_scores};
use vestnik_core::{Entity, Span};
use vestnik_infer::Vestnik;

pub(crate) use curves::Curves;
pub(crate) use files::ReportFiles;
use groups::{Facet, GroupScores, SeenNames};
pub(crate) use html::escape;
use measured::{Calibrated, Measured};
use reliability::{Reliability, reliability};
use scored::Scored;
use worst::{WorstDocument, worst};

/// The version of `report.json`.
const FORMAT_VERSION: u32 = 1;

/// Everything that a report says.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    format_version: u32,
    /// Version of this program.
    vestnik: &'static str,
    /// The command line that made the report.
    command: String,
    pub(crate) model: ModelFacts,
    pub(crate) data: Vec<DataFacts>,
    /// Absent when nothing was measured: a run without `dev`, pretraining.
    pub(crate) evaluation: Option<Evaluation>,
    /// Absent when the model does not come from a run whose log is there.
    pub(crate) curves: Option<Curves>,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ModelFacts {
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
}

/// A file that was measured on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DataFacts {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) documents: usize,
}

/// Strict entity scores with everything that explains them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Evaluation {
    task: &'static str,
    pub(crate) documents: usize,
    pub(crate) words: usize,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) macro_f1: f64,
    pub(crate) macro_interval: Option<Interval>,
    pub(crate) seqeval_f1: f64,
    pub(crate) groups: GroupScores,
    pub(crate) confusion: EntityConfusion,
    pub(crate) reliability: Option<Reliability>,
    /// Absent when the model is not calibrated.
    pub(crate) calibration: Option<Calibrated>,
    pub(crate) worst: Vec<WorstDocument>,
}

impl Report {
    /// A report about a model, to be filled in.
    pub(crate) fn new(model: ModelFacts, data: Vec<DataFacts>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            vestnik: env!("CARGO_PKG_VERSION"),
            command: command_line(),
            model,
            data,
            evaluation: None,
            curves: None,
        }
    }
}

impl ModelFacts {
    /// What a report says of a model.
    pub(crate) fn of(vestnik: &Vestnik) -> Self {
        Self {
            name: vestnik.name().to_owned(),
            labels: vestnik
                .entity_types()
                .map(|types| types.iter().map(str::to_owned).collect())
                .unwrap_or_default(),
        }
    }
}

impl Evaluation {
    /// Measures; `seen` are the names of the training data, where they are known.
    pub(crate) fn new(
        measured: &Measured,
        bootstrap: Bootstrap,
        seen: Option<&SeenNames>,
    ) -> Result<Self> {
        let documents = &measured.scored;
        let counts = groups::all_counts(documents, seen);
        let mut confusion = EntityConfusion::default();
        for scored in documents {
            confusion.add(&scored.gold, &scored.predicted);
        }
        let is_label = |group: &groups::Group| group.facet == Facet::Label;
        Ok(Self {
            task: "ner",
            documents: documents.len(),
            words: documents.iter().map(|scored| scored.words.len()).sum(),
            bootstrap,
            macro_f1: scored::scores(documents).macro_f1,
            macro_interval: counts.macro_interval(&bootstrap, is_label),
            seqeval_f1: seqeval_f1(documents)?,
            groups: groups::scores(&counts, &bootstrap),
            confusion,
            reliability: reliability(documents),
            calibration: measured.calibrated.clone(),
            worst: worst(documents),
        })
    }

    /// Strict counts over all entities.
    pub(crate) fn strict(&self) -> Counts {
        let overall = self.rows(Facet::Overall).first();
        overall.map(|row| row.counts).unwrap_or_default()
    }

    /// The rows of a table; none when nothing falls under it.
    pub(crate) fn rows(&self, facet: Facet) -> &[groups::GroupScore] {
        self.groups.get(&facet).map_or(&[], Vec::as_slice)
    }
}

/// The arguments of this program, quoted where a shell needs it.
pub(crate) fn command_line() -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@+".contains(c);
    let quote = |arg: String| match !arg.is_empty() && arg.chars().all(is_plain) {
        true => arg,
        false => format!("'{}'", arg.replace('\'', "'\\''")),
    };
    let args = std::env::args_os().skip(1);
    let args = args.map(|arg| quote(arg.to_string_lossy().into_owned()));
    let words: Vec<String> = std::iter::once("vestnik".to_owned()).chain(args).collect();
    words.join(" ")
}

/// Chunks of words as seqeval counts them, over words of our own: close to strict F1, equal where entities begin and end
/// at words.
pub(crate) fn seqeval_f1(documents: &[Scored]) -> Result<f64> {
    let tags = |entities: fn(&Scored) -> &[Entity]| -> Vec<Vec<String>> {
        documents
            .iter()
            .map(|scored| word_tags(&scored.words, entities(scored)))
            .collect()
    };
    let (gold, predicted) = (
        tags(|scored| &scored.gold),
        tags(|scored| &scored.predicted),
    );
    Ok(seqeval_scores(&gold, &predicted)?.micro.f1())
}

/// BIO tags of words: a word belongs to the first entity that it overlaps.
fn word_tags(words: &[Span], entities: &[Entity]) -> Vec<String> {
    let mut tags = Vec::with_capacity(words.len());
    let (mut next, mut previous) = (0, None);
    for word in words {
        while entities
            .get(next)
            .is_some_and(|e| e.span.end() <= word.start())
        {
            next += 1;
        }
        let inside = entities.get(next).filter(|e| e.span.overlaps(*word));
        tags.push(match inside {
            None => "O".to_owned(),
            Some(entity) if previous == Some(next) => format!("I-{}", entity.label),
            Some(entity) => format!("B-{}", entity.label),
        });
        previous = inside.map(|_| next);
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span::new(start, end).unwrap()
    }

    #[test]
    fn words_take_the_tag_of_the_entity_they_overlap() {
        let words = [span(0, 3), span(4, 7), span(8, 12), span(13, 15)];
        let entities = [
            Entity::new(span(0, 7), "PER"),
            Entity::new(span(9, 12), "LOC"),
            Entity::new(span(13, 15), "LOC"),
        ];
        assert_eq!(
            word_tags(&words, &entities),
            ["B-PER", "I-PER", "B-LOC", "B-LOC"]
        );
    }
}
