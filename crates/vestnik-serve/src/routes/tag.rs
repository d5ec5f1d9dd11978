//! `POST /v1/tag`: documents in, the same documents as `vestnik tag` writes them out.

use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use vestnik_core::OffsetUnit;
use vestnik_infer::{RecordWriter, Task, Vestnik};

use super::{json, read};
use crate::app::App;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::documents::{Documents, note_language};
use crate::engine::{Ask, Engine, Found};
use crate::fields::{Object, take_names, take_string};
use crate::lane::Answer;
use crate::models::Ability;
use crate::problem::{Kind, Problem};
use crate::targets;

/// Tags documents.
pub(super) async fn tag(
    State(app): State<App>,
    caller: Caller,
    JsonObject(mut request): JsonObject,
) -> Result<Response, Problem> {
    let model = take_string(&mut request, "model")?;
    let unit = take_unit(&mut request)?;
    let tasks = take_names(&mut request, "tasks")?;
    let lane = app.models.find(model.as_deref(), Ability::Tag)?;
    let tasks = chosen(tasks, &lane.engine())?;
    let mut documents = Documents::take(request, &app.config)?;
    let most = app.config.max_targets;
    let asks =
        documents.each(|text, record| targets::of(text, record, unit, most).map(Ask::Tag))?;
    let answers = read(&app, lane, &caller, documents.texts(), asks).await?;
    let begin = Instant::now();
    for (record, answer) in documents.records.iter_mut().zip(&answers) {
        add(record, answer, unit, &tasks)?;
        note_language(record, &app.config);
    }
    let response = json(&documents.into_value());
    lane.metrics().render(begin.elapsed());
    Ok(response)
}

/// Takes `offset_unit` out.
pub(super) fn take_unit(request: &mut Object) -> Result<OffsetUnit, Problem> {
    match take_string(request, "offset_unit")? {
        None => Ok(OffsetUnit::default()),
        Some(name) => name.parse().map_err(|_| {
            Problem::validation(format!(
                "\"offset_unit\" is {name:?}, expected char, byte or utf16"
            ))
        }),
    }
}

/// The tasks that were asked for, or all of the model.
fn chosen(asked: Option<Vec<String>>, engine: &Engine) -> Result<Vec<Task>, Problem> {
    let known = engine
        .tagger()
        .map(|vestnik| vestnik.tasks().to_vec())
        .unwrap_or_default();
    let Some(asked) = asked else {
        return Ok(known);
    };
    if asked.is_empty() {
        let known = engine.tasks().join(", ");
        return Err(Problem::validation(format!(
            "\"tasks\" is empty, the model has: {known}"
        )));
    }
    let each = asked.iter().map(|name| {
        let task = name.parse::<Task>();
        task.ok()
            .filter(|task| known.contains(task))
            .ok_or_else(|| {
                let known = engine.tasks().join(", ");
                Problem::validation(format!(
                    "the model has no head for the task {name:?}, it has: {known}"
                ))
            })
    });
    each.collect()
}

/// Adds what was found to a record.
pub(super) fn add(
    record: &mut Object,
    answer: &Answer,
    unit: OffsetUnit,
    tasks: &[Task],
) -> Result<(), Problem> {
    let text = match record.get("text") {
        Some(serde_json::Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (vestnik, found) = tagger(answer)?;
    RecordWriter::new(vestnik, unit)
        .with_tasks(tasks)
        .add(record, &text, found)
        .map_err(|error| Problem::from(&error))
}

/// The tagger and the analysis of an answer.
pub(super) fn tagger(answer: &Answer) -> Result<(&Vestnik, &vestnik_infer::Analysis), Problem> {
    match (answer.engine.tagger(), &answer.found) {
        (Some(vestnik), Found::Analysis(analysis)) => Ok((vestnik, analysis)),
        _ => Err(Problem::new(
            Kind::Backend,
            "the model is of another kind now",
        )),
    }
}
