//! Kernels for x86-64 processors: matrix products of bytes, of bf16 and of `f32` numbers, and the attention around them.
//!
//! Blocks of results are computed by AMX tiles where there are any (Intel Sapphire Rapids and later), else by vectors of
//! AVX-512 (with VNNI: Intel Cascade Lake, AMD Zen 4, and later) or of AVX2 (some with VNNI: Intel Alder Lake and
//! later). All read the same packed factors.
#![allow(unsafe_code)]

mod attention;
mod avx2;
mod avx512;
mod avx_vnni;
mod blocks;
mod float_attention;
mod packing;
pub(crate) mod peak;
mod processor;
mod product;
mod softmax;
#[cfg(test)]
mod tests;

pub(crate) use attention::{AttentionScratch, attend};
pub(crate) use blocks::Blocks;
pub(crate) use float_attention::{FloatAttentionScratch, attend_in_floats};
pub(crate) use packing::{PARTS, split_rows, split_weights, weights_of_bytes, weights_of_floats};
pub(crate) use processor::Processor;
pub(crate) use product::{multiply_bytes, multiply_floats, multiply_split};
pub(crate) use vestnik_x86::{Amx, Avx2, Avx512, AvxVnni, Bf16, Tiles};
