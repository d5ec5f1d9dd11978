//! Reading and writing safetensors files, and building layers from them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::ops::SeededRandom;
use crate::{Error, Parameters, Result};

/// How a tensor that the file does not hold begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    Zeros,
    Ones,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
}

/// The tensors of a checkpoint, read on demand.
pub(crate) struct Checkpoint<'a> {
    tensors: SafeTensors<'a>,
    /// For messages: the file, or the name of what stands for it.
    path: PathBuf,
}

impl<'a> Checkpoint<'a> {
    pub(crate) fn parse(bytes: &'a [u8], path: &Path) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|source| Error::Weights {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            tensors,
            path: path.into(),
        })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.tensors
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// The number type of most bytes, as the file names it.
    pub(crate) fn dtype(&self) -> String {
        self.tensors
            .iter()
            .max_by_key(|(_, view)| view.data().len())
            .map_or_else(
                || "none".to_owned(),
                |(_, view)| format!("{:?}", view.dtype()).to_lowercase(),
            )
    }

    fn read(&self, name: &str, shape: &[usize], device: &Device) -> Result<Option<Tensor>> {
        let Ok(view) = self.tensors.tensor(name) else {
            return Ok(None);
        };
        if view.shape() != shape {
            return Err(Error::TensorShape {
                path: self.path.clone(),
                name: name.to_owned(),
                found: view.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        to_tensor(&view, device).map(Some)
    }
}

fn to_tensor(view: &TensorView<'_>, device: &Device) -> Result<Tensor> {
    let dtype = DType::try_from(view.dtype())?;
    let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
    Ok(tensor.to_dtype(DType::F32)?.to_device(device)?)
}

/// Which tensors of a model and a file did not meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors of the model that the file lacks: freshly initialised.
    pub missing: Vec<String>,
    /// Tensors of the file that the model has no place for.
    pub unused: Vec<String>,
}

/// Makes the tensors of layers: from a checkpoint where it has them, else freshly; keeps account of both.
pub(crate) struct Builder<'a> {
    checkpoint: Option<&'a Checkpoint<'a>>,
    /// What the checkpoint's names lack or add before ours.
    strip: &'static str,
    parameters: Parameters,
    /// Whether the layers' tensors are tracked for gradients.
    trainable: bool,
    /// Tensors whose names begin so are made afresh, whatever the checkpoint holds.
    fresh: Option<&'static str>,
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
            checkpoint.contains("embeddings.word_embeddings.weight") && !prefix.is_empty()
        });
        Self {
            checkpoint,
            strip: if bare { prefix } else { "" },
            parameters: Parameters::new(device),
            trainable: true,
            fresh: None,
            missing: vec![],
            used: BTreeSet::new(),
            random: SeededRandom::new(seed),
        }
    }

    /// Layers that only infer: their operations keep no graph, and so no activations.
    pub(crate) fn frozen(mut self) -> Self {
        self.trainable = false;
        self
    }

    /// Makes the tensors whose names begin with `prefix` afresh: a head for other labels than the checkpoint's.
    pub(crate) fn fresh_head(mut self, prefix: &'static str) -> Self {
        self.fresh = Some(prefix);
        self
    }

    /// The tensor `name`, from the checkpoint or fresh.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let tensor = match self.read(name, shape)? {
            Some(tensor) => tensor,
            None => {
                self.missing.push(name.to_owned());
                self.fresh(shape, init)?
            }
        };
        let var = Var::from_tensor(&tensor)?;
        self.parameters.insert(name, var.clone());
        Ok(if self.trainable {
            var.as_tensor().clone()
        } else {
            var.as_detached_tensor()
        })
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        let Some(checkpoint) = self.checkpoint else {
            return Ok(None);
        };
        if self.fresh.is_some_and(|prefix| name.starts_with(prefix)) {
            return Ok(None);
        }
        let name = name.strip_prefix(self.strip).unwrap_or(name);
        for name in [Some(name.to_owned()), old_norm_name(name)]
            .into_iter()
            .flatten()
        {
            if let Some(tensor) = checkpoint.read(&name, shape, self.parameters.device())? {
                self.used.insert(name);
                return Ok(Some(tensor));
            }
        }
        Ok(None)
    }

    fn fresh(&mut self, shape: &[usize], init: Init) -> Result<Tensor> {
        let device = self.parameters.device().clone();
        Ok(match init {
            Init::Zeros => Tensor::zeros(shape, DType::F32, &device)?,
            Init::Ones => Tensor::ones(shape, DType::F32, &device)?,
            Init::Normal(deviation) => {
                let n = shape.iter().product();
                let values: Vec<f32> = (0..n)
                    .map(|_| (self.random.normal() * deviation) as f32)
                    .collect();
                Tensor::from_vec(values, shape, &device)?
            }
        })
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

/// The name that checkpoints converted from TensorFlow give to a normalization tensor.
fn old_norm_name(name: &str) -> Option<String> {
    let (layer, tensor) = name.rsplit_once('.')?;
    match tensor {
        "weight" if layer.ends_with("LayerNorm") => Some(format!("{layer}.gamma")),
        "bias" if layer.ends_with("LayerNorm") => Some(format!("{layer}.beta")),
        _ => None,
    }
}

/// The parameters as the bytes of a safetensors file, converted to `dtype`.
pub(crate) fn serialize(parameters: &Parameters, dtype: DType) -> Result<Vec<u8>> {
    let tensors = parameters
        .iter()
        .map(|(name, tensor)| {
            Ok((
                name.to_owned(),
                tensor.as_tensor().to_dtype(dtype)?.contiguous()?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    // transformers refuses files without this entry.
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(tensors, Some(metadata)).map_err(|source| Error::Weights {
        path: PathBuf::from("model.safetensors"),
        source,
    })
}
