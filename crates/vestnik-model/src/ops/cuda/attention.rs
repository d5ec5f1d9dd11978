//! Scaled dot-product attention on a GPU: cuBLAS's products of padded heads, and a softmax of ours between them.

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use half::bf16;

use super::gemm::{Factor, product};
use super::launch::{Argument, Grid, Number, launch, uninitialised};
use super::values::{Once, data_of, output, tensor};
use crate::Precision;
use crate::ops::attention::AttentionOptions;
use crate::ops::random::DropoutMask;
use crate::tape;

/// [`crate::ops::attention`] on a GPU.
pub(in crate::ops) fn attention(
    [q, k, v]: [&Tensor; 3],
    options: AttentionOptions<'_>,
    mask: Option<DropoutMask>,
    precision: Precision,
) -> Result<Tensor> {
    if k.shape() != q.shape() || v.shape() != q.shape() {
        bail!("attention: q, k and v of different shapes");
    }
    let heads = Heads::new(q, options)?;
    let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
    match precision {
        Precision::F32 | Precision::Tf32 => apply::<f32>([&q, &k, &v], heads, mask),
        Precision::Bf16 => apply::<bf16>([&q, &k, &v], heads, mask),
    }
}

/// Attention whose products have factors `T`.
fn apply<T: Number>(
    [q, k, v]: [&Tensor; 3],
    heads: Heads,
    mask: Option<DropoutMask>,
) -> Result<Tensor> {
    let device = data_of(q).device()?;
    let softmax = Softmax { heads, mask };
    let (context, kept) = forward::<T>(&device, &softmax, [q, k, v])?;
    let operation = Attention::<T> {
        softmax,
        kept,
        context: Once::new(context),
        number: std::marker::PhantomData,
    };
    tape::apply3([q, k, v], operation)
}

/// Rows of scores whose length is a multiple of this begin at addresses from which tensor cores are fed (16 bytes in bf16);
/// cuBLAS takes slower kernels for others.
const ALIGNMENT: usize = 8;

/// How packed tokens lie in padded heads `[sequences * heads, length, head_width]`.
struct Heads {
    /// Cumulative lengths of the sequences, `u32` on the GPU.
    ends: Tensor,
    n_sequences: usize,
    n_heads: usize,
    head_width: usize,
    /// Of the longest sequence, rounded up to [`ALIGNMENT`].
    length: usize,
    tokens: usize,
    window: Option<usize>,
}

impl Heads {
    fn new(q: &Tensor, options: AttentionOptions<'_>) -> Result<Self> {
        let (tokens, width) = q.dims2()?;
        let lengths = options.cumulative_lengths;
        if !width.is_multiple_of(options.n_heads) || lengths.last() != Some(&tokens) {
            bail!(
                "attention: [{tokens}, {width}] with {} heads, lengths {lengths:?}",
                options.n_heads
            );
        }
        let ends: Vec<u32> = lengths.iter().map(|&end| end as u32).collect();
        let longest = lengths.windows(2).map(|pair| pair[1] - pair[0]).max();
        Ok(Self {
            n_sequences: ends.len() - 1,
            ends: Tensor::new(ends, q.device())?,
            n_heads: options.n_heads,
            head_width: width / options.n_heads,
            length: longest.unwrap_or(0).next_multiple_of(ALIGNMENT),
            tokens,
            window: options.window,
        })
    }

    /// A block for each place of each sequence.
    fn places(&self) -> Grid {
        Grid::blocks(self.n_sequences * self.length)
    }

    /// The shape of padded heads.
    fn shape(&self) -> [usize; 3] {
        let n = self.n_sequences * self.n_heads;
        [n, self.length, self.head_width]
    }

    /// The shape of their scores.
    fn scores_shape(&self) -> [usize; 3] {
        let n = self.n_sequences * self.n_heads;
        [n, self.length, self.length]
    }

