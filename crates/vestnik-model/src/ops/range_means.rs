//! Means of ranges of rows.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::ops::cpu;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::tape;

/// The mean of the rows of each range; ranges may overlap.
///
/// **Shapes** `x [tokens, width]`, `n` ranges of tokens → `[n, width]`.
///
/// # Errors
/// When a range is empty or goes beyond the tokens, or there is none.
pub fn range_means(x: &Tensor, ranges: &[Range<usize>]) -> Result<Tensor> {
    let tokens = x.dim(0)?;
    let fits = |range: &Range<usize>| range.start < range.end && range.end <= tokens;
    if ranges.is_empty() || !ranges.iter().all(fits) {
        candle_core::bail!("range_means: {:?} with ranges {ranges:?}", x.shape());
    }
    if cpu::is_cpu_f32(x) {
        let ranges = ranges.to_vec();
        return tape::apply1(&x.contiguous()?, RangeMeans { ranges });
    }
    #[cfg(feature = "cuda")]
    if cuda::applies_to(x) {
        return cuda::range_means(x, ranges);
    }
    range_means_composed(x, ranges)
}

/// [`range_means`] composed of candle's own differentiable operations: the reference, and the path of other devices.
///
/// # Errors
/// As [`range_means`].
pub fn range_means_composed(x: &Tensor, ranges: &[Range<usize>]) -> Result<Tensor> {
    let mean = |range: &Range<usize>| x.narrow(0, range.start, range.len())?.mean_keepdim(0);
    let means = ranges.iter().map(mean).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&means, 0)
}

struct RangeMeans {
    ranges: Vec<Range<usize>>,
}

impl CustomOp1 for RangeMeans {
    fn name(&self) -> &'static str {
        "range_means"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        let x = cpu::slice_of(x, layout)?;
        let mut means = vec![0.0; self.ranges.len() * width];
        for (mean, range) in means.chunks_exact_mut(width).zip(&self.ranges) {
            for row in x[range.start * width..range.end * width].chunks_exact(width) {
                mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
            }
            mean.iter_mut().for_each(|mean| *mean /= range.len() as f32);
        }
        Ok(cpu::output(means, (self.ranges.len(), width)))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let width = x.dim(1)?;
        let mut out = vec![0.0; x.elem_count()];
        let data = cpu::data_of(&grad);
        for (grad, range) in data.as_slice()?.chunks_exact(width).zip(&self.ranges) {
            let share: Vec<f32> = grad.iter().map(|grad| grad / range.len() as f32).collect();
            for row in out[range.start * width..range.end * width].chunks_exact_mut(width) {
                row.iter_mut().zip(&share).for_each(|(out, x)| *out += x);
            }
        }
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}
