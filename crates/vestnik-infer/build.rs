//! The hash of the model that is built into the library: made once here, since 48 MB take as long to hash as a model to open.

use std::path::Path;

use sha2::{Digest, Sha256};

/// In the order in which they are hashed.
const FILES: [&str; 4] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "vestnik.json",
];

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_EMBEDDED_MODEL").is_none() {
        return Ok(());
    }
    let mut hasher = Sha256::new();
    for file in FILES {
        let path = Path::new("../../models/vestnik-news").join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let bytes = std::fs::read(path)?;
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    println!(
        "cargo::rustc-env=EMBEDDED_MODEL_SHA256={:x}",
        hasher.finalize()
    );
    Ok(())
}
