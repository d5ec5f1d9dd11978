//! Kernels for x86-64 processors with AVX-512: matrix products of bytes, of bf16 and of `f32` numbers, and the attention
//! around them.
//!
//! Blocks of results are computed by AMX tiles where there are any (Intel Sapphire Rapids and later), else by vectors
//! (AVX-512 with VNNI: Intel Cascade Lake, AMD Zen 4, and later). Both read the same packed factors.
#![allow(unsafe_code)]

mod attention;
mod blocks;
mod packing;
pub(crate) mod peak;
mod product;
mod softmax;
mod vectors;

pub(crate) use attention::{AttentionScratch, attend};
pub(crate) use blocks::Blocks;
pub(crate) use packing::{PARTS, split_rows, split_weights, weights_of_bytes, weights_of_floats};
pub(crate) use product::{multiply_bytes, multiply_floats, multiply_split};
pub(crate) use vestnik_x86::{Amx, Avx512, Bf16, Tiles};
