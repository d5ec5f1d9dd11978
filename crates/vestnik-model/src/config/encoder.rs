//! The sizes and rates of an encoder.

use super::{Activation, Architecture, DebertaV2Options, ModernBertOptions, Reader};
use crate::Result;

/// The encoder's sizes and rates, under BERT's names for them. Missing keys take the defaults of the reference's
/// configuration class (transformers 5).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EncoderConfig {
    /// The architecture (`model_type`).
    pub architecture: Architecture,
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of the embedding table; the hidden width in most architectures.
    pub embedding_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Heads of each layer; divides the width.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward blocks.
    pub intermediate_size: usize,
    /// The function inside the feed-forward blocks.
    pub hidden_act: Activation,
    /// Dropout of embeddings and sub-layers while training, in `0..1`.
    pub hidden_dropout_prob: f64,
    /// Dropout of attention weights while training, in `0..1`.
    pub attention_probs_dropout_prob: f64,
    /// Dropout before a token-classification head while training, in `0..1`.
    pub classifier_dropout: f64,
    /// Dropout before a sequence-classification head while training, in `0..1`.
    pub sequence_classifier_dropout: f64,
    /// Rows of the position table; without a table the longest sequence that the model is meant for.
    pub max_position_embeddings: usize,
    /// Rows of the segment table; 0 without a table.
    pub type_vocab_size: usize,
    /// Added to variances.
    pub layer_norm_eps: f64,
    /// Id of the padding token; RoBERTa and its descendants count positions from the one after it.
    pub pad_token_id: usize,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Whether a masked language model uses the word embeddings as its output weights.
    pub tie_word_embeddings: bool,
    /// What only some architectures have.
    pub options: ArchitectureOptions,
}

/// What only some architectures have.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ArchitectureOptions {
    /// Nothing further.
    None,
    /// DeBERTa-v2's relative positions.
    DebertaV2(DebertaV2Options),
    /// ModernBERT's rotary positions and local attention.
    ModernBert(ModernBertOptions),
}

impl EncoderConfig {
    /// The number that the first token's position has.
    #[must_use]
    pub fn first_position(&self) -> usize {
        if self.architecture.is_roberta() {
            self.pad_token_id + 1
        } else {
            0
        }
    }

    /// The longest sequence in tokens, special tokens included.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_position_embeddings
            .saturating_sub(self.first_position())
    }

    /// Standard deviation of the fresh weights of a classifier's last layer.
    pub(crate) fn classifier_deviation(&self) -> f64 {
        match self.architecture {
            Architecture::ModernBert => (self.hidden_size as f64).sqrt().recip(),
            _ => self.initializer_range,
        }
    }

    /// The name of the word embedding table in a checkpoint with a head.
    pub(crate) fn word_embeddings_name(&self) -> String {
        let table = match self.architecture {
            Architecture::ModernBert => "tok_embeddings",
            _ => "word_embeddings",
        };
        format!("{}embeddings.{table}.weight", self.architecture.prefix())
    }

    pub(super) fn read(reader: &Reader<'_>) -> Result<Self> {
        let config = match architecture(reader)? {
            Architecture::DistilBert => distilbert(reader),
            Architecture::DebertaV2 => deberta_v2(reader),
            Architecture::ModernBert => modernbert(reader),
            architecture => bert_like(architecture, reader),
        }?;
        config.check(reader)?;
        Ok(config)
    }

    fn check(&self, reader: &Reader<'_>) -> Result<()> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("embedding_size", self.embedding_size),
            ("hidden_size", self.hidden_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(reader.problem(format!("{key} is 0")));
        }
        if self.layer_norm_eps < 0.0 {
            let problem = format!(
                "the epsilon of layer norms is {}, expected 0 or more",
                self.layer_norm_eps
            );
            return Err(reader.problem(problem));
        }
        if self.max_tokens() < 3 {
            let positions = self.max_position_embeddings;
            let problem = format!("max_position_embeddings {positions} leaves no room for a text");
            return Err(reader.problem(problem));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (width, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(reader.problem(format!(
                "hidden_size {width} is not a multiple of num_attention_heads {heads}"
            )));
        }
        Ok(())
    }
}

