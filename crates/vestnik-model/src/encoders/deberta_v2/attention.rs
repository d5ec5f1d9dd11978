//! Self-attention by content and distance.

use candle_core::Tensor;

use super::relative::RelativeRows;
use crate::builder::Builder;
use crate::config::DebertaV2Options;
use crate::layers::Linear;
use crate::ops::{self, AttentionOptions, PositionTables};
use crate::{EncoderConfig, LoraTarget, Mode, Result};

/// The projections of one layer, and what they make of the distances.
#[derive(Clone, Debug)]
pub(super) struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    /// Makes keys of distances; none without content-to-position scores.
    position_key: Option<Linear>,
    /// Makes queries of distances; none without position-to-content scores.
    position_query: Option<Linear>,
    /// Kinds of scores by the configuration, also where no distances are seen.
    n_kinds: usize,
    n_heads: usize,
    hidden_dropout: f64,
    attention_dropout: f64,
}

impl SelfAttention {
    /// `name` is its place in the checkpoint, such as `deberta.encoder.layer.0.attention.self`.
    pub(super) fn load(
        builder: &mut Builder<'_>,
        name: &str,
        config: &EncoderConfig,
        options: &DebertaV2Options,
    ) -> Result<Self> {
        let (width, deviation) = (config.hidden_size, config.initializer_range);
        let mut adapted = |part: &str, target| {
            let (name, shape) = (format!("{name}.{part}"), [width, width]);
            Linear::load_adapted(builder, &name, target, shape, deviation)
        };
        let query = adapted("query_proj", LoraTarget::Query)?;
        let key = adapted("key_proj", LoraTarget::Key)?;
        let value = adapted("value_proj", LoraTarget::Value)?;
        let mut square =
            |part: &str| Linear::load(builder, &format!("{name}.{part}"), width, width, deviation);
        // Where they are shared, updates are, too, as in PEFT, which adapts modules.
        let mut of_positions = |wanted: bool, shared: &Linear, own: &str| {
            (wanted && options.relative_attention)
                .then(|| match options.share_att_key {
                    true => Ok(shared.clone()),
                    false => square(own),
                })
                .transpose()
        };
        Ok(Self {
            position_key: of_positions(options.content_to_position, &key, "pos_key_proj")?,
            position_query: of_positions(options.position_to_content, &query, "pos_query_proj")?,
            query,
            key,
            value,
            n_kinds: options.n_kinds(),
            n_heads: config.num_attention_heads,
            hidden_dropout: config.hidden_dropout_prob,
            attention_dropout: config.attention_probs_dropout_prob,
        })
    }

    /// `[tokens, hidden]` → `[tokens, hidden]`.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        cumulative_lengths: &[usize],
        relative: Option<&RelativeRows>,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let options = AttentionOptions {
            cumulative_lengths,
            n_heads: self.n_heads,
            dropout: self.attention_dropout,
            window: None,
        };
        let (query, key, value) = (
            self.query.forward(x, mode)?,
            self.key.forward(x, mode)?,
            self.value.forward(x, mode)?,
        );
        let Some(relative) = relative else {
            // The reference divides scores by the number of their kinds even where only one of them is there.
            let query = (query / (self.n_kinds as f64).sqrt())?;
            return Ok(ops::attention(&query, &key, &value, options, mode)?);
        };
        let embeddings = ops::dropout(&relative.embeddings, self.hidden_dropout, mode)?;
        let project = |projection: &Option<Linear>| {
            let projection = projection.as_ref();
            projection
                .map(|projection| projection.forward(&embeddings, mode))
                .transpose()
        };
        let (keys, queries) = (project(&self.position_key)?, project(&self.position_query)?);
        let tables = PositionTables {
            keys: keys.as_ref(),
            queries: queries.as_ref(),
            positions: relative.positions,
            first_row: relative.first_row,
        };
        let inputs = [&query, &key, &value];
        Ok(ops::disentangled_attention(inputs, tables, options, mode)?)
    }
}
