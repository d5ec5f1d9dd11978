//! `vestnik model int8`: which layers of a model lose too much in int8.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use vestnik_infer::{Int8Errors, Metadata};
use vestnik_model::{ModelDir, SETTINGS_FILE, write_file};

use crate::Outcome;
use crate::output::print;
use crate::texts::TextArgs;

/// Arguments of `vestnik model int8`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model directory
    #[arg(value_name = "DIR")]
    model: PathBuf,
    #[command(flatten)]
    texts: TextArgs,
    /// Keep a layer in f32 whose int8 alone moves the states by more than this share of their root mean square
    #[arg(long, default_value_t = 0.03, value_name = "SHARE", value_parser = parse_share)]
    most: f64,
    /// Only measure: leave vestnik.json as it is
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What is told.
#[derive(Serialize)]
struct Summary {
    /// Errors of the states, relative to their root mean square, with each layer alone in int8.
    layers: Vec<f64>,
    /// With all layers in int8.
    all: f64,
    f32_layers: Vec<usize>,
    /// With all layers in int8 but those.
    kept: f64,
    tokens: usize,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0);
    share.ok_or_else(|| "a number above 0".to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let dir = ModelDir::open(&args.model)?;
    let metadata = match dir.settings() {
        Some(json) => Metadata::parse(json)?,
        None => {
            // As such a model is read without the file.
            let positions = dir.max_tokens().saturating_sub(2);
            Metadata::new(positions, positions / 8)
        }
    };
    let texts = args.texts.read()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let errors = Int8Errors::measure(&dir, &texts, args.most)?;
    if !args.dry_run {
        let mut json = serde_json::to_vec_pretty(&metadata.with_int8(errors.int8.clone()))?;
        json.push(b'\n');
        write_file(&args.model.join(SETTINGS_FILE), &json)?;
    }
    let summary = Summary {
        layers: errors.layers,
        all: errors.all,
        f32_layers: errors.int8.f32_layers,
        kept: errors.kept,
        tokens: errors.tokens,
    };
    print(&match args.json {
        true => serde_json::to_string(&summary)?,
        false => table(&summary),
    })?;
    Ok(Outcome::Done)
}

fn table(summary: &Summary) -> String {
    let mut text = format!("{:<14}{:>10}\n", "int8", "error");
    for (layer, error) in summary.layers.iter().enumerate() {
        let is_kept = summary.f32_layers.contains(&layer);
        let note = if is_kept { "  stays in f32" } else { "" };
        let _ = writeln!(text, "{:<14}{error:>10.4}{note}", format!("layer {layer}"));
    }
    let _ = writeln!(text, "{:<14}{:>10.4}", "all layers", summary.all);
    if !summary.f32_layers.is_empty() {
        let _ = writeln!(text, "{:<14}{:>10.4}", "but those", summary.kept);
    }
    let _ = write!(
        text,
        "{} tokens; errors of the states, relative to their root mean square",
        summary.tokens
    );
    text
}
