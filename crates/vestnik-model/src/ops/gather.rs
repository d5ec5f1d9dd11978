//! Rows of a table by index: embeddings, and picking tokens out of a packed batch.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::Mode;
use crate::ops::cpu;
#[cfg(feature = "cuda")]
use crate::ops::cuda;

/// The rows of `table` at `indices`, differentiable in the table.
///
/// **Shapes** `table [rows, width]`, `n` indices → `[n, width]`.
///
/// # Errors
/// When an index is not below the number of rows.
pub fn gather_rows(table: &Tensor, indices: &[u32]) -> Result<Tensor> {
    let rows = table.dim(0)?;
    if let Some(index) = indices.iter().find(|index| **index as usize >= rows) {
        candle_core::bail!("gather_rows: index {index} in a table of {rows} rows");
    }
    if cpu::is_cpu_f32(table) {
        return table.contiguous()?.apply_op1(GatherRows {
            indices: indices.to_vec(),
        });
    }
    #[cfg(feature = "cuda")]
    if cuda::applies_to(table) {
        return cuda::gather_rows(table, indices);
    }
    table.index_select(&Tensor::new(indices, table.device())?, 0)
}

/// Looks up embeddings: [`gather_rows`], whose gradient a training pass that collects lookups has for the rows alone
/// ([`crate::TrainingPass::with_lookups`]).
///
/// **Shapes** `table [rows, width]`, `n` indices → `[n, width]`.
///
/// # Errors
/// As [`gather_rows`].
pub fn embed(table: &Tensor, indices: &[u32], mode: Mode<'_>) -> Result<Tensor> {
    match mode {
        Mode::Inference | Mode::InferenceIn(_) => gather_rows(table, indices),
        Mode::Training(pass) => pass.rows(table, indices),
    }
}

struct GatherRows {
    indices: Vec<u32>,
}

impl CustomOp1 for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        let table = cpu::slice_of(table, layout)?;
        let mut out = Vec::with_capacity(self.indices.len() * width);
        for &index in &self.indices {
            out.extend_from_slice(&table[index as usize * width..][..width]);
        }
        Ok(cpu::output(out, (self.indices.len(), width)))
    }

    fn bwd(&self, table: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        if !table.track_op() {
            return Ok(None);
        }
        let grad = grad.contiguous()?;
        let grad = cpu::data_of(&grad);
        let (rows, width) = table.dims2()?;
        let mut out = vec![0.0; rows * width];
        for (&index, grad) in self
            .indices
            .iter()
            .zip(grad.as_slice()?.chunks_exact(width))
        {
            let row = &mut out[index as usize * width..][..width];
            row.iter_mut().zip(grad).for_each(|(sum, x)| *sum += x);
        }
        Ok(Some(Tensor::from_vec(out, table.shape(), table.device())?))
    }
}
