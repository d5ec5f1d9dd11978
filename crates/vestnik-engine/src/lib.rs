//! The encoders' forward pass on a CPU, for inference alone.
//!
//! An [`Engine`] takes the weights of an encoder of `vestnik-model`, packs them once for the kernels of the processor, and
//! turns packed batches into hidden states, equal to those of the model's own forward pass: to 1e-4 in
//! [`EngineDtype::F32`], within a few hundredths of their deviation in [`EngineDtype::Int8`].
//!
//! Sequences are not padded. What a token's row needs alone (affine maps, activations, norms) is done for a few hundred rows
//! at a time, so that they stay in the cache; attention is done head by head. Large batches are cut into groups of
//! sequences that go through all layers on one thread each; a batch with less is spread over the threads step by step.
//!
//! Unsafe code is in `x86` (kernels) and `buffer` (aligned memory) alone.

#![expect(
    clippy::too_many_arguments,
    reason = "products take slices with their strides"
)]

mod architectures;
mod arithmetic;
mod attention;
mod buffer;
mod convolution;
mod embeddings;
mod engine;
mod error;
mod finish;
mod groups;
mod layer;
mod linear;
mod operand;
mod options;
#[doc(hidden)]
pub mod parts;
mod quantized_weights;
mod quick_gelu;
mod relative;
mod rotary;
mod rows;
mod tensors;
mod workspace;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use engine::Engine;
pub use error::{Error, Result};
pub use options::{EngineDtype, EngineOptions, Kernels};
