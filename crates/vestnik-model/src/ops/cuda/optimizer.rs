//! In-place passes of AdamW and of sums of gradients on a GPU; what they compute is said at the CPU's in `vestnik-train`.

use candle_core::cuda_backend::CudaDevice;
use candle_core::{CudaStorage, Layout, Result, Tensor, bail};

use super::launch::{Argument, Grid, launch, uninitialised};
use super::linear::PARTS;
use super::values::{data_of, view};

/// Runs a kernel that takes contiguous `f32` tensors of one size, their number of elements, and some numbers.
fn run(kernel: &str, tensors: &[(&CudaStorage, &Layout)], numbers: &[f32]) -> Result<()> {
    let views = tensors
        .iter()
        .map(|(storage, layout)| view::<f32>(storage, layout))
        .collect::<Result<Vec<_>>>()?;
    let Some((first, _)) = tensors.first() else {
        return Ok(());
    };
    let n = views[0].len();
    if views.iter().any(|view| view.len() != n) {
        bail!("{kernel}: tensors of different sizes");
    }
    let tensors = views.into_iter().map(Argument::F32s);
    let numbers = numbers.iter().map(|&number| Argument::F32(number));
    let arguments: Vec<_> = tensors
        .chain([Argument::U64(n as u64)])
        .chain(numbers)
        .collect();
    launch(&first.device, kernel, Grid::elements(n), &arguments)
}

/// `m ← beta m + share g`.
///
/// # Errors
/// When sizes differ, or a tensor is not contiguous `f32`.
pub fn first_moment(
    m: (&CudaStorage, &Layout),
    g: (&CudaStorage, &Layout),
    beta: f32,
    share: f32,
) -> Result<()> {
    run("first_moment", &[m, g], &[beta, share])
}

/// `v ← beta v + share (scale g)²`.
///
/// # Errors
/// As [`first_moment`].
pub fn second_moment(
    v: (&CudaStorage, &Layout),
    g: (&CudaStorage, &Layout),
    [beta, share, scale]: [f32; 3],
) -> Result<()> {
    run("second_moment", &[v, g], &[beta, share, scale])
}

/// `p ← keep p − rate m / (√v root_correction + epsilon)`.
///
/// # Errors
/// As [`first_moment`].
pub fn descend(
    [p, m, v]: [(&CudaStorage, &Layout); 3],
    [keep, rate, root_correction, epsilon]: [f32; 4],
) -> Result<()> {
    run(
        "descend",
        &[p, m, v],
        &[keep, rate, root_correction, epsilon],
    )
}

/// The sum of the squares of each tensor, all contiguous `f32` on `device`. The GPU is waited for once.
///
/// # Errors
/// When a tensor is another one, or the driver fails.
pub fn sums_of_squares(device: &CudaDevice, tensors: &[&Tensor]) -> Result<Vec<f64>> {
    let partial = uninitialised::<f32>(device, tensors.len() * PARTS)?;
    for (tensor, to) in tensors.iter().zip((0..).step_by(PARTS)) {
        let data = data_of(tensor);
        let arguments = [
            Argument::F32s(data.view()?),
            Argument::F32s(partial.slice(to..to + PARTS)),
            Argument::U64(tensor.elem_count() as u64),
        ];
        launch(device, "squares", Grid::blocks(PARTS), &arguments)?;
    }
    let partial = device.clone_dtoh(&partial)?;
    let sums = partial.chunks_exact(PARTS);
    Ok(sums
        .map(|parts| parts.iter().map(|&part| f64::from(part)).sum())
        .collect())
}

/// `a ← a + scale b`.
///
/// # Errors
/// As [`first_moment`].
pub fn add_scaled(
    a: (&CudaStorage, &Layout),
    b: (&CudaStorage, &Layout),
    scale: f32,
) -> Result<()> {
    run("add_scaled", &[a, b], &[scale])
}