    fn extents(&self) -> [Argument<'static>; 3] {
        [self.length, self.n_heads, self.head_width].map(|extent| Argument::U32(extent as u32))
    }

    /// Packed `[tokens, width]` → padded heads.
    fn pad<T: Number>(&self, device: &CudaDevice, packed: &Tensor) -> Result<Tensor> {
        let (packed, ends) = (data_of(packed), data_of(&self.ends));
        let shape = self.shape();
        let out = uninitialised::<T>(device, shape.iter().product())?;
        let [length, heads, head_width] = self.extents();
        let arguments = [
            Argument::F32s(packed.view()?),
            Argument::U32s(ends.view()?),
            T::argument(out.slice(..)),
            length,
            heads,
            head_width,
        ];
        launch(device, &T::kernel("pad_heads"), self.places(), &arguments)?;
        Ok(tensor(out, device, &shape))
    }

    /// Padded heads → packed `[tokens, width]`.
    fn unpad(&self, device: &CudaDevice, padded: &CudaSlice<f32>) -> Result<CudaSlice<f32>> {
        let ends = data_of(&self.ends);
        let width = self.n_heads * self.head_width;
        let out = uninitialised::<f32>(device, self.tokens * width)?;
        let [length, heads, head_width] = self.extents();
        let arguments = [
            Argument::F32s(padded.slice(..)),
            Argument::U32s(ends.view()?),
            Argument::F32s(out.slice(..)),
            length,
            heads,
            head_width,
        ];
        launch(device, "unpad_heads", self.places(), &arguments)?;
        Ok(out)
    }
}

/// The softmax over the keys that a query sees, and dropout of the weights.
struct Softmax {
    heads: Heads,
    mask: Option<DropoutMask>,
}

impl Softmax {
    fn n_rows(&self) -> usize {
        let [n, length, _] = self.heads.shape();
        n * length
    }

    /// What its kernels take after their matrices.
    fn settings(&self) -> [Argument<'static>; 8] {
        let (key, threshold, scale) = self.mask.map_or((0, 0, 1.0), DropoutMask::parts);
        let window = self.heads.window.and_then(|window| window.try_into().ok());
        [
            Argument::U64(self.n_rows() as u64),
            Argument::U32(self.heads.length as u32),
            Argument::U32(self.heads.n_heads as u32),
            Argument::U32(window.unwrap_or(u32::MAX)),
            Argument::F32(1.0 / (self.heads.head_width as f32).sqrt()),
            Argument::U64(key),
            Argument::U32(threshold),
            Argument::F32(scale),
        ]
    }

