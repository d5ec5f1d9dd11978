//! Backward passes through a part of a model that adds nothing up where there is nothing to add.
//!
//! candle's backward pass adds every gradient to a tensor of zeros that it makes for it, which on a GPU takes a quarter of an
//! update. A [`Tape`] lists the operations of this crate as they are applied, and goes back through them on its own. The
//! gradients have the same bits.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor, TensorId};

thread_local! {
    /// What is listed at present on this thread.
    static NODES: RefCell<Option<Vec<Node>>> = const { RefCell::new(None) };
}

/// The operations of a forward pass, in their order.
pub(crate) struct Tape(Vec<Node>);

struct Node {
    operation: Operation,
    inputs: Vec<Tensor>,
    output: Tensor,
}

enum Operation {
    Of1(Arc<Box<dyn CustomOp1 + Send + Sync>>),
    Of2(Arc<Box<dyn CustomOp2 + Send + Sync>>),
    Of3(Arc<Box<dyn CustomOp3 + Send + Sync>>),
}

/// [`Tensor::apply_op1`], which the tape of this thread lists.
pub(crate) fn apply1(
    x: &Tensor,
    operation: impl CustomOp1 + Send + Sync + 'static,
) -> Result<Tensor> {
    let operation: Arc<Box<dyn CustomOp1 + Send + Sync>> = Arc::new(Box::new(operation));
    let output = x.apply_op1_arc(operation.clone())?;
    list(&[x], &output, || Operation::Of1(operation));
    Ok(output)
}

/// [`Tensor::apply_op2`], which the tape of this thread lists.
pub(crate) fn apply2(
    x: &Tensor,
    y: &Tensor,
    operation: impl CustomOp2 + Send + Sync + 'static,
) -> Result<Tensor> {
    let operation: Arc<Box<dyn CustomOp2 + Send + Sync>> = Arc::new(Box::new(operation));
    let output = x.apply_op2_arc(y, operation.clone())?;
    list(&[x, y], &output, || Operation::Of2(operation));
    Ok(output)
}

/// [`Tensor::apply_op3`], which the tape of this thread lists.
pub(crate) fn apply3(
    [x, y, z]: [&Tensor; 3],
    operation: impl CustomOp3 + Send + Sync + 'static,
) -> Result<Tensor> {
    let operation: Arc<Box<dyn CustomOp3 + Send + Sync>> = Arc::new(Box::new(operation));
    let output = x.apply_op3_arc(y, z, operation.clone())?;
    list(&[x, y, z], &output, || Operation::Of3(operation));
    Ok(output)
}

fn list(inputs: &[&Tensor], output: &Tensor, operation: impl FnOnce() -> Operation) {
    if !output.track_op() {
        return;
    }
    NODES.with_borrow_mut(|nodes| {
        if let Some(nodes) = nodes {
            nodes.push(Node {
                operation: operation(),
                inputs: inputs.iter().map(|input| (*input).clone()).collect(),
                output: output.clone(),
            });
        }
    });
}

impl Tape {
    /// Runs a forward pass, and gives its result with the operations that led to it; `None` in their place where others
    /// than those of this module did, too.
    pub(crate) fn of<E>(
        forward: impl FnOnce() -> std::result::Result<Tensor, E>,
    ) -> std::result::Result<(Tensor, Option<Self>), E> {
        let outer = NODES.replace(Some(Vec::new()));
        let output = forward();
        let nodes = NODES.replace(outer).unwrap_or_default();
        let output = output?;
        let tape = Self(nodes);
        let is_whole = tape.is_whole(&output);
        Ok((output, is_whole.then_some(tape)))
    }

    /// Whether everything that `output` depends on is a variable or was listed.
    fn is_whole(&self, output: &Tensor) -> bool {
        let outputs: HashSet<TensorId> = self.0.iter().map(|node| node.output.id()).collect();
        let inputs = self.0.iter().flat_map(|node| &node.inputs);
        inputs.chain([output]).all(|tensor| {
            !tensor.track_op() || tensor.is_variable() || outputs.contains(&tensor.id())
        })
    }

    /// The gradients of all variables from that of `output`.
    pub(crate) fn backward(&self, output: &Tensor, grad: Tensor) -> Result<Vec<(Tensor, Tensor)>> {
        let mut gradients = HashMap::from([(output.id(), grad)]);
        let mut variables: Vec<&Tensor> = Vec::new();
        for node in self.0.iter().rev() {
            let Some(grad) = gradients.remove(&node.output.id()) else {
                continue;
            };
            for (input, gradient) in node.inputs.iter().zip(node.backward(&grad)?) {
                let (true, Some(gradient)) = (input.track_op(), gradient) else {
                    continue;
                };
                let sum = match gradients.remove(&input.id()) {
                    Some(other) => (other + gradient)?,
                    None => {
                        variables.extend(input.is_variable().then_some(input));
                        gradient
                    }
                };
                gradients.insert(input.id(), sum);
            }
        }
        let found = variables.into_iter();
        let found = found.filter_map(|var| Some((var.clone(), gradients.remove(&var.id())?)));
        Ok(found.collect())
    }
}

impl Node {
    /// The gradients of the inputs, in their order.
    fn backward(&self, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let output = &self.output;
        Ok(match (&self.operation, self.inputs.as_slice()) {
            (Operation::Of1(operation), [x]) => vec![operation.bwd(x, output, grad)?],
            (Operation::Of2(operation), [x, y]) => {
                let (x, y) = operation.bwd(x, y, output, grad)?;
                vec![x, y]
            }
            (Operation::Of3(operation), [x, y, z]) => {
                let (x, y, z) = operation.bwd(x, y, z, output, grad)?;
                vec![x, y, z]
            }
            _ => vec![],
        })
    }
}
