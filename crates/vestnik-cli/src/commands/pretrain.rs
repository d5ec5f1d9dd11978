//! `vestnik pretrain`: trains an encoder on raw text as a masked language model.

use anyhow::Result;
use vestnik_data::read_raw_texts;
use vestnik_model::MaskedLm;
use vestnik_train::{Pieces, PretrainConfig, PretrainData, Pretrainer, TextSource, WeightedText};

use crate::corpus::Defects;
use crate::output::note;
use crate::training::Setup;
use crate::{Outcome, model, report};

pub(crate) use crate::training::Args;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let setup = args.prepare(PretrainConfig::parse)?;
    let config = &setup.config;
    let base = model::base(&setup.path(&config.model.base), &config.model.base)?;
    let tokenizer = base.tokenizer()?;
    let (model, _) = MaskedLm::load(&base, config.seed, &setup.device)?;
    let data = read(&setup, Pieces::new(tokenizer, config.piece_tokens))?;
    let mut trainer = Pretrainer::new(model, data, config, &setup.out)?;
    setup.go_back(|| trainer.resume())?;
    let record = setup.follow(|on_event| trainer.run(on_event))?;
    report::run::write_curves(&setup.out, &record)?;
    setup.tell_report();
    Ok(Outcome::Done)
}

/// Reads and tokenises all texts; all defects of all files are told before anything is trained.
fn read(setup: &Setup<PretrainConfig>, mut pieces: Pieces) -> Result<PretrainData> {
    let mut defects = Defects::default();
    let mut files = Vec::new();
    for source in &setup.config.text {
        let records = add(setup, source, &mut pieces, &mut defects)?;
        if records > 0 {
            files.push(setup.data_file(&source.path, records)?);
        }
    }
    defects.refuse()?;
    note(&format!(
        "{} tokens in {} pieces",
        pieces.n_tokens(),
        pieces.len()
    ));
    Ok(PretrainData { pieces, files })
}

/// Adds the texts of one file; says how many.
fn add(
    setup: &Setup<PretrainConfig>,
    source: &TextSource,
    pieces: &mut Pieces,
    defects: &mut Defects,
) -> Result<usize> {
    let mut records = 0;
    let texts = read_raw_texts(&[setup.path(&source.path)]).filter_map(|text| match text {
        Ok(text) => {
            records += 1;
            Some(WeightedText {
                weight: setup.config.weight(source, text.lang.as_deref()),
                text: text.text,
            })
        }
        Err(error) => {
            defects.add(error);
            None
        }
    });
    pieces.add_texts(texts)?;
    Ok(records)
}
