//! Processors that have kernels of ours.

use super::{Amx, Avx2, Avx512, Bf16, avx2, avx512};
use vestnik_x86::BLOCK;

/// A processor, by the widest vectors that are used of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Processor {
    /// With VNNI: Intel Cascade Lake, AMD Zen 4, and later; some of them have tiles.
    Avx512(Avx512),
    /// With FMA: Intel Haswell, AMD Zen, and later; some of them have products of bytes (Intel Alder Lake and later).
    Avx2(Avx2),
}

impl Processor {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        Avx512::detect().map(Self::Avx512).or_else(Self::avx_vnni)
    }

    /// The same, as if there were no tiles.
    pub(crate) fn vectors() -> Option<Self> {
        match Self::detect()? {
            Self::Avx512(processor) => Some(Self::Avx512(processor.without_tiles())),
            narrower @ Self::Avx2(_) => Some(narrower),
        }
    }

    /// The same, as if there were nothing but AVX2 and its products of bytes.
    pub(crate) fn avx_vnni() -> Option<Self> {
        Avx2::detect().map(Self::Avx2)
    }

    /// The same, as if there were nothing but AVX2.
    pub(crate) fn avx2() -> Option<Self> {
        Avx2::detect().map(|processor| Self::Avx2(processor.without_vnni()))
    }

    /// Tiles.
    pub(crate) fn tiles(self) -> Option<Amx> {
        match self {
            Self::Avx512(processor) => processor.tiles(),
            Self::Avx2(_) => None,
        }
    }

    /// Products of bf16 numbers.
    pub(crate) fn bf16(self) -> Option<Bf16> {
        match self {
            Self::Avx512(processor) => processor.bf16(),
            Self::Avx2(_) => None,
        }
    }

    /// The largest byte of rows, and of weights, whose products are exact.
    pub(crate) fn largest_bytes(self) -> (u8, i8) {
        match self {
            Self::Avx2(processor) if processor.vnni().is_none() => avx2::LARGEST_BYTES,
            _ => (u8::MAX, i8::MAX),
        }
    }

    /// Columns of a panel of numbers: as many as are computed at once.
    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Avx512(_) => BLOCK,
            Self::Avx2(_) => avx2::COLUMNS,
        }
    }

    /// The first 32 rows of numbers, `stride` apart, or as many as there are, by a panel of them, which has so many columns
    /// for each number of a row → `out`, rows `out_stride` apart. What lies there behind the last row is of no use.
    pub(crate) fn floats(
        self,
        rows: &[f32],
        stride: usize,
        panel: &[f32],
        out: &mut [f32],
        out_stride: usize,
    ) {
        let columns = self.columns();
        let depth = panel.len() / columns;
        let n_rows = rows.len().div_ceil(stride).min(BLOCK);
        assert!(
            n_rows > 0
                && (n_rows - 1) * stride + depth <= rows.len()
                && (BLOCK - 1) * out_stride + columns <= out.len(),
            "a block reaches beyond its slice"
        );
        let (rows, out) = (rows.as_ptr(), out.as_mut_ptr());
        // SAFETY: all rows, and the block of results, lie inside of their slices.
        unsafe {
            match self {
                Self::Avx512(proof) => {
                    avx512::floats(proof, rows, [n_rows, stride], panel, out, out_stride);
                }
                Self::Avx2(proof) => {
                    avx2::floats(proof, rows, [n_rows, stride], panel, out, out_stride);
                }
            }
        }
    }
}