    fn run(&self, device: &CudaDevice, kernel: &str, matrices: [Argument<'_>; 4]) -> Result<()> {
        let arguments: Vec<_> = matrices.into_iter().chain(self.settings()).collect();
        launch(device, kernel, Grid::warps(self.n_rows()), &arguments)
    }

    /// The weights before and after dropout.
    fn forward<T: Number>(
        &self,
        device: &CudaDevice,
        scores: &CudaSlice<f32>,
    ) -> Result<[Tensor; 2]> {
        let ends = data_of(&self.heads.ends);
        let shape = self.heads.scores_shape();
        let weights = uninitialised::<T>(device, scores.len())?;
        let n_dropped = if self.mask.is_some() { scores.len() } else { 1 };
        let dropped = uninitialised::<T>(device, n_dropped)?;
        let matrices = [
            Argument::F32s(scores.slice(..)),
            Argument::U32s(ends.view()?),
            T::argument(weights.slice(..)),
            T::argument(dropped.slice(..)),
        ];
        self.run(device, &T::kernel("softmax_forward"), matrices)?;
        let weights = tensor(weights, device, &shape);
        Ok(match self.mask {
            Some(_) => [weights, tensor(dropped, device, &shape)],
            None => [weights.clone(), weights],
        })
    }

    /// The gradients of the unscaled scores from those of the weights after dropout.
    fn backward<T: Number>(
        &self,
        device: &CudaDevice,
        grad: &CudaSlice<f32>,
        weights: &Tensor,
    ) -> Result<Tensor> {
        let (ends, weights) = (data_of(&self.heads.ends), data_of(weights));
        let out = uninitialised::<T>(device, grad.len())?;
        let matrices = [
            Argument::F32s(grad.slice(..)),
            T::argument(weights.view()?),
            Argument::U32s(ends.view()?),
            T::argument(out.slice(..)),
        ];
        self.run(device, &T::kernel("softmax_backward"), matrices)?;
        Ok(tensor(out, device, &self.heads.scores_shape()))
    }
}

/// What the backward pass needs of the forward pass: padded heads and weights.
struct Kept {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    weights: Tensor,
    /// The weights after dropout; the same without.
    dropped: Tensor,
}

/// Packed contexts `[tokens, width]`, and what is kept.
fn forward<T: Number>(
    device: &CudaDevice,
    softmax: &Softmax,
    [q, k, v]: [&Tensor; 3],
) -> Result<(CudaSlice<f32>, Kept)> {
    let heads = &softmax.heads;
    let (q, k) = (heads.pad::<T>(device, q)?, heads.pad::<T>(device, k)?);
    let v = heads.pad::<T>(device, v)?;
    let scores = product(device, Factor::new(&q)?, Factor::new(&k)?.transposed())?;
    let [weights, dropped] = softmax.forward::<T>(device, &scores)?;
    let context = product(device, Factor::new(&dropped)?, Factor::new(&v)?)?;
    let kept = Kept {
        q,
        k,
        v,
        weights,
        dropped,
    };
    Ok((heads.unpad(device, &context)?, kept))
}

struct Attention<T> {
    softmax: Softmax,
    kept: Kept,
    context: Once<CudaSlice<f32>>,
    number: std::marker::PhantomData<T>,
}

impl<T: Number> Attention<T> {
    /// The gradients of q, k and v that are asked for.
    fn backward(&self, grad: &Tensor, needs: [bool; 3]) -> Result<[Option<Tensor>; 3]> {
        let (softmax, heads, kept) = (&self.softmax, &self.softmax.heads, &self.kept);
        let grad = grad.contiguous()?;
        let device = data_of(&grad).device()?;
        let packed = |padded: CudaSlice<f32>| -> Result<Option<Tensor>> {
            let values = heads.unpad(&device, &padded)?;
            Ok(Some(tensor(values, &device, grad.shape())))
        };
        let [needs_q, needs_k, needs_v] = needs;
        let context = heads.pad::<T>(&device, &grad)?;
        let context = Factor::new(&context)?;
        let grad_v = match needs_v {
            true => packed(product(
                &device,
                Factor::new(&kept.dropped)?.transposed(),
                context,
            )?)?,
            false => None,
        };
        if !needs_q && !needs_k {
            return Ok([None, None, grad_v]);
        }
        let weights = product(&device, context, Factor::new(&kept.v)?.transposed())?;
        let scores = softmax.backward::<T>(&device, &weights, &kept.weights)?;
        let scores = Factor::new(&scores)?;
        let grad_q = match needs_q {
            true => packed(product(&device, scores, Factor::new(&kept.k)?)?)?,
            false => None,
        };
        let grad_k = match needs_k {
            true => packed(product(
                &device,
                scores.transposed(),
                Factor::new(&kept.q)?,
            )?)?,
            false => None,
        };
        Ok([grad_q, grad_k, grad_v])
    }
}

impl<T: Number> CustomOp3 for Attention<T> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("attention: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(
        &self,
        q: &CudaStorage,
        q_layout: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let context = self.context.take()?;
        Ok(output(context, &q.device, q_layout.shape()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let needs = [q, k, v].map(Tensor::track_op);
        let [grad_q, grad_k, grad_v] = self.backward(grad, needs)?;
        Ok((grad_q, grad_k, grad_v))
    }
}
