//! The Open Inference Protocol, version 2, over HTTP (KServe, Triton and others): one input of texts, one output with a
//! JSON record for each.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json as object};
use vestnik_core::OffsetUnit;
use vestnik_infer::Task;

use super::tag::{add, take_unit};
use super::{json, read};
use crate::app::App;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::config::Config;
use crate::documents::{check_count, check_text, note_language};
use crate::engine::Ask;
use crate::fields::{Object, kind_of, missing, strings, take_list, take_object, take_string};
use crate::lane::Answer;
use crate::models::Ability;
use crate::problem::Problem;

/// Name of the input and of the output.
const INPUT: &str = "text";
const OUTPUT: &str = "record";

/// The server itself.
pub(super) async fn server() -> Response {
    json(&object!({"name": "vestnik", "version": env!("CARGO_PKG_VERSION"), "extensions": []}))
}

/// The process answers.
pub(super) async fn live() -> Response {
    json(&object!({"live": true}))
}

/// All models answer.
pub(super) async fn ready(State(app): State<App>) -> Response {
    if app.is_stopping() {
        return Problem::stopping().into_response();
    }
    json(&object!({"ready": true}))
}

/// One model answers.
pub(super) async fn model_ready(
    State(app): State<App>,
    Path(model): Path<String>,
) -> Result<Response, Problem> {
    let lane = app.models.find(Some(&model), Ability::Any)?;
    if app.is_stopping() {
        return Err(Problem::stopping());
    }
    Ok(json(&object!({"name": lane.name(), "ready": true})))
}

/// Inputs and outputs of a model.
pub(super) async fn model(
    State(app): State<App>,
    Path(model): Path<String>,
) -> Result<Response, Problem> {
    let lane = app.models.find(Some(&model), Ability::Tag)?;
    Ok(json(&object!({
        "name": lane.name(),
        "versions": ["1"],
        "platform": "vestnik",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": OUTPUT, "datatype": "BYTES", "shape": [-1]}],
    })))
}

/// Tags the texts of the input.
pub(super) async fn infer(
    State(app): State<App>,
    Path(model): Path<String>,
    caller: Caller,
    JsonObject(mut request): JsonObject,
) -> Result<Response, Problem> {
    let lane = app.models.find(Some(&model), Ability::Tag)?;
    let id = take_string(&mut request, "id")?;
    let mut parameters = take_object(&mut request, "parameters")?;
    let unit = take_unit(&mut parameters)?;
    let inputs = take_list(&mut request, "inputs")?.ok_or_else(|| missing("inputs"))?;
    let texts = texts_of(inputs)?;
    check_count(texts.len(), &app.config)?;
    texts
        .iter()
        .try_for_each(|text| check_text(text, &app.config))?;
    let asks = vec![Ask::Tag(vec![]); texts.len()];
    let answers = read(&app, lane, &caller, texts.clone(), asks).await?;
    let each = texts.into_iter().zip(&answers);
    let records = each.map(|(text, answer)| record(text, answer, unit, &app.config));
    Ok(json(&response(
        lane.name(),
        id,
        &records.collect::<Result<Vec<_>, _>>()?,
    )))
}

fn response(model: &str, id: Option<String>, records: &[Value]) -> Value {
    let mut response = Object::new();
    response.insert("model_name".to_owned(), model.into());
    response.insert("model_version".to_owned(), "1".into());
    if let Some(id) = id {
        response.insert("id".to_owned(), id.into());
    }
    let output = object!({
        "name": OUTPUT, "datatype": "BYTES", "shape": [records.len()], "data": records,
    });
    response.insert("outputs".to_owned(), Value::Array(vec![output]));
    response.into()
}

/// The tagged document as a string, since a tensor of bytes has no other form in JSON.
fn record(
    text: String,
    answer: &Answer,
    unit: OffsetUnit,
    config: &Config,
) -> Result<Value, Problem> {
    let mut record = Object::new();
    record.insert("text".to_owned(), text.into());
    add(&mut record, answer, unit, &Task::ALL)?;
    note_language(&mut record, config);
    Ok(Value::Object(record).to_string().into())
}

/// The texts of the only input.
pub(super) fn texts_of(inputs: Vec<Value>) -> Result<Vec<String>, Problem> {
    let [input] = <[Value; 1]>::try_from(inputs).map_err(|inputs| {
        Problem::validation(format!(
            "\"inputs\" has {} tensors, expected 1",
            inputs.len()
        ))
    })?;
    let Value::Object(mut input) = input else {
        let found = kind_of(&input);
        return Err(Problem::validation(format!(
            "inputs[0] is {found}, expected an object"
        )));
    };
    let name = take_string(&mut input, "name")?.ok_or_else(|| missing("name"))?;
    if name != INPUT {
        return Err(Problem::validation(format!(
            "the input is called {name:?}, expected {INPUT:?}"
        )));
    }
    let datatype = take_string(&mut input, "datatype")?.ok_or_else(|| missing("datatype"))?;
    if datatype != "BYTES" {
        return Err(Problem::validation(format!(
            "the input is {datatype}, expected BYTES"
        )));
    }
    let data = take_list(&mut input, "data")?.ok_or_else(|| missing("data"))?;
    let texts = strings(flat(data), "data")?;
    check_shape(take_list(&mut input, "shape")?.as_deref(), texts.len())?;
    Ok(texts)
}

/// Rows of a matrix are allowed to be lists of their own.
fn flat(data: Vec<Value>) -> Vec<Value> {
    let each = data.into_iter().map(|value| match value {
        Value::Array(values) => values,
        other => vec![other],
    });
    each.flatten().collect()
}

/// `[n]` or `[n, 1]`.
fn check_shape(shape: Option<&[Value]>, n_texts: usize) -> Result<(), Problem> {
    let shape = shape.ok_or_else(|| missing("shape"))?;
    let sizes: Option<Vec<u64>> = shape.iter().map(Value::as_u64).collect();
    let count = sizes.and_then(|sizes| sizes.into_iter().try_fold(1, u64::checked_mul));
    if count == Some(n_texts as u64) {
        return Ok(());
    }
    let shape = Value::Array(shape.to_vec());
    Err(Problem::validation(format!(
        "\"shape\" is {shape}, \"data\" has {n_texts} texts"
    )))
}
