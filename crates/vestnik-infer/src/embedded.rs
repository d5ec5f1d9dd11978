//! The default model, built into the library with the feature `embedded-model`.

use vestnik_model::EmbeddedModel;

/// The default model, if this build has it. No constant: of that every use would have a copy.
#[cfg(feature = "embedded-model")]
pub(crate) static MODEL: Option<EmbeddedModel> = Some(EmbeddedModel {
    name: crate::EMBEDDED_MODEL_NAME,
    config: include_bytes!("../../../models/vestnik-news/config.json"),
    weights: include_bytes!("../../../models/vestnik-news/model.safetensors"),
    tokenizer: include_bytes!("../../../models/vestnik-news/tokenizer.json"),
    settings: include_bytes!("../../../models/vestnik-news/vestnik.json"),
});

/// The default model, if this build has it.
#[cfg(not(feature = "embedded-model"))]
pub(crate) static MODEL: Option<EmbeddedModel> = None;

/// A SHA-256 of the files of the default model, for those who want to know whether it is the same as another time; `None` if
/// this build has none.
#[must_use]
pub fn embedded_sha256() -> Option<&'static str> {
    option_env!("EMBEDDED_MODEL_SHA256")
}
