//! `config.json` of the Hugging Face layout.

mod activation;
mod architecture;
mod deberta_v2;
mod encoder;
mod head_kind;
mod modernbert;
mod problem_type;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::DType;
use serde_json::{Map, Value, json};
use vestnik_core::LabelSet;

use crate::{Error, Result};

pub use activation::Activation;
pub use architecture::Architecture;
pub use deberta_v2::{ConvolutionOptions, DebertaV2Options};
pub use encoder::{ArchitectureOptions, EncoderConfig};
pub use head_kind::HeadKind;
pub use modernbert::{ModernBertOptions, Pooling};
pub use problem_type::ProblemType;
pub(crate) use reader::Reader;

/// The reference's name for a number type of weights.
pub(crate) fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::F64 => "float64",
        _ => "float32",
    }
}

/// A parsed `config.json`; keys that are not understood are kept and written back.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The encoder's part.
    pub encoder: EncoderConfig,
    /// For messages: the file, or the name of what stands for it.
    path: PathBuf,
    raw: Map<String, Value>,
}

impl ModelConfig {
    /// Parses the bytes of a `config.json`; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Config`] for broken JSON or impossible sizes, [`Error::Unsupported`] for an unknown architecture or a
    /// value that would change the computation.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let problem = |problem: String| Error::Config {
            path: path.into(),
            problem,
        };
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| problem(format!("not valid JSON: {error}")))?;
        let Value::Object(raw) = value else {
            return Err(problem("expected a JSON object".to_owned()));
        };
        let reader = Reader { raw: &raw, path };
        Ok(Self {
            encoder: EncoderConfig::read(&reader)?,
            path: path.into(),
            raw,
        })
    }

    /// The file it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the model's outputs (`id2label`); `LABEL_0` and so on where the file has none, as in the reference.
    ///
    /// # Errors
    /// [`Error::Labels`] when the ids of the map are not `0..n`, or a name comes twice.
    pub fn labels(&self) -> Result<LabelSet> {
        let problem = |problem: String| Error::Labels {
            path: self.path.clone(),
            problem,
        };
        let map = match self.raw.get("id2label").filter(|value| !value.is_null()) {
            None => &self.default_labels()?,
            Some(Value::Object(map)) => map,
            Some(_) => return Err(problem("id2label is no map".to_owned())),
        };
        let mut by_id = BTreeMap::new();
        for (id, label) in map {
            let parsed = id.parse::<usize>().ok().zip(label.as_str());
            let Some((id, label)) = parsed else {
                return Err(problem(format!("id2label has the entry {id:?}: {label}")));
            };
            by_id.insert(id, label.to_owned());
        }
        if by_id.keys().copied().ne(0..by_id.len()) {
            return Err(problem(format!(
                "the {} ids of id2label are not 0, 1, 2, …",
                by_id.len()
            )));
        }
        LabelSet::new(by_id.into_values()).map_err(|error| problem(format!("id2label: {error}")))
    }

    /// The reference's names for outputs without names: `LABEL_0` and so on, two of them if `num_labels` says nothing.
    fn default_labels(&self) -> Result<Map<String, Value>> {
        const MOST: usize = 100_000;
        let reader = Reader {
            raw: &self.raw,
            path: &self.path,
        };
        let n_labels = reader.count("num_labels", 2)?;
        if n_labels > MOST {
            return Err(
                reader.problem(format!("num_labels is {n_labels}, expected at most {MOST}"))
            );
        }
        let label = |id: usize| (id.to_string(), json!(format!("LABEL_{id}")));
        Ok((0..n_labels).map(label).collect())
    }

    /// What a sequence classifier's outputs mean together (`problem_type`).
    ///
    /// # Errors
    /// [`Error::Unsupported`] for regression, which the reference also assumes of a single output without a
    /// `problem_type`.
    pub fn problem_type(&self) -> Result<ProblemType> {
        let reader = Reader {
            raw: &self.raw,
            path: &self.path,
        };
        ProblemType::read(&reader)
    }

    /// The same encoder with a head of another kind for other labels; in a sequence classifier one of them holds.
    pub(crate) fn with_labels(&self, labels: &LabelSet, head: HeadKind) -> Self {
        let mut config = self.clone();
        let (mut id2label, mut label2id) = (Map::new(), Map::new());
        for (id, label) in labels.iter().enumerate() {
            id2label.insert(id.to_string(), json!(label));
            label2id.insert(label.to_owned(), json!(id));
        }
        config
            .raw
            .insert("id2label".to_owned(), Value::Object(id2label));
        config
            .raw
            .insert("label2id".to_owned(), Value::Object(label2id));
        config.raw.remove("num_labels");
        config.raw.remove("problem_type");
        if head == HeadKind::SequenceClassification {
            config.set_problem_type(ProblemType::SingleLabel);
        }
        config.set_head(Some(head));
        config
    }

    /// The same encoder without a head for labels.
    pub(crate) fn without_head(&self) -> Self {
        let mut config = self.clone();
        for key in ["id2label", "label2id", "num_labels", "problem_type"] {
            config.raw.remove(key);
        }
        config.set_head(None);
        config
    }

    /// The same configuration for weights that are written as `dtype`, which the reference loads them as.
    pub(crate) fn with_dtype(&self, dtype: DType) -> Self {
        let mut config = self.clone();
        config.raw.remove("torch_dtype");
        config
            .raw
            .insert("dtype".to_owned(), json!(dtype_name(dtype)));
        config
    }

    /// States what a sequence classifier's outputs mean together.
    pub(crate) fn set_problem_type(&mut self, problem_type: ProblemType) {
        self.raw
            .insert("problem_type".to_owned(), json!(problem_type.name()));
    }

    /// Names the reference's class for this encoder with `head`, or without one.
    pub(crate) fn set_head(&mut self, head: Option<HeadKind>) {
        let class = self.encoder.architecture.class_name(head);
        self.raw.insert("architectures".to_owned(), json!([class]));
    }

    /// The same model for another vocabulary.
    pub(crate) fn with_vocabulary(&self, vocab_size: usize, pad_token_id: usize) -> Self {
        let mut config = self.clone();
        config.encoder.vocab_size = vocab_size;
        config.encoder.pad_token_id = pad_token_id;
        config
            .raw
            .insert("vocab_size".to_owned(), json!(vocab_size));
        config
            .raw
            .insert("pad_token_id".to_owned(), json!(pad_token_id));
        for key in [
            "_name_or_path",
            "transformers_version",
            "gradient_checkpointing",
            "use_cache",
        ] {
            config.raw.remove(key);
        }
        config
    }

    /// Whether the file has a value for `key`, so that it is not the reference's default.
    pub(crate) fn states(&self, key: &str) -> bool {
        self.raw.get(key).is_some_and(|value| !value.is_null())
    }

    /// The kind of head that the classes under `architectures` have; `None` for a bare encoder, and for heads that are
    /// not supported.
    #[must_use]
    pub fn head(&self) -> Option<HeadKind> {
        self.class_names().into_iter().find_map(HeadKind::of_class)
    }

    /// The classes named under `architectures`.
    #[must_use]
    pub fn class_names(&self) -> Vec<&str> {
        let names = self.raw.get("architectures").and_then(Value::as_array);
        names
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The file's text, pretty-printed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = format!("{:#}", Value::Object(self.raw.clone()));
        text.push('\n');
        text
    }
}
