//! Calibrating the heads of a finished model on the data that it was measured on.

use anyhow::Result;
use vestnik_infer::HeadMetadata;
use vestnik_model::{ModelDir, MultiTaskModel};
use vestnik_train::{EvaluationOptions, LabelledCorpus, RunConfig, evaluate_head};

use crate::commands::evaluate::labelled;
use crate::output::note;
use crate::training::Setup;

/// The heads of the run with the calibrations that `dev` gives; without data for a head it has none.
pub(super) fn heads(setup: &Setup<RunConfig>, dev: &[LabelledCorpus]) -> Result<Vec<HeadMetadata>> {
    let heads = setup.config.model.heads.iter();
    let heads: Vec<HeadMetadata> = heads
        .map(|head| HeadMetadata::new(&head.options()))
        .collect();
    if dev.is_empty() {
        return Ok(heads);
    }
    let dir = ModelDir::open(&setup.out.join("model"))?;
    let options: Vec<_> = heads.iter().map(HeadMetadata::options).collect();
    let (model, _) = MultiTaskModel::load_frozen(&dir, &options, &setup.device)?;
    let tokenizer = dir.tokenizer()?;
    let reading = EvaluationOptions::new(setup.config.windows.options());
    heads
        .into_iter()
        .map(|head| {
            if !dev.iter().any(|corpus| corpus.task == head.task) {
                return Ok(head);
            }
            let found = evaluate_head(&model, &tokenizer, dev, &head.task, &reading)?;
            let examples: Vec<_> = found.items.iter().map(labelled).collect();
            let fit = head.fit(&examples);
            note(&format!(
                "calibrated {} on dev: temperature {}, {} thresholds",
                head.task,
                fit.calibration.temperature,
                fit.calibration.thresholds.len()
            ));
            Ok(head.with_calibration(fit.calibration))
        })
        .collect()
}
