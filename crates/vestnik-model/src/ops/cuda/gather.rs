//! Rows of a table by index on a GPU.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaDevice;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, launch};
use super::values::{data_of, tensor};

/// [`crate::ops::gather_rows`] on a GPU; indices are below the number of rows.
pub(in crate::ops) fn gather_rows(table: &Tensor, indices: &[u32]) -> Result<Tensor> {
    let table = table.contiguous()?;
    let places = Tensor::new(indices, table.device())?;
    if !table.track_op() {
        return table.index_select(&places, 0);
    }
    let lookups = Lookups::new(indices);
    table.apply_op1(GatherRows { places, lookups })
}

/// Which places of the result came from which row.
struct Lookups {
    /// The rows that were looked up, ascending.
    rows: Vec<u32>,
    /// Where the places of each row begin and end in `order`.
    offsets: Vec<u32>,
    /// Places, by row.
    order: Vec<u32>,
}

impl Lookups {
    fn new(indices: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..indices.len() as u32).collect();
        order.sort_by_key(|&place| indices[place as usize]);
        let (mut rows, mut offsets) = (vec![], vec![]);
        for (number, &place) in (0..).zip(&order) {
            let row = indices[place as usize];
            if rows.last() != Some(&row) {
                rows.push(row);
                offsets.push(number);
            }
        }
        offsets.push(order.len() as u32);
        Self {
            rows,
            offsets,
            order,
        }
    }

    /// The gradient of a table `[rows, width]` from that of the result.
    fn scatter(&self, device: &CudaDevice, table: &Shape, grad: &Tensor) -> Result<Tensor> {
        let width = table.dims2()?.1;
        let out = device.alloc_zeros::<f32>(table.elem_count())?;
        let rows = device.clone_htod(&self.rows)?;
        let offsets = device.clone_htod(&self.offsets)?;
        let order = device.clone_htod(&self.order)?;
        let data = data_of(grad);
        let arguments = [
            Argument::F32s(data.view()?),
            Argument::U32s(rows.slice(..)),
            Argument::U32s(offsets.slice(..)),
            Argument::U32s(order.slice(..)),
            Argument::F32s(out.slice(..)),
            Argument::U32(width as u32),
        ];
        launch(device, "scatter_rows", Grid::blocks(self.rows.len()), &arguments)?;
        Ok(tensor(out, device, table))
    }
}

struct GatherRows {
    /// The indices, on the GPU.
    places: Tensor,
    lookups: Lookups,
}

impl CustomOp1 for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("gather_rows: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(&self, table: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let places = data_of(&self.places);
        let found = table.index_select(places.cuda()?, layout, self.places.layout(), 0)?;
        let shape = (self.places.elem_count(), layout.shape().dims2()?.1);
        Ok((found, shape.into()))
    }

    fn bwd(&self, table: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let device = data_of(&grad).device()?;
        self.lookups
            .scatter(&device, table.shape(), &grad)
            .map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_listed_by_row() {
        let lookups = Lookups::new(&[5, 2, 5, 0, 2, 5]);
        assert_eq!(lookups.rows, [0, 2, 5]);
        assert_eq!(lookups.offsets, [0, 1, 3, 6]);
        assert_eq!(lookups.order, [3, 1, 4, 0, 2, 5]);
        let none = Lookups::new(&[]);
        assert_eq!((none.rows.len(), none.offsets.as_slice()), (0, &[0][..]));
    }
}
