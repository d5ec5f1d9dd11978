//! What a model finds in annotated documents, and how it is calibrated on them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;
use vestnik_core::Document;
use vestnik_core::metrics::{Counts, group_counts};
use vestnik_infer::{Calibration, Calibrator, Fit, NerPipeline, Tagged, Vestnik};

use super::reliability::{Reliability, Tally};
use super::scored::Scored;
use crate::progress::{Progress, ProgressMode};

/// Documents that are handed to the model at once.
const CHUNK: usize = 64;

/// A document to measure on, with its source.
pub(crate) type Sourced<'a> = (&'a Document, String);

/// What was measured.
pub(crate) struct Measured {
    pub(crate) scored: Vec<Scored>,
    pub(crate) tokens: usize,
    /// `None` for a model that is not calibrated.
    pub(crate) calibrated: Option<Calibrated>,
}

/// What a calibration changes on the documents that were measured on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Calibrated {
    pub(crate) temperature: f64,
    pub(crate) min_scores: BTreeMap<String, f64>,
    /// Present when the calibration was fitted on these very documents.
    pub(crate) fit: Option<FitFacts>,
    /// Strict scores of the same model without it.
    pub(crate) uncalibrated: Counts,
    pub(crate) uncalibrated_reliability: Option<Reliability>,
    /// With the temperature and without least scores: of the same entities as without the calibration.
    pub(crate) reliability: Option<Reliability>,
}

/// How a calibration was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FitFacts {
    pub(crate) words: usize,
    /// Mean negative log-likelihood of the words' tags, in nats.
    pub(crate) loss_before: f64,
    pub(crate) loss_after: f64,
    /// Labels with too few entities for a least score.
    pub(crate) rare: Vec<String>,
}

/// The same documents without the calibration, and without its least scores.
#[derive(Default)]
struct Uncalibrated {
    counts: Counts,
    raw: Tally,
    scaled: Tally,
}

impl Uncalibrated {
    fn add(&mut self, (document, source): &Sourced<'_>, raw: Tagged, scaled: Tagged) {
        let raw = Scored::new(document, source, raw.entities);
        let counts = group_counts(&raw.gold, &raw.predicted, |_| ());
        self.counts += counts.into_values().sum();
        self.raw.add(&raw);
        self.scaled
            .add(&Scored::new(document, source, scaled.entities));
    }

    fn compared(self, calibration: &Calibration, fit: Option<Fit>) -> Calibrated {
        Calibrated {
            temperature: calibration.temperature,
            min_scores: calibration.min_scores.clone(),
            fit: fit.map(|fit| FitFacts {
                words: fit.words,
                loss_before: fit.loss_before,
                loss_after: fit.loss_after,
                rare: fit.rare,
            }),
            uncalibrated: self.counts,
            uncalibrated_reliability: self.raw.reliability(),
            reliability: self.scaled.reliability(),
        }
    }
}

/// Tags documents with the model as it is.
pub(crate) fn measure(
    vestnik: &Vestnik,
    documents: &[Sourced<'_>],
    progress: ProgressMode,
) -> Result<Measured> {
    let pipeline = ner(vestnik)?;
    let calibration = pipeline.calibration();
    let mut uncalibrated = (!calibration.is_identity()).then(Uncalibrated::default);
    let (mut scored, mut tokens) = (Vec::with_capacity(documents.len()), 0);
    in_chunks(documents, progress, |chunk| {
        let texts: Vec<&str> = chunk.iter().map(|(document, _)| document.text()).collect();
        let readings = pipeline.read_batch(&texts)?;
        if let Some(uncalibrated) = &mut uncalibrated {
            let decode = |calibration| pipeline.decode_batch(&readings, &calibration);
            let (raw, scaled) = (
                decode(Calibration::default()),
                decode(calibration.scaling()),
            );
            let sides = raw.into_iter().zip(scaled);
            for (document, (raw, scaled)) in chunk.iter().zip(sides) {
                uncalibrated.add(document, raw, scaled);
            }
        }
        let tagged = pipeline.decode_batch(&readings, calibration);
        tokens += add(&mut scored, chunk, tagged);
        Ok(())
    })?;
    Ok(Measured {
        scored,
        tokens,
        calibrated: uncalibrated.map(|before| before.compared(calibration, None)),
    })
}

/// Fits a calibration on documents and tags them with it; gives the calibration too.
pub(crate) fn calibrate(
    vestnik: &Vestnik,
    documents: &[Sourced<'_>],
    progress: ProgressMode,
) -> Result<(Measured, Calibration)> {
    let mut calibrator = Calibrator::new(ner(vestnik)?)?;
    in_chunks(documents, progress, |chunk| {
        let documents: Vec<&Document> = chunk.iter().map(|(document, _)| *document).collect();
        Ok(calibrator.add(&documents)?)
    })?;
    let fit = calibrator.fit();
    let calibration = fit.calibration.clone();
    let mut uncalibrated = Uncalibrated::default();
    let raw = calibrator.tag(&Calibration::default()).into_iter();
    let sides = raw.zip(calibrator.tag(&calibration.scaling()));
    for (document, (raw, scaled)) in documents.iter().zip(sides) {
        uncalibrated.add(document, raw, scaled);
    }
    let mut scored = Vec::with_capacity(documents.len());
    let tokens = add(&mut scored, documents, calibrator.tag(&calibration));
    let measured = Measured {
        scored,
        tokens,
        calibrated: Some(uncalibrated.compared(&calibration, Some(fit))),
    };
    Ok((measured, calibration))
}

/// The part of the model that finds entities.
pub(crate) fn ner(vestnik: &Vestnik) -> Result<&NerPipeline> {
    vestnik.ner().context("the model finds no entities")
}

/// Does something with all documents, in chunks.
fn in_chunks<'a>(
    documents: &[Sourced<'a>],
    progress: ProgressMode,
    mut work: impl FnMut(&[Sourced<'a>]) -> Result<()>,
) -> Result<()> {
    let mut progress = Progress::new(progress, Some(documents.len() as u64));
    let mut done = 0;
    for chunk in documents.chunks(CHUNK) {
        work(chunk)?;
        done += chunk.len() as u64;
        progress.update(done, || vec![("documents", done.into())]);
    }
    progress.finish(done, vec![("documents", done.into())]);
    Ok(())
}

/// Adds what was found; says how many tokens were read.
fn add(scored: &mut Vec<Scored>, documents: &[Sourced<'_>], tagged: Vec<Tagged>) -> usize {
    let tokens = tagged.iter().map(|tagged| tagged.tokens).sum();
    let documents = documents.iter().zip(tagged);
    scored.extend(
        documents
            .map(|((document, source), tagged)| Scored::new(document, source, tagged.entities)),
    );
    tokens
}
