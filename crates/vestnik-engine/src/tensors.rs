//! The tensors of a model as parts of an engine.

use vestnik_model::TensorSource;

use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::linear::Linear;
use crate::rows::Norm;

/// The tensors of a model by their names.
#[derive(Clone, Copy)]
pub(crate) struct Tensors<'a> {
    pub(crate) source: &'a dyn TensorSource,
}

impl<'a> Tensors<'a> {
    pub(crate) fn new(source: &'a dyn TensorSource) -> Self {
        Self { source }
    }

    /// Rows and columns of the matrix `name`.
    pub(crate) fn matrix(&self, name: &str) -> Result<[usize; 2]> {
        let shape = self.source.shape(name).ok_or_else(|| missing(name))?;
        <[usize; 2]>::try_from(shape).map_err(|shape| Error::Argument {
            what: "parameters of an engine",
            expected: format!("the matrix {name}"),
            got: format!("the shape {shape:?}"),
        })
    }

    /// The numbers of the tensor `name`, row-major.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<f32>> {
        self.find(name)?.ok_or_else(|| missing(name))
    }

    /// The numbers of a tensor, if there is one of this name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Vec<f32>>> {
        match self.source.shape(name) {
            Some(shape) => self
                .source
                .read_rows(name, 0..shape.first().copied().unwrap_or(1)),
            None => Ok(None),
        }
    }

    /// A layer norm with the tensors `{name}.weight` and, if there is one, `{name}.bias`.
    pub(crate) fn norm(&self, name: &str, eps: f64) -> Result<Norm> {
        let weight = self.read(&format!("{name}.weight"))?;
        Ok(Norm::new(weight, self.find(&format!("{name}.bias"))?, eps))
    }

    /// Affine layers with the same inputs as one: `{name}.weight` and, if there is one, `{name}.bias` of each.
    pub(crate) fn linear(&self, arithmetic: Arithmetic, names: &[&str]) -> Result<Linear> {
        let (mut weight, mut bias) = (vec![], vec![]);
        let mut inputs = 0;
        for name in names {
            let (part, part_bias, part_inputs) = self.affine(name)?;
            weight.extend(part);
            bias.extend(part_bias);
            inputs = part_inputs;
        }
        Ok(Linear::new(arithmetic, weight, bias, inputs))
    }

    /// Weight, bias (zeros where there is none) and number of inputs of an affine layer.
    pub(crate) fn affine(&self, name: &str) -> Result<(Vec<f32>, Vec<f32>, usize)> {
        let weight_name = format!("{name}.weight");
        let [_, inputs] = self.matrix(&weight_name)?;
        let weight = self.read(&weight_name)?;
        let bias = self.find(&format!("{name}.bias"))?;
        let bias = bias.unwrap_or_else(|| vec![0.0; weight.len() / inputs]);
        Ok((weight, bias, inputs))
    }
}

pub(crate) fn missing(name: &str) -> Error {
    Error::Argument {
        what: "parameters of an engine",
        expected: format!("the tensor {name}"),
        got: "none of this name".to_owned(),
    }
}
