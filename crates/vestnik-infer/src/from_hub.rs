//! Models by their names on the Hugging Face hub.

use vestnik_hub::{Hub, ModelName, Weights};

use crate::error::Result;
use crate::options::Options;
use crate::vestnik::Vestnik;

impl Vestnik {
    /// Opens a model by its name on the Hugging Face hub, `ORG/NAME` or `ORG/NAME@REVISION`, with default options.
    ///
    /// Its files are brought into the cache that Python shares, if they are not there yet; the environment says where that
    /// is, whether there is a token, and whether the network may be used ([`Hub::from_env`]). This blocks.
    ///
    /// ```no_run
    /// let vestnik = vestnik_infer::Vestnik::from_hub("org/name@main")?;
    /// # Ok::<(), vestnik_infer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Hub`](crate::Error::Hub) for a name that is none, and where the hub has no such model or it cannot be
    /// fetched; else as [`Vestnik::from_dir_with`].
    pub fn from_hub(name: &str) -> Result<Self> {
        Self::from_hub_with(&Hub::from_env()?, name, &Options::default())
    }

    /// Opens a model of this hub.
    ///
    /// # Errors
    /// As [`Vestnik::from_hub`].
    pub fn from_hub_with(hub: &Hub, name: &str, options: &Options) -> Result<Self> {
        let model = ModelName::parse(name)?;
        let snapshot = hub.fetch(&model, Weights::Safetensors, &mut |_| ())?;
        // The folder in the cache is called by the hash of a commit: the model keeps its name.
        Ok(Self::from_dir_with(snapshot.path, options)?.with_name(model.to_string()))
    }
}
