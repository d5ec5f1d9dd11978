//! What to do about a file that is missing, told from the files that are there.

use std::path::Path;

use crate::{CONFIG_FILE, Error, TOKENIZER_FILE};

/// Files from which transformers makes a `tokenizer.json`.
const TOKENIZER_SOURCES: &[&str] = &[
    "vocab.txt",
    "sentencepiece.bpe.model",
    "spm.model",
    "spiece.model",
    "tokenizer.model",
    "vocab.json",
];

/// No `config.json`: a directory above the model, an adapter, or none at all.
pub(crate) fn no_config(dir: &Path) -> Error {
    let hint = if dir.join("adapter_config.json").exists() {
        ", only an adapter; merge it into its model (PEFT: merge_and_unload) and save that"
            .to_owned()
    } else if let Some(below) = model_below(dir) {
        format!(", but in {below}; name that directory")
    } else {
        "; a model directory holds config.json, tokenizer.json and model.safetensors".to_owned()
    };
    Error::NoConfig {
        dir: dir.into(),
        hint,
    }
}

/// The first directory, one or two levels down, with a `config.json`.
fn model_below(dir: &Path) -> Option<String> {
    let children = |dir: &Path| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let first = children(dir);
    let second = first.iter().flat_map(|child| children(child));
    let mut all = first.iter().cloned().chain(second);
    all.find(|path| path.join(CONFIG_FILE).exists())
        .map(|path| path.display().to_string())
}

/// No weights that are read here: other formats, shards without their index, an adapter.
pub(crate) fn no_weights(dir: &Path) -> Error {
    let has = |name: &str| dir.join(name).exists();
    let torch = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
    let hint = if let Some(name) = torch.into_iter().find(|name| has(name)) {
        format!(
            ", only {name}; convert it: vestnik model convert {} -o NEW",
            dir.display()
        )
    } else {
        other_weights(dir)
    };
    Error::NoWeights {
        dir: dir.into(),
        hint,
    }
}

fn other_weights(dir: &Path) -> String {
    let known = [
        ("tf_model.h5", "weights for TensorFlow"),
        ("flax_model.msgpack", "weights for Flax"),
        (
            "adapter_model.safetensors",
            "an adapter, which must be merged into its model",
        ),
    ];
    if let Some((name, what)) = known.iter().find(|(name, _)| dir.join(name).exists()) {
        return format!(", only {name}, {what}; save the model as safetensors with transformers");
    }
    let ending = |end: &str| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(end))
            .collect();
        names.sort();
        names.into_iter().next()
    };
    if let Some(name) = ending(".safetensors") {
        format!(
            ", only {name}; shards need their model.safetensors.index.json, a single file the name model.safetensors"
        )
    } else if let Some(name) = [".onnx", ".gguf", ".pt", ".bin"]
        .into_iter()
        .find_map(ending)
    {
        format!(", only {name}; save the model as safetensors with transformers")
    } else {
        "; fetch the whole model".to_owned()
    }
}

/// No `tokenizer.json`, but perhaps what it is made from.
pub(super) fn no_tokenizer(dir: &Path) -> Error {
    let source = TOKENIZER_SOURCES
        .iter()
        .find(|name| dir.join(name).exists());
    let found = match source {
        Some(name) => format!("no such file, only {name}"),
        None => "no such file; a model needs its tokenizer".to_owned(),
    };
    let problem = match source {
        Some(_) => format!("{found}; {}", recipe(dir)),
        None => found,
    };
    Error::Tokenizer {
        path: dir.join(TOKENIZER_FILE),
        problem,
    }
}

/// The command that makes a `tokenizer.json` from the older files.
fn recipe(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "make it: python -c \"from transformers import AutoTokenizer; \
         AutoTokenizer.from_pretrained('{dir}').save_pretrained('{dir}')\""
    )
}
