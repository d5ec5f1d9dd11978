//! Layers that the encoders share. Tensor names are those of the Hugging Face checkpoints.

mod embeddings;
mod linear;
mod norm;
mod transformer;

pub(crate) use embeddings::Embeddings;
pub(crate) use linear::Linear;
pub(crate) use norm::LayerNorm;
pub(crate) use transformer::TransformerLayer;
