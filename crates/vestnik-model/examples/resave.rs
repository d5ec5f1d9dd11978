//! Loads a model with its head and saves it as training does; with labels, under a fresh head of its kind.
//!
//! ```sh
//! cargo run -p vestnik-model --example resave -- DIR OUT [LABEL…]
//! ```
//!
//! `scripts/roundtrip.py` reads with transformers what this writes.

use std::error::Error;
use std::path::Path;

use vestnik_core::LabelSet;
use vestnik_model::{
    DType, Device, HeadKind, MaskedLm, ModelDir, SequenceClassifier, TOKENIZER_FILE,
    TokenClassifier,
};

const SEED: u64 = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, labels @ ..] = arguments.as_slice() else {
        return Err("expected DIR OUT [LABEL…]".into());
    };
    let (dir, out) = (ModelDir::open(Path::new(from))?, Path::new(to));
    resave(&dir, out, labels)?;
    if let Ok(tokenizer) = dir.tokenizer() {
        tokenizer.save(&out.join(TOKENIZER_FILE))?;
    }
    Ok(())
}

fn resave(dir: &ModelDir, out: &Path, labels: &[String]) -> Result<(), Box<dyn Error>> {
    let cpu = &Device::Cpu;
    let fresh = match labels {
        [] => None,
        labels => Some(LabelSet::new(labels)?),
    };
    match (dir.config().head(), fresh) {
        (Some(HeadKind::TokenClassification), None) => {
            TokenClassifier::load(dir, cpu)?.0.save(out, DType::F32)?;
        }
        (Some(HeadKind::TokenClassification), Some(labels)) => {
            let (model, _) = TokenClassifier::with_fresh_head(dir, &labels, SEED, cpu)?;
            model.save(out, DType::F32)?;
        }
        (Some(HeadKind::SequenceClassification), None) => {
            SequenceClassifier::load(dir, cpu)?
                .0
                .save(out, DType::F32)?;
        }
        (Some(HeadKind::SequenceClassification), Some(labels)) => {
            let (model, _) = SequenceClassifier::with_fresh_head(dir, &labels, SEED, cpu)?;
            model.save(out, DType::F32)?;
        }
        (Some(HeadKind::MaskedLm), None) => {
            MaskedLm::load(dir, SEED, cpu)?.0.save(out, DType::F32)?;
        }
        _ => return Err("no head that can be saved so".into()),
    }
    Ok(())
}
