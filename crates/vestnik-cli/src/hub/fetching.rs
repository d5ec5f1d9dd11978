//! Fetches models from the hub and tells how it goes.

use std::sync::atomic::Ordering;

use anyhow::Result;
use serde_json::{Value, json};
use vestnik_hub::{Event, Hub, ModelName, Snapshot, Weights};

use super::{HubModel, OFFLINE, mistakes};
use crate::output::note;
use crate::progress::{Progress, ProgressMode};

/// Fetches the model that `name` means on the hub, if it can be a name there.
pub(super) fn find(name: &str) -> Result<Option<HubModel>> {
    let Ok(model) = ModelName::parse(name) else {
        return Ok(None);
    };
    let mut listener = Teller::new(&model, ProgressMode::Auto).listener();
    let snapshot = open()?
        .fetch(&model, Weights::Safetensors, &mut listener)
        .map_err(|error| mistakes::no_directory_either(&model, error))?;
    tell_missing_tokenizer(&model, &snapshot);
    Ok(Some(HubModel {
        name: model.to_string(),
        path: snapshot.path,
    }))
}

/// Fetches a model whose name must be one of the hub.
///
/// # Errors
/// It is none, the hub has no such model, or it cannot be fetched.
pub(crate) fn fetch(
    name: &str,
    weights: Weights,
    mode: ProgressMode,
) -> Result<(ModelName, Snapshot)> {
    let model = ModelName::parse(name)?;
    let mut listener = Teller::new(&model, mode).listener();
    let snapshot = open()?
        .fetch(&model, weights, &mut listener)
        .map_err(|error| mistakes::explain(&model, error))?;
    Ok((model, snapshot))
}

/// Says where a tokenizer comes from that the repository lacks; gives whether it lacks one.
pub(crate) fn tell_missing_tokenizer(model: &ModelName, snapshot: &Snapshot) -> bool {
    let missing = !snapshot.path.join("tokenizer.json").exists();
    if missing {
        let id = model.id();
        note(&format!(
            "{model} has no tokenizer.json, which is needed; transformers makes one: \
             python -c \"from transformers import AutoTokenizer as T; T.from_pretrained('{id}').save_pretrained('DIR')\", \
             where DIR is a copy of {}",
            snapshot.path.display()
        ));
    }
    missing
}

fn open() -> Result<Hub> {
    let hub = Hub::from_env()?;
    let offline = OFFLINE.load(Ordering::Relaxed) || hub.is_offline();
    Ok(hub.with_offline(offline))
}

/// Shows the events of a download.
struct Teller {
    model: String,
    mode: ProgressMode,
    /// Once it is known that there is something to download.
    plan: Option<Plan>,
}

struct Plan {
    progress: Progress,
    files: usize,
    bytes: u64,
}

impl Teller {
    fn new(model: &ModelName, mode: ProgressMode) -> Self {
        Self {
            model: model.to_string(),
            mode,
            plan: None,
        }
    }

    /// The listener that a hub calls.
    fn listener(mut self) -> impl FnMut(Event<'_>) {
        move |event| self.show(event)
    }

    fn show(&mut self, event: Event<'_>) {
        if let Event::Plan { files, bytes } = event {
            self.plan = Some(Plan {
                progress: Progress::new(self.mode, Some(bytes)),
                files,
                bytes,
            });
        }
        let Some(Plan {
            progress,
            files,
            bytes,
        }) = &mut self.plan
        else {
            return;
        };
        let model = &self.model;
        match event {
            Event::Plan { .. } => progress.event(
                &format!("fetching {model}: files {files}, MB {}", megabytes(*bytes)),
                &json!({"event": "fetch", "model": model, "files": files, "bytes": bytes}),
            ),
            Event::Progress { file, done } => progress.update(done, || {
                vec![("file", Value::from(file)), ("MB", megabytes(done))]
            }),
            Event::Waiting { file } => progress.event(
                &format!("waiting for another process that downloads {file}"),
                &json!({"event": "wait", "file": file}),
            ),
            Event::Retry { file, reason } => progress.event(
                &format!("trying {file} again: {}", retry_reason(reason)),
                &json!({"event": "retry", "file": file, "reason": retry_reason(reason)}),
            ),
            _ => {}
        }
    }
}

fn retry_reason(reason: &str) -> &str {
    if reason.is_empty() {
        "the server ended early"
    } else {
        reason
    }
}

/// Millions of bytes to one decimal.
fn megabytes(bytes: u64) -> Value {
    Value::from((bytes as f64 / 1e5).round() / 10.0)
}
