//! Who computes a block of results.

use super::{Avx512, Bf16, Tiles, vectors};

/// Tiles, or vectors.
#[derive(Debug)]
pub(crate) enum Blocks {
    Tiles(Tiles),
    Vectors(Avx512),
}

impl Blocks {
    /// Tiles where there are any.
    pub(crate) fn new(processor: Avx512) -> Self {
        match processor.tiles() {
            Some(tiles) => Self::Tiles(Tiles::new(tiles)),
            None => Self::Vectors(processor),
        }
    }

    /// 32 rows of unsigned bytes, `stride` bytes apart, by a panel of signed ones → `out`, rows `out_stride` apart.
    pub(crate) fn bytes(
        &self,
        rows: &[u8],
        stride: usize,
        panel: &[i8],
        out: &mut [i32],
        out_stride: usize,
    ) {
        match self {
            Self::Tiles(tiles) => tiles.bytes(rows, stride, panel, out, out_stride),
            Self::Vectors(proof) => vectors::bytes(*proof, rows, stride, panel, out, out_stride),
        }
    }

    /// 32 rows of bf16 numbers, `stride` numbers apart, by a panel of them → `out`.
    pub(crate) fn rounded(
        &self,
        proof: Bf16,
        rows: &[u16],
        stride: usize,
        panel: &[u16],
        out: &mut [f32],
        out_stride: usize,
    ) {
        match self {
            Self::Tiles(tiles) => tiles.rounded(rows, stride, panel, out, out_stride),
            Self::Vectors(_) => vectors::rounded(proof, rows, stride, panel, out, out_stride),
        }
    }
}
