//! Parts of a forward pass that go back on their own: candle's graph has one node for each, and what is inside of it is
//! listed on a [`Tape`], or computed again for the backward pass (gradient checkpointing, Chen et al. 2016).

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage as _;
use candle_core::backprop::GradStore;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp3, DType, Layout, Shape, Tensor, Var,
};

use crate::ops::Precomputed;
use crate::tape::Tape;
use crate::{Mode, Result, TrainingPass};

/// Gradients of variables that backward passes through parts found, in the order in which they did.
pub(crate) type Collected = Arc<Mutex<Vec<(Tensor, Tensor)>>>;

/// What a training pass keeps of the insides of a part, and where the gradients of the variables in it go.
#[derive(Clone, Debug)]
pub(crate) enum Insides {
    /// Everything, in the graph of the pass.
    InGraph,
    /// Everything, apart from the graph.
    Listed(Collected),
    /// Nothing: it is computed again.
    Recomputed(Collected),
}

/// The gradients of every operand, as a custom operation has to give them.
type Gradients3 = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

/// What one part computes of its inputs.
type Forward = dyn Fn(&[Tensor], Mode<'_>) -> Result<Tensor> + Send + Sync;

/// The gradients of the inputs of a part from those of its result; gradients of variables in it are collected.
type Backward = dyn Fn([&Tensor; 2], &Tensor) -> Result<Gradients3> + Send + Sync;

/// `forward` of one or two inputs, whose insides are kept as the training pass says ([`TrainingPass::with_tape`],
/// [`TrainingPass::with_gradient_checkpointing`]). Gradients of the variables in it go to the pass, which adds them to the
/// others ([`TrainingPass::backward`]).
///
/// The result has the shape of the first input. Gradients have the bits that they have in one graph, but for inputs that
/// several parts share: their gradients are summed part by part.
///
/// # Errors
/// Those of `forward`.
pub(crate) fn part(
    inputs: &[&Tensor],
    mode: Mode<'_>,
    forward: impl Fn(&[Tensor], Mode<'_>) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let Mode::Training(pass) = mode else {
        return forward(&cloned(inputs), mode);
    };
    match pass.insides() {
        Insides::InGraph => forward(&cloned(inputs), mode),
        Insides::Listed(collected) => listed(inputs, mode, collected, forward),
        Insides::Recomputed(collected) => recomputed(inputs, pass, collected, forward),
    }
}

fn cloned(inputs: &[&Tensor]) -> Vec<Tensor> {
    inputs.iter().map(|input| (*input).clone()).collect()
}

/// The inputs as variables of their own, where they take gradients.
fn leaves<'a>(inputs: impl IntoIterator<Item = &'a Tensor>) -> candle_core::Result<Vec<Tensor>> {
    let leaf = |input: &Tensor| match input.track_op() {
        true => Ok(Var::from_tensor(&input.detach())?.into_inner()),
        false => Ok(input.clone()),
    };
    inputs.into_iter().map(leaf).collect()
}

/// One node of candle's graph, with a result computed before.
fn node(
    inputs: &[&Tensor],
    output: &Tensor,
    backward: impl Fn([&Tensor; 2], &Tensor) -> Result<Gradients3> + Send + Sync + 'static,
) -> Result<Tensor> {
    // A variable that gets no gradient: without it the graph would end here where no input is tracked.
    let anchor = Var::zeros(1, DType::F32, output.device())?.into_inner();
    let second = inputs.get(1).copied().unwrap_or(&anchor);
    let operation = Part {
        output: Precomputed::new(output),
        backward: Box::new(backward),
    };
    Ok(inputs[0].apply_op3(second, &anchor, operation)?)
}

struct Part {
    /// What the forward pass gave.
    output: Precomputed,
    backward: Box<Backward>,
}

