//! What training and inference share of x86-64 processors: which instructions there are, AMX tiles, and the exchange of rows
//! and columns that packs factors for them.
//!
//! The crate is empty on other processors. Rust has no intrinsics for tiles in its stable edition, so their products are
//! inline assembly; formats follow Intel's optimization manual, chapter on AMX. All of its code is kernels, and so may be unsafe.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code)]
#![expect(
    clippy::too_many_arguments,
    reason = "products take slices with their strides"
)]

mod processor;
mod tiles;
mod transpose;

pub use processor::{Amx, Avx2, Avx512, AvxVnni, Bf16};
pub use tiles::{BLOCK, PANEL_STEP, STEP_BYTES, Tiles, check};
pub use transpose::{TILE, by_turns, transposed};