fn architecture(reader: &Reader<'_>) -> Result<Architecture> {
    let Some(model_type) = reader.text("model_type")? else {
        let problem = "no model_type; is this the config.json of a transformers model?";
        return Err(reader.problem(problem.to_owned()));
    };
    let Some(architecture) = Architecture::from_model_type(model_type) else {
        return Err(reader.unsupported("model_type", model_type, Architecture::MODEL_TYPES));
    };
    for key in ["is_decoder", "is_encoder_decoder", "add_cross_attention"] {
        if reader.flag(key, false)? {
            return Err(reader.unsupported(key, "true", "false, an encoder"));
        }
    }
    Ok(architecture)
}

/// `BertConfig`, `RobertaConfig`, `XLMRobertaConfig`, `CamembertConfig` and `ElectraConfig`, which share their keys.
fn bert_like(architecture: Architecture, reader: &Reader<'_>) -> Result<EncoderConfig> {
    reader.only("position_embedding_type", "absolute")?;
    let electra = architecture == Architecture::Electra;
    let (width, heads, inner) = if electra {
        (256, 4, 1024)
    } else {
        (768, 12, 3072)
    };
    let hidden_size = reader.count("hidden_size", width)?;
    let hidden_dropout_prob = reader.probability("hidden_dropout_prob", 0.1)?;
    let classifier_dropout = reader.probability("classifier_dropout", hidden_dropout_prob)?;
    Ok(EncoderConfig {
        architecture,
        vocab_size: match architecture {
            Architecture::Roberta => reader.count("vocab_size", 50_265)?,
            _ => reader.count("vocab_size", 30_522)?,
        },
        embedding_size: if electra {
            reader.count("embedding_size", 128)?
        } else {
            hidden_size
        },
        hidden_size,
        num_hidden_layers: reader.count("num_hidden_layers", 12)?,
        num_attention_heads: reader.count("num_attention_heads", heads)?,
        intermediate_size: reader.count("intermediate_size", inner)?,
        hidden_act: reader.activation("hidden_act", "gelu")?,
        hidden_dropout_prob,
        attention_probs_dropout_prob: reader.probability("attention_probs_dropout_prob", 0.1)?,
        classifier_dropout,
        sequence_classifier_dropout: classifier_dropout,
        max_position_embeddings: reader.count("max_position_embeddings", 512)?,
        type_vocab_size: reader.count("type_vocab_size", 2)?,
        layer_norm_eps: reader.number("layer_norm_eps", 1e-12)?,
        pad_token_id: reader.count("pad_token_id", usize::from(architecture.is_roberta()))?,
        initializer_range: reader.number("initializer_range", 0.02)?,
        tie_word_embeddings: reader.flag("tie_word_embeddings", true)?,
        options: ArchitectureOptions::None,
    })
}

/// `DistilBertConfig`, whose keys have names of their own.
fn distilbert(reader: &Reader<'_>) -> Result<EncoderConfig> {
    let hidden_size = reader.count("dim", 768)?;
    let dropout = reader.probability("dropout", 0.1)?;
    Ok(EncoderConfig {
        architecture: Architecture::DistilBert,
        vocab_size: reader.count("vocab_size", 30_522)?,
        embedding_size: hidden_size,
        hidden_size,
        num_hidden_layers: reader.count("n_layers", 6)?,
        num_attention_heads: reader.count("n_heads", 12)?,
        intermediate_size: reader.count("hidden_dim", 3072)?,
        hidden_act: reader.activation("activation", "gelu")?,
        hidden_dropout_prob: dropout,
        attention_probs_dropout_prob: reader.probability("attention_dropout", 0.1)?,
        classifier_dropout: dropout,
        sequence_classifier_dropout: reader.probability("seq_classif_dropout", 0.2)?,
        max_position_embeddings: reader.count("max_position_embeddings", 512)?,
        type_vocab_size: 0,
        layer_norm_eps: 1e-12, // fixed in the reference
        pad_token_id: reader.count("pad_token_id", 0)?,
        initializer_range: reader.number("initializer_range", 0.02)?,
        tie_word_embeddings: reader.flag("tie_word_embeddings", true)?,
        options: ArchitectureOptions::None,
    })
}

