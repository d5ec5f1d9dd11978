//! `vestnik.json`: what a model directory says beyond the Hugging Face files.

use serde::{Deserialize, Serialize};
use vestnik_model::HeadOptions;
use vestnik_text::WindowOptions;

use crate::calibration::Calibration;
use crate::error::{Error, Result};
use crate::head_metadata::HeadMetadata;

/// The version of `vestnik.json` that is read and written.
const FORMAT_VERSION: u32 = 1;

/// Contents of `vestnik.json`. The file is optional; a field it does not know is an error.
///
/// ```json
/// {"format_version": 1, "window": {"tokens": 256, "context": 28},
///  "calibration": {"temperature": 1.3, "min_scores": {"PRO": 0.4}},
///  "heads": [{"task": "stance", "reads": "span", "labels": ["against", "neutral", "favour"],
///             "problem_type": "single_label_classification"}]}
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Metadata {
    /// Version of the format: 1.
    pub format_version: u32,
    /// How articles were cut into windows in training.
    pub window: WindowMetadata,
    /// How its outputs become scores. Default: as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How its encoder is computed in int8. Default: all layers in int8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<Int8Metadata>,
    /// The heads beside the one for tokens, in their order. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadMetadata>,
}

/// The windows a model was trained on, in tokens without the special ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WindowMetadata {
    /// Tokens of a window, context included.
    pub tokens: usize,
    /// Of these, tokens of context on each side where the article goes on.
    pub context: usize,
}

/// What stays as it is where an encoder is computed in int8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Int8Metadata {
    /// Layers, from 0, that are computed in `f32`; see [`Int8Errors`](crate::Int8Errors).
    pub f32_layers: Vec<usize>,
}

impl Metadata {
    /// Metadata of a model that was trained on windows of `tokens` tokens with `context` of them on each side.
    #[must_use]
    pub fn new(tokens: usize, context: usize) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            window: WindowMetadata { tokens, context },
            calibration: None,
            int8: None,
            heads: Vec::new(),
        }
    }

    /// The same with these heads beside the one for tokens.
    #[must_use]
    pub fn with_heads(mut self, heads: Vec<HeadMetadata>) -> Self {
        self.heads = heads;
        self
    }

    /// The same with another way to compute in int8; one that changes nothing is left out.
    #[must_use]
    pub fn with_int8(mut self, int8: Int8Metadata) -> Self {
        self.int8 = (int8 != Int8Metadata::default()).then_some(int8);
        self
    }

    /// What the heads beside the one for tokens are, for [`vestnik_model::MultiTaskModel::load_frozen`].
    #[must_use]
    pub fn head_options(&self) -> Vec<HeadOptions> {
        self.heads.iter().map(HeadMetadata::options).collect()
    }

    /// The same with another calibration; one that changes nothing is left out.
    #[must_use]
    pub fn with_calibration(mut self, calibration: Calibration) -> Self {
        self.calibration = (!calibration.is_identity()).then_some(calibration);
        self
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Metadata`] if it is no JSON of this form, [`Error::MetadataVersion`] if it is of another version,
    /// [`Error::Calibration`] or [`Error::CalibrationLabel`] for the calibration of a head that does not fit it.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let unreadable = |source| Error::Metadata { source };
        // Read directly, errors have a line; read through a value, numbers are exact (`arbitrary_precision`).
        let _: Self = serde_json::from_slice(json).map_err(unreadable)?;
        let value: serde_json::Value = serde_json::from_slice(json).map_err(unreadable)?;
        let metadata: Self = serde_json::from_value(value).map_err(unreadable)?;
        if metadata.format_version != FORMAT_VERSION {
            return Err(Error::MetadataVersion {
                found: metadata.format_version,
                known: FORMAT_VERSION,
            });
        }
        metadata.heads.iter().try_for_each(HeadMetadata::check)?;
        Ok(metadata)
    }
}

/// The windows for a model: those of its metadata, else all positions with an eighth of context on each side.
///
/// # Errors
/// [`Error::Window`] if the model has too few positions, or the context leaves no room.
pub(crate) fn window_options(
    metadata: Option<&Metadata>,
    positions: usize,
) -> Result<WindowOptions> {
    // Two positions go to the special tokens.
    let available = positions.saturating_sub(2);
    let (max_tokens, context) = match metadata {
        Some(Metadata { window, .. }) => (window.tokens, window.context),
        None => (available, available / 8),
    };
    if max_tokens == 0 || max_tokens > available || 2 * context >= max_tokens {
        return Err(Error::Window {
            tokens: max_tokens,
            context,
            available,
        });
    }
    Ok(WindowOptions {
        max_tokens,
        context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"format_version":1,"window":{"tokens":256,"context":28}}"#;

    #[test]
    fn the_file_rules_the_windows() {
        let metadata = Metadata::parse(GOOD.as_bytes()).unwrap();
        let window = window_options(Some(&metadata), 512).unwrap();
        assert_eq!((window.max_tokens, window.context), (256, 28));
    }

    #[test]
    fn without_the_file_all_positions_serve() {
        let window = window_options(None, 514).unwrap();
        assert_eq!((window.max_tokens, window.context), (512, 64));
    }

    #[test]
    fn windows_that_do_not_fit_are_errors() {
        let metadata = Metadata::parse(GOOD.as_bytes()).unwrap();
        assert!(matches!(
            window_options(Some(&metadata), 200),
            Err(Error::Window { available: 198, .. })
        ));
        assert!(window_options(None, 2).is_err());
    }

    #[test]
    fn other_versions_and_fields_are_refused() {
        let later = GOOD.replace(":1,", ":2,");
        assert!(matches!(
            Metadata::parse(later.as_bytes()),
            Err(Error::MetadataVersion { found: 2, .. })
        ));
        let more = GOOD.replace("}}", "},\"head\":[]}");
        assert!(matches!(
            Metadata::parse(more.as_bytes()),
            Err(Error::Metadata { .. })
        ));
    }

    #[test]
    fn a_calibration_is_read_as_it_was_written() {
        let calibration = Calibration {
            temperature: 1.237,
            min_scores: [("PER".to_owned(), 0.123_456_789)].into(),
        };
        let metadata = Metadata::new(256, 28).with_calibration(calibration.clone());
        let json = serde_json::to_vec(&metadata).unwrap();
        assert_eq!(Metadata::parse(&json).unwrap(), metadata);
        assert_eq!(metadata.calibration, Some(calibration));

        let none = metadata.with_calibration(Calibration::default());
        assert_eq!(serde_json::to_string(&none).unwrap(), GOOD);
        let unknown = GOOD.replace("}}", "},\"calibration\":{\"temperatur\":2}}");
        assert!(Metadata::parse(unknown.as_bytes()).is_err());
    }
}
