//! Building layers from a checkpoint, or afresh.

use std::collections::BTreeSet;

use candle_core::{DType, Device, Tensor, Var};

use crate::checkpoint::Checkpoint;
use crate::ops::SeededRandom;
use crate::parameters::LowRankUpdate;
use crate::{Adaptation, Error, Lora, LoraTarget, Parameters, Result};

/// The one part of a head that the reference keeps among the encoder's tensors.
const POOLER: &str = "bert.pooler.";
/// A fresh tensor with more numbers is a mistake in the sizes: 2 GiB, twice the largest table of embeddings.
const MOST_FRESH: usize = 1 << 29;

/// How a tensor that the file does not hold begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    Zeros,
    Ones,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform between this and its negative.
    Uniform(f64),
}

/// Which tensors of a model and a file did not meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors of the model that the file lacks: freshly initialised.
    pub missing: Vec<String>,
    /// Tensors of the file that the model has no place for.
    pub unused: Vec<String>,
}

/// What layers are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Training,
    /// Their operations keep no graph, and so no activations.
    Inference,
    /// Inference with a head alone. The encoder's tensors are not read, but where they lie is written down; what stands for
    /// them has their shapes and no memory.
    Head,
}

/// Makes the tensors of layers: from those that are there, from a checkpoint where it has them, else freshly; keeps account
/// of what the checkpoint had.
pub(crate) struct Builder<'a> {
    checkpoint: Option<&'a Checkpoint<'a>>,
    /// What the checkpoint's names lack or add before ours.
    strip: &'static str,
    parameters: Parameters,
    /// Tensors of a model that is there already.
    given: Option<Parameters>,
    /// Which of the layers' tensors are tracked for gradients; none of them without.
    adaptation: Option<Adaptation>,
    /// Whether the encoder's tensors are only looked for.
    is_outlined: bool,
    /// That of the encoder in models with heads.
    prefix: &'static str,
    /// Tensors whose names begin so are made afresh, whatever the checkpoint holds.
    fresh: &'static [&'static str],
    missing: Vec<String>,
    used: BTreeSet<String>,
    random: SeededRandom,
}

impl<'a> Builder<'a> {
    /// Layers whose fresh tensors follow from `seed`. `prefix` is that of the encoder in models with heads
    /// (`"bert."`): a checkpoint of the bare encoder is written without it, which is decided here once.
    pub(crate) fn new(
        checkpoint: Option<&'a Checkpoint<'a>>,
        prefix: &'static str,
        seed: u64,
        device: &Device,
    ) -> Self {
        let bare = checkpoint.is_some_and(|checkpoint| {
            let mut names = checkpoint.names().into_iter();
            names.any(|name| name.starts_with("embeddings."))
        });
        Self {
            checkpoint,
            strip: if bare { prefix } else { "" },
            parameters: Parameters::new(device),
            given: None,
            adaptation: Some(Adaptation::default()),
            is_outlined: false,
            prefix,
            fresh: &[],
            missing: vec![],
            used: BTreeSet::new(),
            random: SeededRandom::new(seed),
        }
    }

    /// Layers for this purpose.
    pub(crate) fn purpose(mut self, purpose: Purpose) -> Self {
        if purpose != Purpose::Training {
            self.adaptation = None;
        }
        self.is_outlined = purpose == Purpose::Head;
        self
    }

    /// Layers on the tensors of a model that is there, of which `adaptation` says what learns.
    pub(crate) fn over(given: &Parameters, adaptation: &Adaptation, seed: u64) -> Self {
        Self {
            given: Some(given.clone()),
            adaptation: Some(adaptation.clone()),
            ..Self::new(None, "", seed, given.device())
        }
    }

