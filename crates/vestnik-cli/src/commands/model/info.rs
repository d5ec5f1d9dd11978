//! `vestnik model info`: what is in a model directory.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use vestnik_core::LabelSet;
use vestnik_infer::{Calibration, HeadMetadata, Metadata, WindowMetadata};
use vestnik_model::{
    Device, EncoderModel, Error, HeadKind, HeadOptions, LoadReport, MaskedLm, Model, ModelDir,
    MultiTaskModel, ProblemType, Reads, SequenceClassifier, TokenClassifier,
};

use crate::output::print;
use crate::{Outcome, model};

/// Names of one line of the table; `--json` has them all.
const MOST_LISTED: usize = 40;

/// Arguments of `vestnik model info`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model directory, name of the built-in model (the default), or ORG/NAME[@REVISION] on the Hugging Face hub
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
    /// The kind of head; none in a bare encoder, and where the head is not supported.
    head: Option<&'static str>,
    /// Whether the words of a text are labelled together, by a conditional random field.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    crf: bool,
    tasks: Vec<String>,
    labels: Vec<String>,
    /// Whether one label of a sequence classifier holds, or any number of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem_type: Option<&'static str>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration>,
    /// The heads beside the one for tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    heads: Vec<HeadMetadata>,
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
    let head = config.head();
    let metadata = dir.settings().map(Metadata::parse).transpose()?;
    let heads = metadata.as_ref().map(|metadata| metadata.heads.clone());
    let heads = heads.unwrap_or_default();
    let options: Vec<HeadOptions> = heads.iter().map(HeadMetadata::options).collect();
    let loaded = load(dir, head, &options)?;
    let encoder = &config.encoder;
    Ok(Info {
        model: dir.path().display().to_string(),
        architecture: encoder.architecture.model_type(),
        classes: config
            .class_names()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        head: head.map(name_of),
        crf: loaded.crf,
        tasks: tasks(head, &options),
        labels: loaded.labels,
        problem_type: loaded.problem_type.map(ProblemType::name),
        parameters: loaded.parameters,
        dtype: dir.weights_dtype(),
        vocab_size: encoder.vocab_size,
        hidden_size: encoder.hidden_size,
        layers: encoder.num_hidden_layers,
        attention_heads: encoder.num_attention_heads,
        max_tokens: dir.max_tokens(),
        window: metadata.as_ref().map(|metadata| metadata.window),
        calibration: metadata.and_then(|metadata| metadata.calibration),
        heads,
        missing: loaded.report.missing,
        unused: loaded.report.unused,
    })
}

/// The tasks of all heads.
fn tasks(head: Option<HeadKind>, heads: &[HeadOptions]) -> Vec<String> {
    let is_tagger = head == Some(HeadKind::TokenClassification);
    let entities = is_tagger.then(|| "ner".to_owned());
    let others = heads.iter().map(|head| head.task.clone());
    entities.into_iter().chain(others).collect()
}

fn name_of(head: HeadKind) -> &'static str {
    match head {
        HeadKind::MaskedLm => "masked-lm",
        HeadKind::TokenClassification => "token-classification",
        HeadKind::SequenceClassification => "sequence-classification",
        _ => "other",
    }
}

fn names_of(labels: &LabelSet) -> Vec<String> {
    labels.iter().map(str::to_owned).collect()
}

fn has_labels(head: Option<HeadKind>) -> bool {
    matches!(
        head,
        Some(HeadKind::TokenClassification | HeadKind::SequenceClassification)
    )
}

/// What loading a model tells of it.
#[derive(Default)]
struct Loaded {
    parameters: usize,
    labels: Vec<String>,
    crf: bool,
    problem_type: Option<ProblemType>,
    report: LoadReport,
}

impl Loaded {
    fn new<H>((model, report): &(Model<H>, LoadReport)) -> Self {
        Self {
            parameters: model.parameters().n_values(),
            report: report.clone(),
            ..Self::default()
        }
    }
}

