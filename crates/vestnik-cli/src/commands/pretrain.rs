//! `vestnik pretrain`: trains an encoder on raw text as a masked language model.

use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_data::{read_raw_texts, sha256_file};
use vestnik_model::MaskedLm;
use vestnik_train::{
    Cached, DataFile, Pieces, PretrainConfig, PretrainData, Pretrainer, SourceText, TextFile,
    TextSource,
};

use crate::corpus::Defects;
use crate::failure::Mistake;
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
    let pieces = Pieces::new(tokenizer, config.piece_tokens, &caches(&setup))?;
    let data = read(&setup, pieces)?;
    let mut trainer = Pretrainer::new(model, data, config, &setup.out)?;
    setup.go_back(|| trainer.resume())?;
    let record = setup.follow(|on_event| trainer.run(on_event))?;
    report::run::write_curves(&setup.out, &record)?;
    setup.tell_report();
    Ok(Outcome::Done)
}

/// The tokens of all texts; all defects of all files are told before anything is trained.
fn read(setup: &Setup<PretrainConfig>, mut pieces: Pieces) -> Result<PretrainData> {
    let mut defects = Defects::default();
    let mut files = Vec::new();
    for source in &setup.config.text {
        files.extend(add(setup, source, &mut pieces, &mut defects)?);
    }
    if let Err(error) = defects.refuse() {
        // They are left when nothing else is in them.
        let _ = std::fs::remove_dir(caches(setup));
        let _ = std::fs::remove_dir(&setup.out);
        return Err(error);
    }
    note(&format!(
        "{} tokens in {} pieces",
        pieces.n_tokens(),
        pieces.len()
    ));
    Ok(PretrainData { pieces, files })
}

/// Where the tokens are kept.
fn caches(setup: &Setup<PretrainConfig>) -> PathBuf {
    let cache = setup.config.cache.as_deref();
    cache.map_or_else(|| setup.out.join("tokens"), |cache| setup.path(cache))
}

/// Adds the texts of one file, from its cache or through one; nothing when it has defects.
fn add(
    setup: &Setup<PretrainConfig>,
    source: &TextSource,
    pieces: &mut Pieces,
    defects: &mut Defects,
) -> Result<Option<DataFile>> {
    let path = setup.path(&source.path);
    let sha256 = match sha256_file(&path) {
        Ok(sha256) => sha256,
        Err(error) => {
            defects.add(error);
            return Ok(None);
        }
    };
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let file = TextFile {
        name: name.to_string_lossy().into_owned(),
        sha256,
    };
    let mut cached = pieces.add_cached(&file);
    if let Cached::Damaged { path, problem } = &cached {
        note(&format!(
            "{} cannot be used: {problem}; tokenising again",
            path.display()
        ));
    }
    if !matches!(cached, Cached::Added { .. }) && tokenise(pieces, &file, &path, defects)? {
        cached = pieces.add_cached(&file);
    }
    match cached {
        Cached::Added { texts } => Ok(Some(DataFile {
            path: source.path.clone(),
            sha256: file.sha256,
            records: texts,
            spans_sha256: None,
        })),
        Cached::Damaged { path, problem } if defects.is_empty() => {
            Err(Mistake::new(format!("{}: {problem}", path.display()))
                .hint("the disk does not keep what is written to it")
                .into())
        }
        _ => Ok(None),
    }
}

/// Writes the cache of a file, unless there are defects. Says whether it is there.
fn tokenise(pieces: &Pieces, file: &TextFile, path: &Path, defects: &mut Defects) -> Result<bool> {
    let mut writer = pieces.write(file)?;
    let texts = read_raw_texts(&[path.to_owned()]).filter_map(|text| match text {
        Ok(text) if defects.is_empty() => Some(SourceText {
            text: text.text,
            lang: text.lang,
        }),
        Ok(_) => None,
        Err(error) => {
            defects.add(error);
            None
        }
    });
    writer.add_texts(texts)?;
    if defects.is_empty() {
        writer.finish()?;
    }
    Ok(defects.is_empty())
}
