//! `vestnik model convert`: a model directory with safetensors from PyTorch's files, shards, or another number type.

use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_model::{Converted, DType, ModelDir, convert};

use crate::Outcome;
use crate::failure::one_line;
use crate::output::note;

/// Arguments of `vestnik model convert`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model directory, or a weights file in it: pytorch_model.bin, model.safetensors, or the index of shards
    #[arg(value_name = "DIR|FILE")]
    model: PathBuf,
    /// Model directory to make
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Number type of the weights [default: as they are]
    #[arg(long, value_enum, value_name = "TYPE")]
    dtype: Option<NumberType>,
}

/// Number types of weights.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum NumberType {
    F32,
    F16,
    Bf16,
}

impl From<NumberType> for DType {
    fn from(name: NumberType) -> Self {
        match name {
            NumberType::F32 => Self::F32,
            NumberType::F16 => Self::F16,
            NumberType::Bf16 => Self::BF16,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let converted = convert(&args.model, &args.output, args.dtype.map(DType::from))?;
    tell(&converted, &args.output);
    if let Err(error) = ModelDir::open(&args.output) {
        note(&format!(
            "note: vestnik itself cannot load the model: {}",
            one_line(&error.into())
        ));
    }
    Ok(Outcome::Done)
}

fn tell(converted: &Converted, output: &Path) {
    for name in &converted.dropped {
        note(&format!("left out {name}: no floating-point numbers"));
    }
    for (name, first) in &converted.tied {
        note(&format!("left out {name}: tied to {first}"));
    }
    note(&format!(
        "{} tensors written to {}",
        converted.n_tensors,
        output.display()
    ));
}