fn listed(
    inputs: &[&Tensor],
    mode: Mode<'_>,
    collected: &Collected,
    forward: impl Fn(&[Tensor], Mode<'_>) -> Result<Tensor>,
) -> Result<Tensor> {
    let leaves = leaves(inputs.iter().copied())?;
    let (inside, tape) = Tape::of(|| forward(&leaves, mode))?;
    if !inside.track_op() {
        return Ok(inside);
    }
    let output = inside.detach();
    let listed = Listed {
        leaves,
        inside,
        tape,
        collected: collected.clone(),
    };
    node(inputs, &output, move |_, grad| listed.backward(grad))
}

/// A part with everything that its backward pass needs.
struct Listed {
    /// The inputs as the part sees them.
    leaves: Vec<Tensor>,
    /// The result with the graph of the part.
    inside: Tensor,
    /// Without one candle goes back through that graph.
    tape: Option<Tape>,
    collected: Collected,
}

impl Listed {
    fn backward(&self, grad: &Tensor) -> Result<Gradients3> {
        let mut found = match &self.tape {
            Some(tape) => tape.backward(&self.inside, grad.detach().contiguous()?)?,
            None => of_variables(&self.inside, &mut backward_from(&self.inside, grad)?),
        };
        let mut of_leaf = |leaf: &Tensor| {
            let place = found.iter().position(|(var, _)| var.id() == leaf.id());
            place.map(|place| found.swap_remove(place).1)
        };
        let mut of_inputs = self.leaves.iter().map(&mut of_leaf);
        let gradients = (of_inputs.next().flatten(), of_inputs.next().flatten(), None);
        drop(of_inputs);
        collect(&self.collected, found);
        Ok(gradients)
    }
}

fn recomputed(
    inputs: &[&Tensor],
    pass: &TrainingPass,
    collected: &Collected,
    forward: impl Fn(&[Tensor], Mode<'_>) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let start = pass.fork();
    let detached: Vec<Tensor> = inputs.iter().map(|input| input.detach()).collect();
    // The graph of its insides is there for a moment, and goes with `inside`.
    let inside = forward(&detached, Mode::Training(pass))?;
    let learns = inside.track_op() || inputs.iter().any(|input| input.track_op());
    let output = inside.detach();
    drop(inside);
    if !learns {
        return Ok(output);
    }
    let recomputed = Recomputed {
        n_inputs: inputs.len(),
        start,
        collected: collected.clone(),
        forward: Box::new(forward),
    };
    node(inputs, &output, move |inputs, grad| {
        recomputed.backward(inputs, grad)
    })
}

/// The gradients of the variables that `output` depends on.
fn of_variables(output: &Tensor, gradients: &mut GradStore) -> Vec<(Tensor, Tensor)> {
    let nodes = output.sorted_nodes().into_iter();
    let variables = nodes.filter(|node| node.is_variable());
    variables
        .filter_map(|var| Some((var.clone(), gradients.remove(var)?)))
        .collect()
}

fn collect(collected: &Collected, found: Vec<(Tensor, Tensor)>) {
    let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
    collected.extend(found);
}

struct Recomputed {
    n_inputs: usize,
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
        let inputs = leaves(arguments[..self.n_inputs].iter().copied())?;
        let pass = TrainingPass::at(self.start);
        let output = (self.forward)(&inputs, Mode::Training(&pass))?;
        let mut gradients = backward_from(&output, grad)?;
        let mut of_inputs = inputs.iter().map(|input| match input.is_variable() {
            true => gradients.remove(input),
            false => None,
        });
        let (first, second) = (of_inputs.next().flatten(), of_inputs.next().flatten());
        drop(of_inputs);
        collect(&self.collected, of_variables(&output, &mut gradients));
        Ok((first, second, None))
    }
}

/// A backward pass from `output`, whose gradient is `grad`.
fn backward_from(output: &Tensor, grad: &Tensor) -> Result<GradStore> {
    let grad = grad.detach().contiguous()?;
    Ok(output.apply_op1(Seed { grad })?.backward()?)
}

impl CustomOp3 for Part {
    fn name(&self) -> &'static str {
        "part"
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
        (self.backward)([first, second], grad).map_err(candle_core::Error::wrap)
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
