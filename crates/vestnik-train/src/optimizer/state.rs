//! Saving and loading the state of AdamW as a safetensors file.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::files;
use crate::optimizer::AdamW;

const STEP: &str = "step";
const FIRST: &str = "first.";
const SECOND: &str = "second.";

impl AdamW {
    /// Writes step count and moments (`step`, `first.<name>`, `second.<name>`) and flushes them to disk.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let step = Tensor::new(&[self.step as i64], &Device::Cpu)
            .map_err(Error::tensor("saving AdamW"))?;
        let mut tensors = vec![(STEP.to_owned(), step)];
        for slot in &self.slots {
            tensors.push((format!("{FIRST}{}", slot.name), slot.first.clone()));
            tensors.push((format!("{SECOND}{}", slot.name), slot.second.clone()));
        }
        files::write_tensors(path, &tensors)
    }

    /// Takes step count and moments from a file that [`AdamW::save`] wrote for the same parameters.
    ///
    /// # Errors
    /// [`Error::CheckpointMismatch`] for a missing tensor or another shape, [`Error::Tensor`] for a file that is not safetensors.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let mut tensors = files::read_tensors(path)?;
        for slot in &mut self.slots {
            for (moment, prefix) in [(&mut slot.first, FIRST), (&mut slot.second, SECOND)] {
                let name = format!("{prefix}{}", slot.name);
                let loaded = files::take_tensor(&mut tensors, &name, moment.shape(), path)?;
                *moment = loaded
                    .to_device(moment.device())
                    .map_err(Error::tensor("loading AdamW"))?;
            }
        }
        let step = files::take_tensor(&mut tensors, STEP, &1.into(), path)?;
        let step = step
            .to_vec1::<i64>()
            .map_err(Error::tensor("loading AdamW"))?[0];
        self.step = u64::try_from(step).map_err(|_| Error::CheckpointMismatch {
            path: path.to_owned(),
            problem: format!("it was saved after {step} steps"),
        })?;
        Ok(())
    }
}
