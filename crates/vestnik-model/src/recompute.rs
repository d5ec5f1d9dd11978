//! Gradient checkpointing (Chen et al. 2016): parts of a forward pass whose insides are computed again for the backward pass.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage as _;
use candle_core::backprop::GradStore;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp3, DType, Layout, Shape, Tensor, Var,
};

use crate::ops::Precomputed;
use crate::{Mode, Result, TrainingPass};

/// Gradients of variables that backward passes through recomputed parts found, in the order in which they did.
pub(crate) type Collected = Arc<Mutex<Vec<(Tensor, Tensor)>>>;

/// The gradients of every operand, as a custom operation has to give them.
type Gradients3 = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

/// What one part computes of its inputs.
type Forward = dyn Fn(&[Tensor], Mode<'_>) -> Result<Tensor> + Send + Sync;

/// `forward` of one or two inputs. In a training pass with gradient checkpointing
/// ([`TrainingPass::with_gradient_checkpointing`]) no graph of its insides is kept: the backward pass runs it again, with
/// the same dropout. Gradients of its variables go to the pass, which adds them to the others
/// ([`TrainingPass::backward`]).
///
/// The result has the shape of the first input. Gradients have the bits that they have without checkpointing, but for
/// inputs that several parts share: their gradients are summed part by part.
///
/// # Errors
/// Those of `forward`.
pub(crate) fn recomputed(
    inputs: &[&Tensor],
    mode: Mode<'_>,
    forward: impl Fn(&[Tensor], Mode<'_>) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let checkpointing = match mode {
        Mode::Training(pass) => pass.checkpointing().map(|collected| (pass, collected)),
        Mode::Inference | Mode::InferenceIn(_) => None,
    };
    let Some((pass, collected)) = checkpointing else {
        let inputs: Vec<Tensor> = inputs.iter().map(|input| (*input).clone()).collect();
        return forward(&inputs, mode);
    };
    let start = pass.fork();
    let detached: Vec<Tensor> = inputs.iter().map(|input| input.detach()).collect();
    // The graph of its insides is there for a moment, and goes with `inside`.
    let inside = forward(&detached, mode)?;
    let learns = inside.track_op() || inputs.iter().any(|input| input.track_op());
    let output = inside.detach();
    drop(inside);
    if !learns {
        return Ok(output);
    }
    // A variable that gets no gradient: without it the graph would end here where no input is tracked.
    let anchor = Var::zeros(1, DType::F32, output.device())?.into_inner();
    let operation = Recomputed {
        n_inputs: inputs.len(),
        output: Precomputed::new(&output),
        start,
        collected,
        forward: Box::new(forward),
    };
    let second = inputs.get(1).copied().unwrap_or(&anchor);
    Ok(inputs[0].apply_op3(second, &anchor, operation)?)
}

struct Recomputed {
    n_inputs: usize,
    /// What the forward pass gave.
    output: Precomputed,
    /// The pass as it was before the part.
    start: Fork,
    collected: Collected,
    forward: Box<Forward>,
}

/// Where in the sequence of dropout keys a part began, and the settings of its pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fork {
    pub(crate) base: u64,
    pub(crate) site: u64,
    pub(crate) precision: crate::Precision,
}

impl Recomputed {
    /// The gradients of the inputs, in their order; those of variables inside are collected.
    fn backward(&self, arguments: [&Tensor; 2], grad: &Tensor) -> Result<Gradients3> {
        let inputs = arguments[..self.n_inputs]
            .iter()
            .map(|input| match input.track_op() {
                true => Ok(Var::from_tensor(&input.detach())?.into_inner()),
                false => Ok((*input).clone()),
            })
            .collect::<Result<Vec<Tensor>>>()?;
        let pass = TrainingPass::at(self.start);
        let output = (self.forward)(&inputs, Mode::Training(&pass))?;
        let mut gradients = backward_from(&output, grad)?;
        let mut of_inputs = inputs.iter().map(|input| match input.is_variable() {
            true => gradients.remove(input),
            false => None,
        });
        let (first, second) = (of_inputs.next().flatten(), of_inputs.next().flatten());
        drop(of_inputs);
        let found = output
            .sorted_nodes()
            .into_iter()
            .filter(|node| node.is_variable())
            .filter_map(|var| Some((var.clone(), gradients.remove(var)?)));
        let mut collected = self
            .collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        collected.extend(found);
        Ok((first, second, None))
    }
}

/// A backward pass from `output`, whose gradient is `grad`.
fn backward_from(output: &Tensor, grad: &Tensor) -> Result<GradStore> {
    let grad = grad.detach().contiguous()?;
    Ok(output.apply_op1(Seed { grad })?.backward()?)
}

impl CustomOp3 for Recomputed {
    fn name(&self) -> &'static str {
        "recomputed"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.output.cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> candle_core::Result<(CudaStorage, Shape)> {
        self.output.cuda()
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        _anchor: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Gradients3> {
        self.backward([first, second], grad)
            .map_err(candle_core::Error::wrap)
    }
}

/// A scalar whose gradient in its input is given.
struct Seed {
    grad: Tensor,
}

impl CustomOp1 for Seed {
    fn name(&self) -> &'static str {
        "seed"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), ().into()))
    }

    fn cuda_fwd(&self, x: &CudaStorage, _: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let first = Layout::contiguous(());
        Ok((x.try_clone(&first)?, ().into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(self.grad.clone()))
    }
}