    /// Makes the tensors whose names begin with one of the prefixes afresh: heads for other labels than the checkpoint's.
    pub(crate) fn fresh_heads(mut self, prefixes: &'static [&'static str]) -> Self {
        self.fresh = prefixes;
        self
    }

    /// Whether a tensor of this name is given, or can be had from the checkpoint: never where the head is for other labels.
    pub(crate) fn has(&self, name: &str) -> bool {
        if let Some(given) = &self.given {
            return given.get(name).is_some();
        }
        let holds = |checkpoint: &Checkpoint<'_>| checkpoint.names().contains(name);
        self.fresh.is_empty() && self.checkpoint.is_some_and(holds)
    }

    /// The tensor `name`, given, from the checkpoint or fresh.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        if self.is_outlined && is_of_encoder(name, self.prefix) {
            return self.outlined_tensor(name, shape);
        }
        let given = self.given.as_ref().and_then(|given| given.get(name));
        let var = match given {
            Some(var) => var.clone(),
            None => Var::from_tensor(&self.made(name, shape, init)?)?,
        };
        let adaptation = self.adaptation.as_ref();
        if adaptation.is_some_and(|adaptation| adaptation.trains(name)) {
            self.parameters.insert(name, var.clone());
            Ok(var.into_inner())
        } else {
            let tensor = var.as_detached_tensor();
            self.parameters.insert_frozen(name, var);
            Ok(tensor)
        }
    }

    /// Writes down where a tensor lies; gives one number in its shape.
    fn outlined_tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.find(name) {
            Some((checkpoint, stored)) => {
                checkpoint.find(&stored, shape)?;
                self.used.insert(stored.clone());
                self.parameters.outline.insert(name.to_owned(), stored);
            }
            None => self.missing.push(name.to_owned()),
        }
        let number = Tensor::zeros((), DType::F32, self.parameters.device())?;
        Ok(number.broadcast_as(shape)?)
    }

    fn made(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        if let Some(tensor) = self.read(name, shape)? {
            return Ok(tensor);
        }
        self.missing.push(name.to_owned());
        self.fresh(shape, init)
    }

    /// The bias `name` of `n` values; where the layer has none, zeros that are no parameter.
    pub(crate) fn bias(&mut self, name: &str, n: usize, has_bias: bool) -> Result<Tensor> {
        if has_bias {
            self.tensor(name, &[n], Init::Zeros)
        } else {
            self.fresh(&[n], Init::Zeros)
        }
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        if self.fresh.iter().any(|prefix| name.starts_with(prefix)) {
            return Ok(None);
        }
        let Some((checkpoint, stored)) = self.find(name) else {
            return Ok(None);
        };
        let tensor = checkpoint.read(&stored, shape, self.parameters.device())?;
        self.used.insert(stored);
        Ok(tensor)
    }

    /// The checkpoint, if it has this tensor, and what it calls it.
    fn find(&self, name: &str) -> Option<(&'a Checkpoint<'a>, String)> {
        let checkpoint = self.checkpoint?;
        let name = name.strip_prefix(self.strip).unwrap_or(name);
        let names = [Some(name.to_owned()), old_norm_name(name)];
        let stored = names
            .into_iter()
            .flatten()
            .find(|name| checkpoint.shape(name).is_some())?;
        Some((checkpoint, stored))
    }

    fn fresh(&mut self, shape: &[usize], init: Init) -> Result<Tensor> {
        let values = shape
            .iter()
            .try_fold(1usize, |n, size| n.checked_mul(*size));
        if values.is_none_or(|values| values > MOST_FRESH) {
            return Err(Error::Argument {
                what: "shape of a tensor that the file lacks",
                expected: format!("at most {MOST_FRESH} numbers"),
                got: format!("{shape:?}"),
            });
        }
        let device = self.parameters.device().clone();
        Ok(match init {
            Init::Zeros => Tensor::zeros(shape, DType::F32, &device)?,
            Init::Ones => Tensor::ones(shape, DType::F32, &device)?,
            Init::Normal(deviation) => {
                self.drawn(shape, |random| (random.normal() * deviation) as f32)?
            }
            Init::Uniform(bound) => self.drawn(shape, |random| {
                ((2.0 * random.uniform() - 1.0) * bound) as f32
            })?,
        })
    }

    fn drawn(
        &mut self,
        shape: &[usize],
        draw: impl Fn(&mut SeededRandom) -> f32,
    ) -> Result<Tensor> {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| draw(&mut self.random)).collect();
        Ok(Tensor::from_vec(values, shape, self.parameters.device())?)
    }

    /// The settings of the low-rank update of an affine layer, where the run asks for one.
    pub(crate) fn lora_at(&self, layer: &str, target: LoraTarget) -> Option<Lora> {
        let adaptation = self.adaptation.as_ref()?;
        adaptation.lora_at(layer, target).cloned()
    }

    /// Fresh factors `A [rank, inputs]`, as PEFT draws them, and `B [outputs, rank]`, zero.
    pub(crate) fn low_rank_update(
        &mut self,
        update: LowRankUpdate,
        rank: usize,
        [outputs, inputs]: [usize; 2],
    ) -> Result<[Tensor; 2]> {
        let bound = 1.0 / (inputs as f64).sqrt();
        let a = Var::from_tensor(&self.fresh(&[rank, inputs], Init::Uniform(bound))?)?;
        let b = Var::from_tensor(&self.fresh(&[outputs, rank], Init::Zeros)?)?;
        let tensors = [&a, &b].map(|var| var.as_tensor().clone());
        self.parameters.insert_update(update, a, b);
        Ok(tensors)
    }

    pub(crate) fn device(&self) -> &Device {
        self.parameters.device()
    }

    /// All tensors made, and what did not meet.
    pub(crate) fn finish(self) -> (Parameters, LoadReport) {
        let names = self.checkpoint.map(Checkpoint::names).unwrap_or_default();
        let unused = names
            .difference(&self.used)
            .filter(|name| !name.ends_with("position_ids"))
            .cloned()
            .collect();
        (
            self.parameters,
            LoadReport {
                missing: self.missing,
                unused,
            },
        )
    }
}

/// Whether a tensor is one of the encoder, whose names begin with `prefix`.
pub(crate) fn is_of_encoder(name: &str, prefix: &str) -> bool {
    name.starts_with(prefix) && !name.starts_with(POOLER)
}

/// The name that checkpoints converted from TensorFlow give to a normalization tensor.
fn old_norm_name(name: &str) -> Option<String> {
    let (layer, tensor) = name.rsplit_once('.')?;
    match tensor {
        "weight" if layer.ends_with("LayerNorm") => Some(format!("{layer}.gamma")),
        "bias" if layer.ends_with("LayerNorm") => Some(format!("{layer}.beta")),
        _ => None,
    }
}
