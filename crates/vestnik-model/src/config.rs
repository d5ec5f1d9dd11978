//! `config.json` of the Hugging Face layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use vestnik_core::LabelSet;

use crate::{Error, Result};

/// The architectures that can be loaded, by their `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// BERT (Devlin et al. 2019).
    Bert,
    /// XLM-RoBERTa (Conneau et al. 2020).
    XlmRoberta,
}

impl Architecture {
    const NAMES: &str = "bert, xlm-roberta";

    /// The value of `model_type`.
    #[must_use]
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::XlmRoberta => "xlm-roberta",
        }
    }

    /// The prefix of the encoder's tensors in a checkpoint with a head.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::XlmRoberta => "roberta.",
        }
    }

    /// The reference's class name for this encoder with a head, such as `BertForTokenClassification`.
    pub(crate) fn class_name(self, head: &str) -> String {
        let family = match self {
            Self::Bert => "Bert",
            Self::XlmRoberta => "XLMRoberta",
        };
        format!("{family}For{head}")
    }
}

/// The encoder's sizes and rates. Missing keys take the defaults of transformers' `BertConfig` and `XLMRobertaConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// The architecture (`model_type`).
    pub architecture: Architecture,
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of each layer; divides the width.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward blocks.
    pub intermediate_size: usize,
    /// Dropout of embeddings and sub-layers while training, in `0..1`.
    pub hidden_dropout_prob: f64,
    /// Dropout of attention weights while training, in `0..1`.
    pub attention_probs_dropout_prob: f64,
    /// Dropout before a classification head while training; the hidden dropout by default.
    pub classifier_dropout: f64,
    /// Rows of the position table.
    pub max_position_embeddings: usize,
    /// Rows of the segment table.
    pub type_vocab_size: usize,
    /// Added to variances.
    pub layer_norm_eps: f64,
    /// Id of the padding token; XLM-RoBERTa counts positions from the one after it.
    pub pad_token_id: usize,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
}

impl EncoderConfig {
    /// The number that the first token's position has.
    #[must_use]
    pub fn first_position(&self) -> usize {
        match self.architecture {
            Architecture::Bert => 0,
            Architecture::XlmRoberta => self.pad_token_id + 1,
        }
    }

