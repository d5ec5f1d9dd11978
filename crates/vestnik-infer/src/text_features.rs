//! Fixed features of texts: what an encoder says of them, as one vector each.

use std::path::Path;

use ndarray::Array2;
use vestnik_model::{Device, EncoderModel, ModelDir};

use crate::error::{Error, Result};
use crate::metadata::{Metadata, window_options};
use crate::opened::Opened;
use crate::options::Options;
use crate::reader::Reader;
use crate::text_states::TextStates;
use crate::vestnik::{EMBEDDED_MODEL_NAME, embedded_model, name_of};

/// An encoder whose states are features: each text is the mean of the states of all its tokens, however long it is.
///
/// `Send + Sync`. Any model directory has an encoder, whatever its head.
#[derive(Debug)]
pub struct TextFeatures {
    name: String,
    reader: Reader,
    width: usize,
}

/// The features of one text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TextVector {
    /// The mean state; `None` for a text without tokens.
    pub features: Option<Vec<f32>>,
    /// Tokens that were read: all of the text.
    pub tokens: usize,
    /// Windows the text was read in.
    pub windows: usize,
}

impl TextFeatures {
    /// Opens the encoder of a model directory; `options` say the device and the tokens of a forward pass.
    ///
    /// # Errors
    /// As [`Vestnik::from_dir_with`](crate::Vestnik::from_dir_with), but labels do not matter.
    pub fn from_dir(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        Self::open(&name_of(path), &ModelDir::open(path)?, options)
    }

    /// Opens the encoder of the model that is built into this library.
    ///
    /// # Errors
    /// As [`Vestnik::embedded_with`](crate::Vestnik::embedded_with).
    pub fn embedded(options: &Options) -> Result<Self> {
        Self::open(EMBEDDED_MODEL_NAME, &embedded_model()?, options)
    }

    fn open(name: &str, dir: &ModelDir, options: &Options) -> Result<Self> {
        let metadata = dir.settings().map(Metadata::parse).transpose()?;
        let window = window_options(metadata.as_ref(), dir.max_tokens())?;
        let device = options.device.open()?;
        let load = || EncoderModel::load_parts(dir, &device);
        let Opened {
            tokenizer, states, ..
        } = Opened::new(dir, options, load)?;
        Ok(Self {
            name: name.to_owned(),
            width: dir.config().encoder.hidden_size,
            reader: Reader::new(states, tokenizer, window, device, options)?,
        })
    }

    /// Gives the model another name than that of its directory.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name of the model: that of its directory, if it was given no other.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device it computes on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.reader.device()
    }

    /// Number of features of a text.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The features of texts, in their order; they do not depend on the other texts.
    ///
    /// # Errors
    /// [`Error::Text`] if the tokenizer fails, [`Error::Model`] or [`Error::Tensor`] if the model does.
    pub fn of_batch(&self, texts: &[&str]) -> Result<Vec<TextVector>> {
        let texts = self.reader.texts(texts)?;
        let mut states = TextStates::new(&texts);
        self.reader
            .read(&texts, |batch| states.add(&batch, &texts))?;
        let vectors = states.means(&texts).into_iter().zip(&texts);
        Ok(vectors
            .map(|(features, text)| TextVector {
                features,
                tokens: text.tokens.tokens.len(),
                windows: text.windows.len(),
            })
            .collect())
    }

    /// Features as rows. A text without tokens is all zeros.
    pub(crate) fn matrix(&self, vectors: &[TextVector]) -> Result<Array2<f64>> {
        let blank = vec![0.0; self.width];
        let rows = vectors
            .iter()
            .flat_map(|vector| vector.features.as_ref().unwrap_or(&blank));
        let values: Vec<f64> = rows.map(|&x| f64::from(x)).collect();
        Array2::from_shape_vec((vectors.len(), self.width), values).map_err(|_| Error::Examples {
            problem: "another number of features than the encoder has",
        })
    }
}
