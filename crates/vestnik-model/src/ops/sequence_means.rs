//! The mean of each sequence's rows.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::ops::cpu;

/// The mean of the rows of each of the sequences that are packed end to end.
///
/// **Shapes** `x [tokens, width]`, `n + 1` ends of sequences → `[n, width]`.
///
/// # Errors
/// When the ends are not ascending, do not begin with 0 or do not end with the number of tokens.
pub fn sequence_means(x: &Tensor, cumulative_lengths: &[usize]) -> Result<Tensor> {
    let ascending = cumulative_lengths.windows(2).all(|ends| ends[0] < ends[1]);
    let (first, last) = (cumulative_lengths.first(), cumulative_lengths.last());
    if !ascending || first != Some(&0) || last != Some(&x.dim(0)?) {
        candle_core::bail!(
            "sequence_means: {:?} with ends {cumulative_lengths:?}",
            x.shape()
        );
    }
    if cpu::is_cpu_f32(x) {
        let cumulative_lengths = cumulative_lengths.to_vec();
        return x
            .contiguous()?
            .apply_op1(SequenceMeans { cumulative_lengths });
    }
    let means = cumulative_lengths
        .windows(2)
        .map(|ends| x.narrow(0, ends[0], ends[1] - ends[0])?.mean_keepdim(0))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&means, 0)
}

struct SequenceMeans {
    cumulative_lengths: Vec<usize>,
}

impl SequenceMeans {
    fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.cumulative_lengths
            .windows(2)
            .map(|ends| ends[1] - ends[0])
    }
}

impl CustomOp1 for SequenceMeans {
    fn name(&self) -> &'static str {
        "sequence_means"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        let mut rows = cpu::slice_of(x, layout)?.chunks_exact(width);
        let mut means = vec![0.0; self.lengths().count() * width];
        for (mean, length) in means.chunks_exact_mut(width).zip(self.lengths()) {
            for row in rows.by_ref().take(length) {
                mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
            }
            mean.iter_mut().for_each(|mean| *mean /= length as f32);
        }
        let shape = (self.lengths().count(), width);
        Ok(cpu::output(means, shape))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let width = x.dim(1)?;
        let mut out = Vec::with_capacity(x.elem_count());
        let data = cpu::data_of(&grad);
        for (grad, length) in data.as_slice()?.chunks_exact(width).zip(self.lengths()) {
            for _ in 0..length {
                out.extend(grad.iter().map(|grad| grad / length as f32));
            }
        }
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}
