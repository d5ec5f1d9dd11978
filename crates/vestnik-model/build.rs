//! Compiles the CUDA kernels to PTX, with the toolkit that candle builds with; nothing without the feature `cuda`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const KERNELS: &str = "src/ops/cuda/kernels.cu";

/// What the PTX is written for: the oldest generation with bf16. The driver compiles it for the GPU that it finds.
const ARCHITECTURE: &str = "compute_80";

fn main() {
    println!("cargo::rerun-if-changed={KERNELS}");
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_some()
        && let Err(problem) = compile()
    {
        println!("cargo::error={problem}");
    }
}

fn compile() -> Result<(), String> {
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let ptx = Path::new(&out).join("kernels.ptx");
    let nvcc = nvcc();
    let status = Command::new(&nvcc)
        .args(["--ptx", "-O3", "-arch", ARCHITECTURE, "-o"])
        .arg(&ptx)
        .arg(KERNELS)
        .status()
        .map_err(|error| {
            format!(
                "{} cannot be run ({error}); docs/cuda.md says what is needed",
                nvcc.display()
            )
        })?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} refused {KERNELS}", nvcc.display())),
    }
}

/// `$NVCC`, that of `$CUDA_HOME` or `$CUDA_PATH`, or the one on the path.
fn nvcc() -> PathBuf {
    if let Some(nvcc) = env::var_os("NVCC") {
        return nvcc.into();
    }
    ["CUDA_HOME", "CUDA_PATH"]
        .into_iter()
        .filter_map(env::var_os)
        .map(|home| Path::new(&home).join("bin/nvcc"))
        .find(|nvcc| nvcc.is_file())
        .unwrap_or_else(|| "nvcc".into())
}
