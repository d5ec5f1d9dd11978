//! The eight tile registers of a thread, and products of blocks that fit in them.

use std::arch::asm;
use std::marker::PhantomData;

use super::Amx;

/// Rows and columns of a block of results.
pub(crate) const BLOCK: usize = 32;
/// Bytes of one step along the depth in a row: 64 bytes, or 32 bf16 numbers.
pub(crate) const STEP_BYTES: usize = 64;
/// Bytes of one step of a panel, the right factor's 32 columns: two tiles.
pub(crate) const PANEL_STEP: usize = 2048;

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
pub(crate) struct Tiles(PhantomData<*const ()>);

/// Assembles the product of a block; `$line`s add the product of one step to the tiles 0 to 3. Rows are `$stride` bytes
/// apart, steps lie `$row_step` and `$panel_step` bytes apart.
macro_rules! block_product {
    (
        $rows:expr, $stride:expr, $panel:expr, $steps:expr, $out:expr, $out_stride:expr,
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
            line = in(reg) 64usize,
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

impl Tiles {
    pub(crate) fn new(_: Amx) -> Self {
        // SAFETY: an `Amx` says that there are tiles; the configuration is 64 bytes that describe palette 1.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly));
        };
        Self(PhantomData)
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
        let steps = panel.len() / PANEL_STEP;
        check(
            rows.len(),
            stride,
            steps * STEP_BYTES,
            out.len(),
            out_stride,
        );
        if steps == 0 {
            return out_of_nothing(out, out_stride, 0);
        }
        // SAFETY: `check` holds that the block lies inside of its slices; the tiles are configured.
        unsafe {
            block_product!(
                rows.as_ptr(),
                stride,
                panel.as_ptr(),
                steps,
                out.as_mut_ptr(),
                4 * out_stride,
                "64",
                "2048",
                load_rows!("0"),
                load_panel!("0", "1024"),
                add_products!("tdpbusd"),
            );
        }
    }

    /// 32 rows of bf16 numbers, `stride` numbers apart, by a panel of them → `out`.
    pub(crate) fn rounded(
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
                steps,
                out.as_mut_ptr(),
                4 * out_stride,
                "64",
                "2048",
                load_rows!("0"),
                load_panel!("0", "1024"),
                add_products!("tdpbf16ps"),
            );
        }
    }

    /// 32 rows of numbers by a panel of them, both as their three parts: each step of a row, or of a panel, is one of the
    /// large parts, one of the middle and one of the small ones. Of the nine products those are added that together are
    /// the product of the numbers up to one part in 2^24.
    pub(crate) fn exact(
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
pub(super) fn check(rows: usize, stride: usize, depth: usize, out: usize, out_stride: usize) {
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
