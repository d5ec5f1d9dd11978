//! Differentiable operations on packed `[tokens, width]` matrices.
//!
//! Each has a fused CPU kernel with a hand-written backward pass, and a twin composed of candle's own operations, which
//! serves as the reference in tests and as the path of other devices. candle's fused twins (`candle_nn::ops::…`) must
//! not be used in their place: they end the gradient graph without an error.

mod add;
mod attention;
mod attention_blocks;
mod bf16;
pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod disentangled_attention;
mod dropout;
mod gather;
mod geglu;
mod gelu;
mod layer_norm;
mod linear;
mod packed_heads;
mod padding;
mod precomputed;
mod random;
mod range_means;
mod relative_positions;
mod rotary;
mod softmax;

pub use add::{add, dropout_add};
pub use attention::{AttentionOptions, attention, attention_composed};
pub use disentangled_attention::{
    PositionTables, disentangled_attention, disentangled_attention_composed,
};
pub use dropout::dropout;
pub use gather::{embed, gather_rows};
pub(crate) use geglu::halves;
pub use geglu::{geglu, geglu_composed};
pub use gelu::gelu;
pub use layer_norm::{layer_norm, layer_norm_composed};
pub use linear::{linear, linear_composed};
pub(crate) use precomputed::Precomputed;
pub(crate) use random::{SeededRandom, mix};
pub use range_means::{range_means, range_means_composed};
pub use relative_positions::RelativePositions;
pub use rotary::{RotaryAngles, rotary, rotary_composed};
pub use softmax::softmax_composed;