    /// The longest sequence in tokens, special tokens included.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_position_embeddings
            .saturating_sub(self.first_position())
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
        let encoder = Reader { raw: &raw, path }.encoder()?;
        Ok(Self {
            encoder,
            path: path.into(),
            raw,
        })
    }

    /// The file it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the model's outputs (`id2label`).
    ///
    /// # Errors
    /// [`Error::Labels`] when there is no map, or its ids are not `0..n`, or a name comes twice.
    pub fn labels(&self) -> Result<LabelSet> {
        let problem = |problem: String| Error::Labels {
            path: self.path.clone(),
            problem,
        };
        let Some(map) = self.raw.get("id2label").and_then(Value::as_object) else {
            return Err(problem("no id2label".to_owned()));
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

    /// The same encoder with other labels, as a token classifier.
    pub(crate) fn with_labels(&self, labels: &LabelSet) -> Self {
        let mut config = self.clone();
        let id2label: Map<String, Value> = labels
            .iter()
            .enumerate()
            .map(|(id, label)| (id.to_string(), json!(label)))
            .collect();
        let label2id: Map<String, Value> = labels
            .iter()
            .enumerate()
            .map(|(id, label)| (label.to_owned(), json!(id)))
            .collect();
        config
            .raw
            .insert("id2label".to_owned(), Value::Object(id2label));
        config
            .raw
            .insert("label2id".to_owned(), Value::Object(label2id));
        config.set_head("TokenClassification");
        config
    }

    /// Names the reference's class for this encoder with `head`.
    pub(crate) fn set_head(&mut self, head: &str) {
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

/// Reads typed values out of the JSON object.
struct Reader<'a> {
    raw: &'a Map<String, Value>,
    path: &'a Path,
}

impl Reader<'_> {
    fn encoder(&self) -> Result<EncoderConfig> {
        let architecture = self.architecture()?;
        self.only("hidden_act", "gelu", "gelu")?;
        self.only("position_embedding_type", "absolute", "absolute")?;
        if self.value("is_decoder") == Some(&Value::Bool(true)) {
            return Err(self.unsupported("is_decoder", "true", "false, an encoder"));
        }
        let roberta = architecture == Architecture::XlmRoberta;
        let hidden_dropout_prob = self.number("hidden_dropout_prob", 0.1)?;
        let config = EncoderConfig {
            architecture,
            vocab_size: self.count("vocab_size", 30_522)?,
            hidden_size: self.count("hidden_size", 768)?,
            num_hidden_layers: self.count("num_hidden_layers", 12)?,
            num_attention_heads: self.count("num_attention_heads", 12)?,
            intermediate_size: self.count("intermediate_size", 3072)?,
            hidden_dropout_prob,
            attention_probs_dropout_prob: self.number("attention_probs_dropout_prob", 0.1)?,
            classifier_dropout: self.number("classifier_dropout", hidden_dropout_prob)?,
            max_position_embeddings: self.count("max_position_embeddings", 512)?,
            type_vocab_size: self.count("type_vocab_size", 2)?,
            layer_norm_eps: self.number("layer_norm_eps", 1e-12)?,
            pad_token_id: self.count("pad_token_id", usize::from(roberta))?,
            initializer_range: self.number("initializer_range", 0.02)?,
        };
        self.check(&config)?;
        Ok(config)
    }

    fn architecture(&self) -> Result<Architecture> {
        match self.raw.get("model_type").and_then(Value::as_str) {
            Some("bert") => Ok(Architecture::Bert),
            Some("xlm-roberta") => Ok(Architecture::XlmRoberta),
            Some(other) => Err(self.unsupported("model_type", other, Architecture::NAMES)),
            None => Err(self.problem(
                "no model_type; is this the config.json of a transformers model?".to_owned(),
            )),
        }
    }

    fn check(&self, config: &EncoderConfig) -> Result<()> {
        let sizes = [
            config.vocab_size,
            config.hidden_size,
            config.num_attention_heads,
            config.intermediate_size,
        ];
        if sizes.contains(&0) || config.max_tokens() < 3 {
            return Err(self.problem("a size is zero".to_owned()));
        }
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            let (width, heads) = (config.hidden_size, config.num_attention_heads);
            return Err(self.problem(format!(
                "hidden_size {width} is not a multiple of num_attention_heads {heads}"
            )));
        }
        let rates = [
            config.hidden_dropout_prob,
            config.attention_probs_dropout_prob,
            config.classifier_dropout,
        ];
        if rates.iter().any(|rate| !(0.0..1.0).contains(rate)) {
            return Err(self.problem(format!("a dropout probability is not in 0..1: {rates:?}")));
        }
        Ok(())
    }

    /// The value of a key, when it is there and not null: the reference treats null as absent.
    fn value(&self, key: &str) -> Option<&Value> {
        self.raw.get(key).filter(|value| !value.is_null())
    }

    fn count(&self, key: &'static str, default: usize) -> Result<usize> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        let count = value.as_u64().filter(|count| *count <= 100_000_000);
        count
            .map(|count| count as usize)
            .ok_or_else(|| self.problem(format!("{key} is {value}, expected a count")))
    }

    fn number(&self, key: &'static str, default: f64) -> Result<f64> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value
            .as_f64()
            .ok_or_else(|| self.problem(format!("{key} is {value}, expected a number")))
    }

    /// Refuses a value other than the one that is implemented.
    fn only(&self, key: &'static str, implemented: &str, supported: &'static str) -> Result<()> {
        match self.value(key) {
            None => Ok(()),
            Some(value) if value.as_str() == Some(implemented) => Ok(()),
            Some(value) => Err(self.unsupported(key, &value.to_string(), supported)),
        }
    }

    fn problem(&self, problem: String) -> Error {
        Error::Config {
            path: self.path.into(),
            problem,
        }
    }

    fn unsupported(&self, key: &'static str, value: &str, supported: &'static str) -> Error {
        Error::Unsupported {
            path: self.path.into(),
            key,
            value: value.to_owned(),
            supported,
        }
    }
}
