//! Layers that the encoders share. Tensor names are those of the Hugging Face checkpoints.

mod embedding_tables;
mod embeddings;
mod feed_forward;
mod linear;
mod low_rank;
mod norm;
mod transformer;

pub(crate) use embedding_tables::{EmbeddingTables, check_batch};
pub(crate) use embeddings::Embeddings;
pub(crate) use feed_forward::{FeedForward, FeedForwardNames};
pub(crate) use linear::Linear;
pub(crate) use low_rank::{LowRank, Site};
pub(crate) use norm::LayerNorm;
pub(crate) use transformer::{LayerNames, TransformerStack};
