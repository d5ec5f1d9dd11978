//! Encoders of candle-transformers: an oracle in tests, a contestant in `scripts/bench_peers.py`. Its DistilBERT is left out,
//! since it computes another GELU than the reference.

use std::error::Error;
use std::path::Path;

use candle_core::safetensors::load;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, xlm_roberta};
use serde_json::{Value, from_value};

/// One of them.
pub(crate) enum Peer {
    Bert(bert::BertModel),
    XlmRoberta(xlm_roberta::XLMRobertaModel),
}

impl Peer {
    /// Opens the encoder of a model directory, with or without a head beside it.
    pub(crate) fn open(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let mut config: Value = serde_json::from_slice(&std::fs::read(dir.join("config.json"))?)?;
        // transformers 5 writes it no more, and there is no other.
        config["position_embedding_type"] = "absolute".into();
        let tensors = load(dir.join("model.safetensors"), &Device::Cpu)?;
        let has_prefix = |prefix: &str| tensors.keys().any(|name| name.starts_with(prefix));
        let prefix = ["bert", "roberta"]
            .into_iter()
            .find(|prefix| has_prefix(&format!("{prefix}.")));
        let root = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
        let weights = prefix.map_or_else(|| root.clone(), |prefix| root.pp(prefix));
        Ok(match config["model_type"].as_str() {
            Some("bert") => Self::Bert(bert::BertModel::load(weights, &from_value(config)?)?),
            Some("xlm-roberta") => {
                let config = from_value(config)?;
                Self::XlmRoberta(xlm_roberta::XLMRobertaModel::new(&config, weights)?)
            }
            other => return Err(format!("no encoder for {other:?}").into()),
        })
    }

    /// The states of the last layer. **Shapes** ids and a mask `[sequences, longest]` → `[sequences, longest, hidden]`.
    pub(crate) fn states(&self, ids: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let types = ids.zeros_like()?;
        match self {
            Self::Bert(model) => model.forward(ids, &types, Some(mask)),
            Self::XlmRoberta(model) => model.forward(ids, mask, &types, None, None, None),
        }
    }
}
