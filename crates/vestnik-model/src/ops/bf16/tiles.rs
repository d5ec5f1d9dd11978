//! Blocks by AMX tiles.
#![allow(unsafe_code)]

use vestnik_x86::{Amx, BLOCK, Tiles};

use super::kernel::{Block, Kernel, LANES, load};
use super::packing::PAIRS;

/// Tiles that are set up, and the sums that they gave last.
pub(super) struct ReadyTiles {
    tiles: Tiles,
    sums: [f32; BLOCK * BLOCK],
}

impl Kernel for Amx {
    const ROWS: usize = BLOCK;
    const COLS: usize = BLOCK;
    type Ready = ReadyTiles;

    fn ready(self) -> ReadyTiles {
        ReadyTiles {
            tiles: Tiles::new(self),
            sums: [0.0; BLOCK * BLOCK],
        }
    }

    unsafe fn multiply(
        ready: &mut ReadyTiles,
        pairs: usize,
        left: &[u32],
        right: &[u32],
        out: &mut Block<'_>,
        first: Option<&[f32]>,
    ) {
        let ReadyTiles { tiles, sums } = ready;
        tiles.pairs(pairs, left, PAIRS, right, sums);
        // SAFETY: an `Amx` says that AVX-512 is there; the rest is the caller's promise.
        unsafe { put(sums, out, first) };
    }
}

/// Puts the sums of a block where they go.
///
/// # Safety
/// Without a bias the block has been written before.
#[target_feature(enable = "avx512f")]
unsafe fn put(sums: &[f32; BLOCK * BLOCK], out: &mut Block<'_>, first: Option<&[f32]>) {
    for (row, sums) in sums.chunks_exact(BLOCK).enumerate().take(out.rows) {
        for col in (0..BLOCK).step_by(LANES) {
            // SAFETY: the caller's promise.
            unsafe { out.put(row, col, load(&sums[col..]), first) };
        }
    }
}
