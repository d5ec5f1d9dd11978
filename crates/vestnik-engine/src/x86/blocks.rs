//! Who computes a block of results.

use vestnik_x86::{PANEL_STEP, STEP_BYTES, check};

use super::{Avx2, Avx512, Bf16, Processor, Tiles, avx_vnni, avx2, avx512};

/// Tiles, or vectors.
#[derive(Debug)]
pub(crate) enum Blocks {
    Tiles(Tiles),
    Avx512(Avx512),
    Avx2(Avx2),
}

impl Blocks {
    /// Tiles where there are any.
    pub(crate) fn new(processor: Processor) -> Self {
        match processor {
            Processor::Avx512(processor) => match processor.tiles() {
                Some(tiles) => Self::Tiles(Tiles::new(tiles)),
                None => Self::Avx512(processor),
            },
            Processor::Avx2(processor) => Self::Avx2(processor),
        }
    }

    /// 32 rows of unsigned bytes by a panel of signed ones → `out`, rows `out_stride` apart. None is beyond the processor's
    /// largest; they lie in its layout, of `stride` bytes each.
    pub(crate) fn bytes(
        &self,
        rows: &[u8],
        stride: usize,
        panel: &[i8],
        out: &mut [i32],
        out_stride: usize,
    ) {
        let steps = panel.len() / PANEL_STEP;
        let depth = steps * STEP_BYTES;
        check(rows.len(), stride, depth, out.len(), out_stride);
        let (first, numbers) = (rows.as_ptr(), out.as_mut_ptr());
        // SAFETY: `check` holds that the block lies inside of its slices.
        unsafe {
            match self {
                Self::Tiles(tiles) => tiles.bytes(rows, panel, out, out_stride),
                Self::Avx512(proof) => {
                    avx512::bytes(*proof, first, stride, panel, numbers, out_stride);
                }
                Self::Avx2(proof) => match proof.vnni() {
                    Some(vnni) => avx_vnni::bytes(vnni, first, stride, panel, numbers, out_stride),
                    None => avx2::bytes(*proof, first, stride, panel, numbers, out_stride),
                },
            }
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
            _ => avx512::rounded(proof, rows, stride, panel, out, out_stride),
        }
    }
}
