//! Saving and loading the state of AdamW as a safetensors file.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::files;
use crate::optimizer::AdamW;

const STEP: &str = "step";
const STEPS: &str = "steps";
const FIRST: &str = "first.";
const SECOND: &str = "second.";

impl AdamW {
    /// Writes step counts and moments (`step`, `steps` of each parameter, `first.<name>`, `second.<name>`) and flushes them to
    /// disk.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let step = Tensor::new(&[self.step as i64], &Device::Cpu)
            .map_err(Error::tensor("saving AdamW"))?;
        let steps: Vec<i64> = self.slots.iter().map(|slot| slot.step as i64).collect();
        let steps = Tensor::new(steps, &Device::Cpu).map_err(Error::tensor("saving AdamW"))?;
        let mut tensors = vec![(STEP.to_owned(), step), (STEPS.to_owned(), steps)];
        for slot in &self.slots {
            tensors.push((format!("{FIRST}{}", slot.name), slot.first.clone()));
            tensors.push((format!("{SECOND}{}", slot.name), slot.second.clone()));
        }
        files::write_tensors(path, &tensors)
    }

    /// Takes step counts and moments from a file that [`AdamW::save`] wrote for the same parameters.
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
        let mut counts = |name: &str, n: usize| {
            let counts = files::take_tensor(&mut tensors, name, &n.into(), path)?;
            let counts = counts.to_vec1::<i64>();
            let counts = counts.map_err(Error::tensor("loading AdamW"))?.into_iter();
            counts
                .map(|n| step_count(n, path))
                .collect::<Result<Vec<u64>>>()
        };
        self.step = counts(STEP, 1)?[0];
        let steps = counts(STEPS, self.slots.len())?;
        for (slot, step) in self.slots.iter_mut().zip(steps) {
            slot.step = step;
        }
        Ok(())
    }
}

fn step_count(found: i64, path: &Path) -> Result<u64> {
    u64::try_from(found).map_err(|_| Error::CheckpointMismatch {
        path: path.to_owned(),
        problem: format!("it was saved after {found} steps"),
    })
}