/// `DebertaV2Config`.
fn deberta_v2(reader: &Reader<'_>) -> Result<EncoderConfig> {
    let hidden_size = reader.count("hidden_size", 1536)?;
    let hidden_dropout_prob = reader.probability("hidden_dropout_prob", 0.1)?;
    Ok(EncoderConfig {
        architecture: Architecture::DebertaV2,
        vocab_size: reader.count("vocab_size", 128_100)?,
        embedding_size: reader.count("embedding_size", hidden_size)?,
        hidden_size,
        num_hidden_layers: reader.count("num_hidden_layers", 24)?,
        num_attention_heads: reader.count("num_attention_heads", 24)?,
        intermediate_size: reader.count("intermediate_size", 6144)?,
        hidden_act: reader.activation("hidden_act", "gelu")?,
        hidden_dropout_prob,
        attention_probs_dropout_prob: reader.probability("attention_probs_dropout_prob", 0.1)?,
        classifier_dropout: hidden_dropout_prob,
        sequence_classifier_dropout: reader.probability("cls_dropout", hidden_dropout_prob)?,
        max_position_embeddings: reader.count("max_position_embeddings", 512)?,
        type_vocab_size: reader.count("type_vocab_size", 0)?,
        layer_norm_eps: reader.number("layer_norm_eps", 1e-7)?,
        pad_token_id: reader.count("pad_token_id", 0)?,
        initializer_range: reader.number("initializer_range", 0.02)?,
        tie_word_embeddings: reader.flag("tie_word_embeddings", true)?,
        options: ArchitectureOptions::DebertaV2(DebertaV2Options::read(reader, hidden_size)?),
    })
}

/// `ModernBertConfig`.
fn modernbert(reader: &Reader<'_>) -> Result<EncoderConfig> {
    let hidden_size = reader.count("hidden_size", 768)?;
    let num_hidden_layers = reader.count("num_hidden_layers", 22)?;
    let num_attention_heads = reader.count("num_attention_heads", 12)?;
    let head_width = hidden_size.checked_div(num_attention_heads).unwrap_or(0);
    let classifier_dropout = reader.probability("classifier_dropout", 0.0)?;
    Ok(EncoderConfig {
        architecture: Architecture::ModernBert,
        vocab_size: reader.count("vocab_size", 50_368)?,
        embedding_size: hidden_size,
        hidden_size,
        num_hidden_layers,
        num_attention_heads,
        intermediate_size: reader.count("intermediate_size", 1152)?,
        hidden_act: reader.activation("hidden_activation", "gelu")?,
        hidden_dropout_prob: 0.0,
        attention_probs_dropout_prob: reader.probability("attention_dropout", 0.0)?,
        classifier_dropout,
        sequence_classifier_dropout: classifier_dropout,
        max_position_embeddings: reader.count("max_position_embeddings", 8192)?,
        type_vocab_size: 0,
        layer_norm_eps: reader.number("norm_eps", 1e-5)?,
        pad_token_id: reader.count("pad_token_id", 50_283)?,
        initializer_range: reader.number("initializer_range", 0.02)?,
        tie_word_embeddings: reader.flag("tie_word_embeddings", true)?,
        options: ArchitectureOptions::ModernBert(ModernBertOptions::read(
            reader,
            num_hidden_layers,
            head_width,
        )?),
    })
}
