//! The corpora of the heads of a run.

use anyhow::Result;
use vestnik_train::{
    DataFile, Dataset, HeadConfig, LabelMap, LabelledCorpus, LabelledText, RunConfig,
};

use super::chosen;
use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::labelled::Labels;
use crate::training::Setup;

/// A corpus as it was read.
pub(super) struct Corpus {
    /// Its texts; `None` when the file has defects, which the reading tells in the end.
    pub(super) texts: Option<LabelledCorpus>,
    /// The file, for the record.
    pub(super) file: DataFile,
}

/// Reads the corpus of a head.
///
/// # Errors
/// The map cannot be read, the file has a label that the head does not have, or nothing is left of it.
pub(super) fn corpus(
    setup: &Setup<RunConfig>,
    (number, dataset): (usize, &Dataset),
    head: &HeadConfig,
    reading: &mut Reading,
) -> Result<Corpus> {
    let path = setup.path(&dataset.path);
    if dataset.format.is_some() {
        let message = format!(
            "{}: `format` is for corpora with entities alone",
            path.display()
        );
        return Err(Mistake::new(message).into());
    }
    let options = head.options();
    let labels = labels(setup, dataset, head)?;
    let Some(texts) = reading.labelled(&path, head.reads) else {
        let file = DataFile {
            path: dataset.path.clone(),
            ..DataFile::default()
        };
        return Ok(Corpus { texts: None, file });
    };
    let about = |place: usize| (texts[place].lang.as_deref(), texts[place].text.as_str());
    let wanted = chosen(setup, (number, dataset), texts.len(), about)?;
    let texts: Vec<LabelledText> = wanted.iter().map(|&place| texts[place].clone()).collect();
    let texts = labels.given_to(texts, &path, &options)?;
    let file = setup.data_file(&dataset.path, texts.len())?;
    let texts = LabelledCorpus {
        task: dataset.task.clone(),
        texts,
        known: labels.known,
        weight: dataset.weight,
        max_windows: dataset.max_windows,
    };
    Ok(Corpus {
        texts: Some(texts),
        file,
    })
}

/// What the labels of a corpus are in its head.
fn labels(setup: &Setup<RunConfig>, dataset: &Dataset, head: &HeadConfig) -> Result<Labels> {
    let known = dataset.known.clone();
    let labels = match &dataset.map {
        None => Labels { map: None, known },
        Some(LabelMap::Table(table)) => Labels {
            map: Some(table.clone()),
            known,
        },
        Some(LabelMap::File(file)) => {
            let labels = Labels::read(&setup.path(file), &head.options())?;
            Labels {
                known: known.or(labels.known),
                ..labels
            }
        }
    };
    labels
        .check_known()
        .map_err(|problem| Mistake::new(format!("{}: {problem}", dataset.path.display())))?;
    Ok(labels)
}
