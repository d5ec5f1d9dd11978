//! Rows of a table by index on a GPU.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, launch, uninitialised};
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

/// Most places that one block adds up: a row that all tokens share, such as that of a segment, is split into parts.
const PART: usize = 64;

/// Which places of the result came from which row.
struct Lookups {
    /// The rows that were looked up, ascending.
    rows: Vec<u32>,
    /// Where the places of each row begin and end in `order`.
    offsets: Vec<u32>,
    /// Places, by row.
    order: Vec<u32>,
}

/// The places of each row in parts of at most [`PART`].
struct Parts {
    /// Where each part begins and ends in [`Lookups::order`].
    places: Vec<u32>,
    /// Where the parts of each row begin and end.
    of_rows: Vec<u32>,
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

    fn parts(&self) -> Parts {
        let (mut places, mut of_rows) = (vec![0], vec![0]);
        for row in self.offsets.windows(2) {
            let ends = (row[0]..row[1]).step_by(PART).skip(1).chain([row[1]]);
            places.extend(ends);
            of_rows.push(places.len() as u32 - 1);
        }
        Parts { places, of_rows }
    }

    /// The gradient of a table `[rows, width]` from that of the result: sums over parts, then over the parts of rows.
    fn scatter(&self, device: &CudaDevice, table: &Shape, grad: &Tensor) -> Result<Tensor> {
        let width = table.dims2()?.1;
        let out = device.alloc_zeros::<f32>(table.elem_count())?;
        let parts = self.parts();
        let n_parts = parts.places.len() - 1;
        let numbers: Vec<u32> = (0..n_parts as u32).collect();
        let numbers = device.clone_htod(&numbers)?;
        let partial = uninitialised::<f32>(device, n_parts * width)?;
        let scatter = |grad, rows: &CudaSlice<u32>, ends: &[u32], order: &CudaSlice<u32>, to| {
            let ends = device.clone_htod(ends)?;
            let arguments = [
                Argument::F32s(grad),
                Argument::U32s(rows.slice(..)),
                Argument::U32s(ends.slice(..)),
                Argument::U32s(order.slice(..)),
                Argument::F32s(to),
                Argument::U32(width as u32),
            ];
            launch(
                device,
                "scatter_rows",
                Grid::blocks(ends.len() - 1),
                &arguments,
            )
        };
        let data = data_of(grad);
        let order = device.clone_htod(&self.order)?;
        let rows = device.clone_htod(&self.rows)?;
        scatter(
            data.view()?,
            &numbers,
            &parts.places,
            &order,
            partial.slice(..),
        )?;
        scatter(
            partial.slice(..),
            &rows,
            &parts.of_rows,
            &numbers,
            out.slice(..),
        )?;
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
        let parts = lookups.parts();
        assert_eq!(
            (parts.places, parts.of_rows),
            (vec![0, 1, 3, 6], vec![0, 1, 2, 3])
        );
        let none = Lookups::new(&[]);
        assert_eq!((none.rows.len(), none.offsets.as_slice()), (0, &[0][..]));
        assert_eq!(none.parts().places, [0]);
    }

    #[test]
    fn rows_that_are_looked_up_often_are_split() {
        let mut indices = vec![3; 2 * PART + 1];
        indices.extend([8; PART]);
        let parts = Lookups::new(&indices).parts();
        let part = PART as u32;
        assert_eq!(
            parts.places,
            [0, part, 2 * part, 2 * part + 1, 3 * part + 1]
        );
        assert_eq!(parts.of_rows, [0, 3, 4]);
    }
}
