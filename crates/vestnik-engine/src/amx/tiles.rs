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

/// One product that is added to a block: 32 rows by a panel.
#[derive(Clone, Copy)]
#[repr(C)]
struct Term {
    rows: *const u8,
    panel: *const u8,
}

/// Assembles the product of a block: rows are `rows_stride` bytes apart in memory, `terms` products are summed.
macro_rules! block_product {
    ($instruction:literal, $terms:expr, $count:expr, $stride:expr, $steps:expr, $out:expr, $out_stride:expr) => {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "3:",
            "mov {low}, [{term}]",
            "mov {panel}, [{term} + 8]",
            "mov {high}, {stride}",
            "shl {high}, 4",
            "add {high}, {low}",
            "mov {step}, {steps}",
            "2:",
            "tileloadd tmm4, [{low} + {stride}]",
            "tileloadd tmm6, [{panel} + {line}]",
            concat!($instruction, " tmm0, tmm4, tmm6"),
            "tileloadd tmm7, [{panel} + {line} + 1024]",
            concat!($instruction, " tmm1, tmm4, tmm7"),
            "tileloadd tmm5, [{high} + {stride}]",
            concat!($instruction, " tmm2, tmm5, tmm6"),
            concat!($instruction, " tmm3, tmm5, tmm7"),
            "add {low}, 64",
            "add {high}, 64",
            "add {panel}, 2048",
            "dec {step}",
            "jnz 2b",
            "add {term}, 16",
            "dec {count}",
            "jnz 3b",
            "tilestored [{out} + {out_stride}], tmm0",
            "tilestored [{out} + {out_stride} + 64], tmm1",
            "mov {low}, {out_stride}",
            "shl {low}, 4",
            "add {low}, {out}",
            "tilestored [{low} + {out_stride}], tmm2",
            "tilestored [{low} + {out_stride} + 64], tmm3",
            term = inout(reg) $terms => _,
            count = inout(reg) $count => _,
            low = out(reg) _,
            high = out(reg) _,
            panel = out(reg) _,
            step = out(reg) _,
            steps = in(reg) $steps,
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

impl Tiles {
    pub(crate) fn new(_: Amx) -> Self {
        // SAFETY: an `Amx` says that there are tiles; the configuration is 64 bytes that describe palette 1.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly))
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
        let term = [Term {
            rows: rows.as_ptr(),
            panel: panel.as_ptr().cast(),
        }];
        // SAFETY: `check` holds that the block lies inside of its slices; the tiles are configured.
        unsafe {
            block_product!(
                "tdpbusd",
                term.as_ptr(),
                1usize,
                stride,
                steps,
                out.as_mut_ptr(),
                4 * out_stride
            );
        }
    }

    /// The sum of products of 32 rows of bf16 numbers, `stride` numbers apart, by panels of them → `out`.
    pub(crate) fn bf16<const TERMS: usize>(
        &self,
        terms: [(&[u16], &[u16]); TERMS],
        stride: usize,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let steps = 2 * terms[0].1.len() / PANEL_STEP;
        for (rows, panel) in terms {
            assert_eq!(
                2 * panel.len() / PANEL_STEP,
                steps,
                "panels differ in depth"
            );
            check(
                2 * rows.len(),
                2 * stride,
                steps * STEP_BYTES,
                out.len(),
                out_stride,
            );
        }
        if steps == 0 {
            return out_of_nothing(out, out_stride, 0.0);
        }
        let terms = terms.map(|(rows, panel)| Term {
            rows: rows.as_ptr().cast(),
            panel: panel.as_ptr().cast(),
        });
        // SAFETY: as above, for every term.
        unsafe {
            block_product!(
                "tdpbf16ps",
                terms.as_ptr(),
                TERMS,
                2 * stride,
                steps,
                out.as_mut_ptr(),
                4 * out_stride
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
fn check(rows: usize, stride: usize, depth: usize, out: usize, out_stride: usize) {
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
