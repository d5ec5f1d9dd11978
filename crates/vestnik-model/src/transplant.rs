//! Giving a pretrained encoder another vocabulary.

use candle_core::{Device, Tensor, Var};
use vestnik_text::Tokenizer;

use crate::builder::Builder;
use crate::ops::SeededRandom;
use crate::{Encoder, ModelDir, Parameters, Result};

/// The mark of a word's beginning in SentencePiece vocabularies.
const WORD_START: char = '\u{2581}';

/// An encoder whose word embeddings were exchanged for those of another tokenizer.
#[derive(Clone, Debug)]
pub struct Transplanted {
    config: crate::ModelConfig,
    parameters: Parameters,
    /// Pieces of the new vocabulary whose embeddings were carried over.
    pub n_carried: usize,
}

impl Transplanted {
    /// Writes `config.json` and `model.safetensors` in the Hugging Face layout.
    ///
    /// # Errors
    /// [`crate::Error::File`] when the directory cannot be written.
    pub fn save(&self, dir: &std::path::Path, dtype: candle_core::DType) -> Result<()> {
        crate::model_dir::write_model(dir, &self.config, &self.parameters, dtype)
    }
}

/// Takes the encoder of `donor` over to the vocabulary of `tokenizer`.
///
/// A piece of the new vocabulary that the donor's tokenizer knows, itself or in lower case, as a whole word (`▁Paris`
/// → `paris`) or inside one (`son` → `##son`), gets the donor's embedding; the others are drawn from the normal
/// distribution of the donor's embeddings, dimension by dimension, with `seed`.
///
/// # Errors
/// Those of loading the donor's encoder and tokenizer.
pub fn transplant(donor: &ModelDir, tokenizer: &Tokenizer, seed: u64) -> Result<Transplanted> {
    let donor_tokenizer = donor.tokenizer()?;
    let vocab_size = tokenizer.vocab_size();
    let mut config = donor
        .config()
        .with_vocabulary(vocab_size, tokenizer.special().pad as usize);
    config.set_head(None);
    let checkpoint = donor.checkpoint();
    let prefix = config.encoder.architecture.prefix();
    let mut builder = Builder::new(Some(&checkpoint), prefix, seed, &Device::Cpu);
    let encoder = Encoder::load(&mut builder, &donor.config().encoder)?;
    let old = encoder.word_embeddings().to_vec2::<f32>()?;
    let (mut parameters, report) = builder.finish();
    donor.require(&report, |_| true)?;

    let mut random = FreshRows::new(&old, seed);
    let mut n_carried = 0;
    let mut rows = Vec::with_capacity(vocab_size * config.encoder.embedding_size);
    for id in 0..vocab_size as u32 {
        let known = tokenizer
            .token(id)
            .and_then(|piece| donor_id(&donor_tokenizer, piece));
        match known.and_then(|id| old.get(id as usize)) {
            Some(row) => {
                n_carried += 1;
                rows.extend_from_slice(row);
            }
            None => rows.extend(random.row()),
        }
    }
    let table = Tensor::from_vec(
        rows,
        (vocab_size, config.encoder.embedding_size),
        &Device::Cpu,
    )?;
    parameters.insert(
        config.encoder.word_embeddings_name(),
        Var::from_tensor(&table)?,
    );
    Ok(Transplanted {
        config,
        parameters,
        n_carried,
    })
}

/// The donor's id for a piece of a SentencePiece vocabulary.
fn donor_id(donor: &Tokenizer, piece: &str) -> Option<u32> {
    let names = match piece.strip_prefix(WORD_START) {
        Some(word) => vec![word.to_owned(), word.to_lowercase()],
        None if piece.chars().all(char::is_alphanumeric) => {
            vec![format!("##{piece}"), format!("##{}", piece.to_lowercase())]
        }
        None => vec![piece.to_owned()],
    };
    names
        .iter()
        .filter(|name| !name.is_empty())
        .find_map(|name| donor.id(name))
}

/// Draws embeddings like those of a table.
struct FreshRows {
    means: Vec<f64>,
    deviations: Vec<f64>,
    random: SeededRandom,
}

impl FreshRows {
    fn new(table: &[Vec<f32>], seed: u64) -> Self {
        let n = table.len() as f64;
        let width = table.first().map_or(0, Vec::len);
        let moment = |column: usize, power: i32| -> f64 {
            table
                .iter()
                .map(|row| f64::from(row[column]).powi(power))
                .sum::<f64>()
                / n
        };
        let means: Vec<f64> = (0..width).map(|column| moment(column, 1)).collect();
        let deviations = means
            .iter()
            .enumerate()
            .map(|(column, mean)| (moment(column, 2) - mean * mean).sqrt());
        Self {
            deviations: deviations.collect(),
            means,
            random: SeededRandom::new(seed),
        }
    }

    fn row(&mut self) -> Vec<f32> {
        let random = &mut self.random;
        let columns = self.means.iter().zip(&self.deviations);
        columns
            .map(|(mean, deviation)| (mean + deviation * random.normal()) as f32)
            .collect()
    }
}
