//! Runs kernels of `kernels.cu`: the only place with unsafe code beside `gemm` and `setup`.
#![expect(
    unsafe_code,
    reason = "a kernel is machine code that the compiler does not see"
)]

use candle_core::Result;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaView, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use half::bf16;

/// The kernels, compiled by the build script.
const KERNELS: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// Threads of a block that treats elements one by one, or rows by warps.
pub(super) const THREADS: u32 = 256;

/// An argument of a kernel.
pub(super) enum Argument<'a> {
    F32s(CudaView<'a, f32>),
    Bf16s(CudaView<'a, bf16>),
    U32s(CudaView<'a, u32>),
    I32s(CudaView<'a, i32>),
    F32(f32),
    U32(u32),
    U64(u64),
}

/// The number formats of factors of products: kernels have a variant for each.
pub(super) trait Number: CudaDType + DeviceRepr + Send + Sync + 'static {
    /// What the names of the variants end in.
    const SUFFIX: &'static str;

    /// Elements as an argument.
    fn argument(view: CudaView<'_, Self>) -> Argument<'_>;

    /// The variant of a kernel.
    fn kernel(name: &str) -> String {
        format!("{name}_{}", Self::SUFFIX)
    }
}

impl Number for f32 {
    const SUFFIX: &'static str = "f32";

    fn argument(view: CudaView<'_, Self>) -> Argument<'_> {
        Argument::F32s(view)
    }
}

impl Number for bf16 {
    const SUFFIX: &'static str = "bf16";

    fn argument(view: CudaView<'_, Self>) -> Argument<'_> {
        Argument::Bf16s(view)
    }
}

/// How many blocks of how many threads run.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    blocks: (u32, u32),
    threads: (u32, u32),
}

impl Grid {
    /// A thread for each of `n` elements.
    pub(super) fn elements(n: usize) -> Self {
        Self::blocks(n.div_ceil(THREADS as usize))
    }

    /// A thread for every four elements.
    pub(super) fn groups(n: usize) -> Self {
        Self::elements(n.div_ceil(4))
    }

    /// A warp of 32 threads for each of `n` rows.
    pub(super) fn warps(n: usize) -> Self {
        Self::blocks(n.div_ceil(THREADS as usize / 32))
    }

    /// `n` blocks of [`THREADS`].
    pub(super) fn blocks(n: usize) -> Self {
        Self {
            blocks: (n as u32, 1),
            threads: (THREADS, 1),
        }
    }

    /// Blocks of 32 x 8 threads: `cols` of them side by side, `rows` below each other.
    pub(super) fn tiles(cols: usize, rows: usize) -> Self {
        Self {
            blocks: (cols as u32, rows as u32),
            threads: (32, 8),
        }
    }
}

/// Runs a kernel; not at all where there is nothing to do.
///
/// What is written is behind a shared reference, too: the callers hand over memory that they have just allocated, or that
/// an operation in place owns.
pub(super) fn launch(
    device: &CudaDevice,
    kernel: &str,
    grid: Grid,
    arguments: &[Argument<'_>],
) -> Result<()> {
    if grid.blocks.0 == 0 || grid.blocks.1 == 0 {
        return Ok(());
    }
    let function = device.get_or_load_custom_func(kernel, "vestnik", KERNELS)?;
    let mut builder = function.builder();
    for argument in arguments {
        match argument {
            Argument::F32s(view) => builder.arg(view),
            Argument::Bf16s(view) => builder.arg(view),
            Argument::U32s(view) => builder.arg(view),
            Argument::I32s(view) => builder.arg(view),
            Argument::F32(value) => builder.arg(value),
            Argument::U32(value) => builder.arg(value),
            Argument::U64(value) => builder.arg(value),
        };
    }
    let config = LaunchConfig {
        grid_dim: (grid.blocks.0, grid.blocks.1, 1),
        block_dim: (grid.threads.0, grid.threads.1, 1),
        shared_mem_bytes: 0,
    };
    // SAFETY: every caller passes the arguments that the kernel of that name declares, and views of at least as many
    // elements as the kernel touches with this grid; tests compare every kernel with its twin on the CPU.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}

/// Memory for `n` elements, to be written by the next kernel before anything reads it.
pub(super) fn uninitialised<T: DeviceRepr>(device: &CudaDevice, n: usize) -> Result<CudaSlice<T>> {
    // SAFETY: all callers fill the whole of it with the next kernel or product.
    unsafe { device.alloc::<T>(n) }
}