/// Loads the model with its head for an account of its tensors.
fn load(dir: &ModelDir, head: Option<HeadKind>, heads: &[HeadOptions]) -> Result<Loaded> {
    let loaded = match heads {
        [] => load_head(dir, head),
        _ => load_heads(dir, heads),
    };
    match loaded {
        Err(Error::MissingTensors { names, unused, .. }) => {
            let labels = dir.config().labels().ok().filter(|_| has_labels(head));
            Ok(Loaded {
                labels: labels.as_ref().map_or_else(Vec::new, names_of),
                report: LoadReport {
                    missing: names,
                    unused,
                },
                ..Loaded::default()
            })
        }
        loaded => Ok(loaded?),
    }
}

/// A model with heads beside the one for tokens.
fn load_heads(dir: &ModelDir, heads: &[HeadOptions]) -> vestnik_model::Result<Loaded> {
    let loaded = MultiTaskModel::load_frozen(dir, heads, &Device::Cpu)?;
    Ok(Loaded {
        labels: loaded.0.labels().map_or_else(Vec::new, names_of),
        crf: loaded.0.crf().is_some(),
        ..Loaded::new(&loaded)
    })
}

fn load_head(dir: &ModelDir, head: Option<HeadKind>) -> vestnik_model::Result<Loaded> {
    let cpu = &Device::Cpu;
    Ok(match head {
        Some(HeadKind::TokenClassification) => {
            let loaded = TokenClassifier::load_frozen(dir, cpu)?;
            Loaded {
                labels: names_of(loaded.0.labels()),
                crf: loaded.0.crf().is_some(),
                ..Loaded::new(&loaded)
            }
        }
        Some(HeadKind::SequenceClassification) => {
            let loaded = SequenceClassifier::load_frozen(dir, cpu)?;
            Loaded {
                labels: names_of(loaded.0.labels()),
                problem_type: Some(loaded.0.problem_type()),
                ..Loaded::new(&loaded)
            }
        }
        Some(HeadKind::MaskedLm) => Loaded::new(&MaskedLm::load(dir, 0, cpu)?),
        _ => Loaded::new(&EncoderModel::load_frozen(dir, cpu)?),
    })
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
    let crf = if info.crf { " with a CRF" } else { "" };
    row("head", format!("{}{crf}", info.head.unwrap_or("none")));
    row("tasks", listed(&info.tasks));
    row("labels", listed(&info.labels));
    if let Some(problem_type) = info.problem_type {
        row("problem type", problem_type.to_owned());
    }
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
    if let Some(calibration) = &info.calibration {
        let least = calibration.min_scores.iter();
        let least: String = least
            .map(|(label, score)| format!(", {label} from {score}"))
            .collect();
        row(
            "calibration",
            format!("temperature {}{least}", calibration.temperature),
        );
    }
    for head in &info.heads {
        row(&head.task, told(head));
    }
    row("missing", listed(&info.missing));
    row("unused", listed(&info.unused));
    text.truncate(text.trim_end().len());
    text
}

/// What a head beside the one for tokens does.
fn told(head: &HeadMetadata) -> String {
    let reads = match head.reads {
        Reads::Text => "of a text",
        Reads::Span => "of a span",
    };
    let how_many = match head.problem_type {
        ProblemType::SingleLabel => "one",
        ProblemType::MultiLabel => "any number",
    };
    let names: Vec<&str> = head.labels.iter().collect();
    let names = listed(&names);
    match &head.calibration {
        None => format!("{how_many} {reads} among {names}"),
        Some(calibration) => {
            let (t, n) = (calibration.temperature, calibration.thresholds.len());
            format!("{how_many} {reads} among {names}; temperature {t}, {n} thresholds")
        }
    }
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let first: Vec<&str> = names.iter().map(AsRef::as_ref).take(MOST_LISTED).collect();
    match names.len().checked_sub(MOST_LISTED) {
        None | Some(0) => first.join(", "),
        Some(others) => format!("{} and {others} more", first.join(", ")),
    }
}
