//! The weights of a checkpoint: all of them as a model, or those that learn, where others are frozen.

use std::path::Path;

use candle_core::{DType, Tensor};
use sha2::{Digest, Sha256};
use vestnik_model::Parameters;

use crate::error::{Error, Result};
use crate::files;
use crate::run::Task;

/// Values that are hashed at once.
const CHUNK: usize = 16 * 1024;
const MODEL: &str = "model.safetensors";
const TRAINABLE: &str = "trainable.safetensors";

/// Writes what a run learnt so far into the folder of a checkpoint, in f32.
pub(super) fn save(task: &impl Task, folder: &Path) -> Result<()> {
    let parameters = task.parameters();
    if parameters.frozen().next().is_none() {
        return task.save(folder, DType::F32);
    }
    let tensors = parameters
        .trainable()
        .map(|(name, var)| (name.to_owned(), var.as_detached_tensor()));
    files::write_tensors(&folder.join(TRAINABLE), &tensors.collect::<Vec<_>>())
}

/// Takes them back.
pub(super) fn restore(parameters: &Parameters, folder: &Path) -> Result<()> {
    let all_learn = parameters.frozen().next().is_none();
    let path = folder.join(if all_learn { MODEL } else { TRAINABLE });
    let mut tensors = files::read_tensors(&path)?;
    for (name, var) in parameters.trainable() {
        let tensor = files::take_tensor(&mut tensors, name, var.shape(), &path)?;
        tensor
            .to_device(var.device())
            .and_then(|tensor| tensor.to_dtype(var.dtype()))
            .and_then(|tensor| var.set(&tensor))
            .map_err(Error::tensor("restoring weights"))?;
    }
    Ok(())
}

/// Hash of the tensors that keep their values, which a checkpoint does not hold; `None` when there are none.
pub(super) fn frozen_digest(parameters: &Parameters) -> Result<Option<String>> {
    if parameters.frozen().next().is_none() {
        return Ok(None);
    }
    let mut hasher = Sha256::new();
    for (name, var) in parameters.frozen() {
        hasher.update(name);
        let values = values(var).map_err(Error::tensor("reading frozen weights"))?;
        for values in values.chunks(CHUNK) {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            hasher.update(bytes);
        }
    }
    Ok(Some(format!("{:x}", hasher.finalize())))
}

fn values(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()
}
