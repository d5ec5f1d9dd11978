//! The eight tile registers of a thread, and products of blocks that fit in them.

use std::arch::asm;
use std::marker::PhantomData;

use crate::{Amx, TILE};

/// Rows and columns of a block of results.
pub const BLOCK: usize = 32;
/// Bytes of one step along the depth in a row: 64 bytes, or 32 bf16 numbers.
pub const STEP_BYTES: usize = 64;
/// Bytes of one step of a panel, the right factor's 32 columns: two tiles.
pub const PANEL_STEP: usize = 2048;

#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Tiles of 16 rows by 64 bytes, set up for this thread and given back when dropped.
#[derive(Debug)]
pub struct Tiles(PhantomData<*const ()>);

/// Assembles the product of a block; `$line`s add the product of one step to the tiles 0 to 3. Rows are `$stride` bytes
/// apart, rows of the panel's tiles `$panel_stride`; steps lie `$row_step` and `$panel_step` bytes apart.
macro_rules! block_product {
    (
        $rows:expr, $stride:expr, $panel:expr, $panel_stride:expr, $steps:expr, $out:expr, $out_stride:expr,
        $row_step:literal, $panel_step:literal, $($line:expr),* $(,)?
    ) => {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "mov {high}, {stride}",
            "shl {high}, 4",
            "add {high}, {low}",
            "2:",
            $($line,)*
            concat!("add {low}, ", $row_step),
            concat!("add {high}, ", $row_step),
            concat!("add {panel}, ", $panel_step),
            "dec {step}",
            "jnz 2b",
            "tilestored [{out} + {out_stride}], tmm0",
            "tilestored [{out} + {out_stride} + 64], tmm1",
            "mov {low}, {out_stride}",
            "shl {low}, 4",
            "add {low}, {out}",
            "tilestored [{low} + {out_stride}], tmm2",
            "tilestored [{low} + {out_stride} + 64], tmm3",
            low = inout(reg) $rows => _,
            high = out(reg) _,
            panel = inout(reg) $panel => _,
            step = inout(reg) $steps => _,
            stride = in(reg) $stride,
            line = in(reg) $panel_stride,
            out = in(reg) $out,
            out_stride = in(reg) $out_stride,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

/// Loads the rows' tiles 4 and 5 from a part that lies `$at` bytes behind the first.
macro_rules! load_rows {
    ($at:literal) => {
        concat!(
            "tileloadd tmm4, [{low} + {stride} + ",
            $at,
            "]\n",
            "tileloadd tmm5, [{high} + {stride} + ",
            $at,
            "]"
        )
    };
}

/// Loads the panel's tiles 6 and 7 from `$first` and `$second` bytes behind the step.
macro_rules! load_panel {
    ($first:literal, $second:literal) => {
        concat!(
            "tileloadd tmm6, [{panel} + {line} + ",
            $first,
            "]\n",
            "tileloadd tmm7, [{panel} + {line} + ",
            $second,
            "]"
        )
    };
}

/// Adds the products of the tiles 4 and 5 by 6 and 7.
macro_rules! add_products {
    ($instruction:literal) => {
        concat!(
            $instruction,
            " tmm0, tmm4, tmm6\n",
            $instruction,
            " tmm1, tmm4, tmm7\n",
            $instruction,
            " tmm2, tmm5, tmm6\n",
            $instruction,
            " tmm3, tmm5, tmm7"
        )
    };
}

/// Loads a step's tiles and adds their products, each as soon as its factors are there; the panel's second tile lies
/// `$second` bytes behind its first.
macro_rules! step {
    ($instruction:literal, $second:literal) => {
        concat!(
            "tileloadd tmm4, [{low} + {stride}]\n",
            "tileloadd tmm6, [{panel} + {line}]\n",
            $instruction,
            " tmm0, tmm4, tmm6\n",
            "tileloadd tmm7, [{panel} + {line} + ",
            $second,
            "]\n",
            $instruction,
            " tmm1, tmm4, tmm7\n",
            "tileloadd tmm5, [{high} + {stride}]\n",
            $instruction,
            " tmm2, tmm5, tmm6\n",
            $instruction,
            " tmm3, tmm5, tmm7"
        )
    };
}

impl Tiles {
    /// Sets the tiles up.
    #[must_use]
    pub fn new(_: Amx) -> Self {
        // SAFETY: an `Amx` says that there are tiles; the configuration is 64 bytes that describe palette 1.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly));
        };
        Self(PhantomData)
    }

    /// 32 rows of unsigned bytes by a panel of signed ones → `out`, rows `out_stride` apart. Steps of the rows, each 64 bytes
    /// of every row, are as long as those of the panel and follow each other, too.
    #[inline]
    pub fn bytes(&self, rows: &[u8], panel: &[i8], out: &mut [i32], out_stride: usize) {
        let steps = panel.len() / PANEL_STEP;
        // Rows without a distance: the block is one row as long as the panel.
        check(rows.len(), 0, panel.len(), out.len(), out_stride);
        if steps == 0 {
            return out_of_nothing(out, out_stride, 0);
        }
        // SAFETY: `check` holds that the block lies inside of its slices; the tiles are configured.
        unsafe {
            block_product!(
                rows.as_ptr(),
                STEP_BYTES,
                panel.as_ptr(),
                64usize,
                steps,
                out.as_mut_ptr(),
                4 * out_stride,
                "2048",
                "2048",
                step!("tdpbusd", "1024"),
            );
        }
    }

    /// 32 rows of bf16 numbers, `stride` numbers apart, by a panel of them → `out`.
    #[inline]
    pub fn rounded(
        &self,
        rows: &[u16],
        stride: usize,
        panel: &[u16],
        out: &mut [f32],
        out_stride: usize,
    ) {
        let steps = 2 * panel.len() / PANEL_STEP;
        check(
            2 * rows.len(),
            2 * stride,
            steps * STEP_BYTES,
            out.len(),
            out_stride,
        );
        if steps == 0 {
            return out_of_nothing(out, out_stride, 0.0);
        }
        // SAFETY: as above.
        unsafe {
            block_product!(
                rows.as_ptr(),
                2 * stride,
                panel.as_ptr(),
                64usize,
                steps,
                out.as_mut_ptr(),
                4 * out_stride,
                "64",
                "2048",
                step!("tdpbf16ps", "1024"),
            );
        }
    }

    /// 32 rows of pairs of bf16 numbers, `stride` pairs apart, by `pairs` rows of 32 pairs: what is below the one is right of
    /// the other → `out`. `pairs` is filled up to a multiple of 16, in both factors.
    #[inline]
    pub fn pairs(
        &self,
        pairs: usize,
        rows: &[u32],
        stride: usize,
        panel: &[u32],
        out: &mut [f32; BLOCK * BLOCK],
    ) {
        let steps = pairs.div_ceil(TILE);
        check(
            4 * rows.len(),
            4 * stride,
            steps * STEP_BYTES,
            out.len(),
            BLOCK,
        );
        assert!(steps * PANEL_STEP <= 4 * panel.len(), "a panel is short");
        if steps == 0 {
            return out.fill(0.0);
        }
        // SAFETY: the checks hold that the block lies inside of its slices; the tiles are configured.
        unsafe {
            block_product!(
                rows.as_ptr(),
                4 * stride,
                panel.as_ptr(),
                4 * BLOCK,
                steps,
                out.as_mut_ptr(),
                4 * BLOCK,
                "64",
                "2048",
                step!("tdpbf16ps", "64"),
            );
        }
    }

    /// 32 rows of numbers by a panel of them, both as their three parts: each step of a row, or of a panel, is one of the
    /// large parts, one of the middle and one of the small ones. Of the nine products those are added that together are
    /// the product of the numbers up to one part in 2^24.
    #[inline]
    pub fn exact(
        &self,
        rows: &[u16],
        stride: usize,
        panel: &[u16],
        out: &mut [f32],
        out_stride: usize,
    ) {
        let steps = 2 * panel.len() / (3 * PANEL_STEP);
        check(
            2 * rows.len(),
            2 * stride,
            3 * steps * STEP_BYTES,
            out.len(),
            out_stride,
        );
        if steps == 0 {
            return out_of_nothing(out, out_stride, 0.0);
        }
        // SAFETY: as above.
        unsafe {
            block_product!(
                rows.as_ptr(),
                2 * stride,
                panel.as_ptr(),
                64usize,
                steps,
                out.as_mut_ptr(),
                4 * out_stride,
                "192",
                "6144",
                load_rows!("0"),
                load_panel!("4096", "5120"),
                add_products!("tdpbf16ps"),
                load_panel!("2048", "3072"),
                add_products!("tdpbf16ps"),
                load_panel!("0", "1024"),
                add_products!("tdpbf16ps"),
                load_rows!("64"),
                add_products!("tdpbf16ps"),
                load_panel!("2048", "3072"),
                add_products!("tdpbf16ps"),
                load_rows!("128"),
                load_panel!("0", "1024"),
                add_products!("tdpbf16ps"),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the tiles were configured by this thread, which a `Tiles` cannot leave.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Refuses blocks that reach beyond their slices; sizes of the rows in bytes, of the results in numbers.
///
/// # Panics
/// When a block does.
#[inline]
pub fn check(rows: usize, stride: usize, depth: usize, out: usize, out_stride: usize) {
    assert!(
        (BLOCK - 1) * stride + depth <= rows && (BLOCK - 1) * out_stride + BLOCK <= out,
        "a block reaches beyond its slice"
    );
}

fn out_of_nothing<T: Copy>(out: &mut [T], stride: usize, zero: T) {
    for row in 0..BLOCK {
        out[row * stride..][..BLOCK].fill(zero);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Avx512;

    /// Whole numbers of this type that look random, small enough for exact sums.
    fn numbers<T>(n: usize, number: impl Fn(i32) -> T) -> Vec<T> {
        (0..n).map(|i| number((i * 7919 % 251) as i32)).collect()
    }

    fn tiles() -> Option<Tiles> {
        let tiles = Avx512::detect().and_then(Avx512::tiles);
        if tiles.is_none() {
            eprintln!("skipped: no AMX");
        }
        tiles.map(Tiles::new)
    }

    /// A whole number as bf16.
    fn half(x: i32) -> u16 {
        ((x as f32).to_bits() >> 16) as u16
    }

    #[test]
    fn blocks_of_bytes_are_products() {
        let Some(tiles) = tiles() else { return };
        for steps in [0, 1, 3] {
            let depth = steps * STEP_BYTES;
            let rows = numbers(BLOCK * depth, |x| x as u8);
            let panel = numbers(BLOCK * depth, |x| (x - 125) as i8);
            let mut out = [7; BLOCK * BLOCK];
            tiles.bytes(&rows, &panel, &mut out, BLOCK);
            for (place, sum) in out.into_iter().enumerate() {
                let (row, column) = (place / BLOCK, place % BLOCK);
                let product = |k: usize| {
                    let step = k / 64 * PANEL_STEP;
                    let at = step + column / 16 * 1024 + k % 64 / 4 * 64;
                    let weight = panel[at + column % 16 * 4 + k % 4];
                    i32::from(rows[step + row * 64 + k % 64]) * i32::from(weight)
                };
                assert_eq!(sum, (0..depth).map(product).sum::<i32>());
            }
        }
    }

    #[test]
    fn blocks_of_pairs_are_products() {
        let Some(tiles) = tiles() else { return };
        let pair = |x: i32| u32::from(half(x % 16)) | u32::from(half(x % 9)) << 16;
        let value = |pair: u32, half: u32| f32::from_bits(pair >> (16 * half) << 16);
        for pairs in [0, 1, 16, 33] {
            let filled_up = usize::next_multiple_of(pairs, TILE);
            let stride = filled_up + 3;
            let rows = numbers(BLOCK * stride, pair);
            let panel = numbers(BLOCK * filled_up, pair);
            let mut out = [7.0; BLOCK * BLOCK];
            tiles.pairs(pairs, &rows, stride, &panel, &mut out);
            for (place, sum) in out.into_iter().enumerate() {
                let (row, column) = (place / BLOCK, place % BLOCK);
                let product = |k: usize| {
                    let (x, y) = (rows[row * stride + k], panel[k * BLOCK + column]);
                    value(x, 0) * value(y, 0) + value(x, 1) * value(y, 1)
                };
                assert_eq!(sum, (0..filled_up).map(product).sum::<f32>());
            }
        }
    }

    #[test]
    #[should_panic(expected = "reaches beyond")]
    fn a_block_beyond_its_slice_is_refused() {
        check(BLOCK * 64 - 1, 64, 64, BLOCK * BLOCK, BLOCK);
    }
}
