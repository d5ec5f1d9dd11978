//! The committed tiny models and what transformers answers for them.
//!
//! `scripts/make_fixtures.py` made them; the reference computes in f64, so its digits are exact to those shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use vestnik_model::ModelDir;
use vestnik_text::Batch;

/// Answers of the reference for one directory.
#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) cases: Vec<Case>,
}

/// A padded batch and its answers, `[sequences][tokens][…]`.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input_ids: Vec<Vec<u32>>,
    pub(crate) attention_mask: Vec<Vec<u32>>,
    #[serde(default)]
    pub(crate) token_type_ids: Option<Vec<Vec<u32>>>,
    pub(crate) logits: Vec<Vec<Vec<f32>>>,
    #[serde(default)]
    pub(crate) labels: Option<Vec<Vec<i64>>>,
    #[serde(default)]
    pub(crate) loss: Option<f32>,
    #[serde(default)]
    pub(crate) gradient_norms: BTreeMap<String, f32>,
}

impl Case {
    /// The lengths of the sequences without their padding.
    fn lengths(&self) -> Vec<usize> {
        self.attention_mask
            .iter()
            .map(|mask| mask.iter().sum::<u32>() as usize)
            .collect()
    }

    /// The values of all real tokens, end to end.
    fn packed<T: Clone>(&self, padded: &[Vec<T>]) -> Vec<T> {
        padded
            .iter()
            .zip(self.lengths())
            .flat_map(|(row, length)| row[..length].to_vec())
            .collect()
    }

    /// The real tokens of all sequences as a packed batch.
    pub(crate) fn batch(&self) -> Batch {
        let lengths = self.lengths();
        let ids = self.packed(&self.input_ids);
        let mut cumulative_lengths = vec![0];
        for length in &lengths {
            cumulative_lengths.push(cumulative_lengths.last().unwrap() + length);
        }
        Batch {
            position_ids: lengths
                .iter()
                .flat_map(|length| 0..*length as u32)
                .collect(),
            type_ids: self
                .token_type_ids
                .as_ref()
                .map_or(vec![0; ids.len()], |types| self.packed(types)),
            labels: self.labels.as_ref().map(|labels| self.packed(labels)),
            origins: (0..lengths.len()).map(|sequence| (sequence, 0)).collect(),
            ids,
            cumulative_lengths,
            ..Batch::default()
        }
    }

    /// Each sequence as a batch of its own.
    pub(crate) fn singles(&self) -> Vec<Batch> {
        let whole = self.batch();
        let part = |range: std::ops::Range<usize>| Batch {
            ids: whole.ids[range.clone()].to_vec(),
            position_ids: whole.position_ids[range.clone()].to_vec(),
            type_ids: whole.type_ids[range.clone()].to_vec(),
            cumulative_lengths: vec![0, range.len()],
            origins: vec![(0, 0)],
            ..Batch::default()
        };
        whole
            .cumulative_lengths
            .windows(2)
            .map(|pair| part(pair[0]..pair[1]))
            .collect()
    }

    /// Logits of all real tokens, end to end.
    pub(crate) fn packed_logits(&self) -> Vec<Vec<f32>> {
        self.packed(&self.logits)
    }
}

/// A fixture directory.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A fixture directory, opened.
pub(crate) fn open(name: &str) -> ModelDir {
    ModelDir::open(&path(name)).unwrap()
}

/// What the reference answers for it.
pub(crate) fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(path(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The directories with a token-classification head.
pub(crate) const TOKEN_CLASSIFIERS: [&str; 2] = ["bert", "xlm_roberta"];
/// The directories with a masked-language-model head.
pub(crate) const MASKED_LMS: [&str; 2] = ["bert_mlm", "xlm_roberta_mlm"];
