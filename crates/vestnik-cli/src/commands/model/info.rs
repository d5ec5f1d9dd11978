//! `vestnik model info`: what is in a model directory.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use vestnik_infer::WindowMetadata;
use vestnik_model::{Device, Error, LoadReport, MaskedLm, ModelConfig, ModelDir, TokenClassifier};

use crate::output::print;
use crate::{Outcome, model};

/// Arguments of `vestnik model info`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model directory, or the name of the model built into the program (the default)
    #[arg(value_name = "DIR|ID")]
    model: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What is told of a model.
#[derive(Debug, Serialize)]
struct Info {
    model: String,
    architecture: &'static str,
    classes: Vec<String>,
    tasks: Vec<&'static str>,
    labels: Vec<String>,
    /// Numbers in all tensors that were loaded.
    parameters: usize,
    dtype: String,
    vocab_size: usize,
    hidden_size: usize,
    layers: usize,
    attention_heads: usize,
    /// Longest sequence in tokens, special tokens included; longer articles are read in windows.
    max_tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WindowMetadata>,
    /// Tensors that the model needs and the file lacks.
    missing: Vec<String>,
    /// Tensors of the file that the model has no use for.
    unused: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let dir = model::directory(args.model.as_deref())?;
    let info = inspect(&dir)?;
    print(&if args.json {
        serde_json::to_string(&info)?
    } else {
        table(&info)
    })?;
    Ok(if info.missing.is_empty() {
        Outcome::Done
    } else {
        Outcome::Findings
    })
}

fn inspect(dir: &ModelDir) -> Result<Info> {
    let config = dir.config();
    let labels = labels(config);
    let (parameters, report) = load(dir, labels.is_empty())?;
    let window = dir
        .settings()
        .map(vestnik_infer::Metadata::parse)
        .transpose()?;
    let encoder = &config.encoder;
    Ok(Info {
        model: dir.path().display().to_string(),
        architecture: encoder.architecture.model_type(),
        classes: config
            .class_names()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        tasks: if labels.is_empty() {
            vec![]
        } else {
            vec!["ner"]
        },
        labels,
        parameters,
        dtype: dir.weights_dtype(),
        vocab_size: encoder.vocab_size,
        hidden_size: encoder.hidden_size,
        layers: encoder.num_hidden_layers,
        attention_heads: encoder.num_attention_heads,
        max_tokens: encoder.max_tokens(),
        window: window.map(|metadata| metadata.window),
        missing: report.missing,
        unused: report.unused,
    })
}

/// The labels of a tagger; none for an encoder that only carries the default labels of the reference.
fn labels(config: &ModelConfig) -> Vec<String> {
    let classes = config.class_names();
    let tagger = classes.is_empty()
        || classes
            .iter()
            .any(|class| class.ends_with("ForTokenClassification"));
    match config.labels() {
        Ok(labels) if tagger => labels.iter().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Loads the model for its account of tensors: a tagger, or without labels an encoder for pretraining.
fn load(dir: &ModelDir, bare: bool) -> Result<(usize, LoadReport)> {
    let loaded = if bare {
        MaskedLm::load(dir, 0, &Device::Cpu)
            .map(|(model, report)| (model.parameters().n_values(), encoder_only(report)))
    } else {
        TokenClassifier::load(dir, &Device::Cpu)
            .map(|(model, report)| (model.parameters().n_values(), report))
    };
    match loaded {
        Err(Error::MissingTensors { names, .. }) => Ok((
            0,
            LoadReport {
                missing: names,
                unused: Vec::new(),
            },
        )),
        loaded => Ok(loaded?),
    }
}

/// The head of a masked language model begins fresh where there is none: an encoder without it lacks nothing.
fn encoder_only(mut report: LoadReport) -> LoadReport {
    report
        .missing
        .retain(|name| !name.starts_with("cls.") && !name.starts_with("lm_head."));
    report
}

fn table(info: &Info) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    row("model", info.model.clone());
    row(
        "architecture",
        format!("{} ({})", info.architecture, info.classes.join(", ")),
    );
    row("tasks", listed(&info.tasks));
    row("labels", listed(&info.labels));
    row(
        "parameters",
        format!("{} ({})", info.parameters, info.dtype),
    );
    row(
        "size",
        format!(
            "{} layers, {} wide, {} heads, {} pieces",
            info.layers, info.hidden_size, info.attention_heads, info.vocab_size
        ),
    );
    row(
        "limit",
        format!("{} tokens; longer articles in windows", info.max_tokens),
    );
    if let Some(window) = &info.window {
        row(
            "window",
            format!(
                "{} tokens, {} of context on each side",
                window.tokens, window.context
            ),
        );
    }
    row("missing", listed(&info.missing));
    row("unused", listed(&info.unused));
    text.truncate(text.trim_end().len());
    text
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}
