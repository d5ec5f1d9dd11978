//! `POST /predict` and `POST /tokenize` as text-embeddings-inference has them.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json as object};
use vestnik_core::{OffsetMap, OffsetUnit};
use vestnik_infer::Token;

use super::tag::tagger;
use super::{json, read};
use crate::app::App;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::config::Config;
use crate::documents::{check_count, check_text};
use crate::engine::Ask;
use crate::fields::{Object, kind_of, missing, strings, take_bool};
use crate::lane::Answer;
use crate::models::Ability;
use crate::problem::{Kind, Problem};
use crate::routes::hugging_face::{entities, topics};

/// Inputs and whether they came in a list.
pub(super) struct Inputs {
    pub(super) texts: Vec<String>,
    are_many: bool,
}

/// What is found in each text, as labels with scores.
pub(super) async fn predict(
    State(app): State<App>,
    caller: Caller,
    JsonObject(mut request): JsonObject,
) -> Result<Response, Problem> {
    let inputs = take_inputs(&mut request, &app.config, as_batch)?;
    let lane = app.models.find(None, Ability::Tag)?;
    let asks = vec![Ask::Tag(vec![]); inputs.texts.len()];
    let answers = read(&app, lane, &caller, inputs.texts.clone(), asks).await?;
    let each = inputs.texts.iter().zip(&answers);
    let predictions = each.map(|(text, answer)| prediction(text, answer));
    Ok(json(&one_or_many(
        predictions.collect::<Result<_, _>>()?,
        inputs.are_many,
    )))
}

/// The topics of a text; of a model that knows none, its names.
fn prediction(text: &str, answer: &Answer) -> Result<Value, Problem> {
    let (vestnik, analysis) = tagger(answer)?;
    if vestnik.topics().is_some() {
        return Ok(topics(analysis));
    }
    let each = entities(text, &analysis.entities)?.into_iter();
    let labelled = each.map(|entity| {
        object!({
            "label": entity.label, "score": entity.score, "word": entity.word,
            "start": entity.start, "end": entity.end,
        })
    });
    Ok(labelled.collect())
}

/// The tokens of each text, as its model reads them.
pub(super) async fn tokenize(
    State(app): State<App>,
    caller: Caller,
    JsonObject(mut request): JsonObject,
) -> Result<Response, Problem> {
    let with_special = take_bool(&mut request, "add_special_tokens")?.unwrap_or(true);
    let inputs = take_inputs(&mut request, &app.config, as_list)?;
    let engine = app.models.find(None, Ability::Any)?.engine();
    let tokenized = tokio::task::spawn_blocking(move || {
        let each = inputs.texts.iter().map(|text| {
            let tokens = engine.tokens(text)?.into_iter();
            let kept = tokens.filter(|token| with_special || token.span.is_some());
            Ok(tokens_of(text, kept))
        });
        each.collect::<Result<Value, Problem>>()
    });
    let failed = |_| Problem::new(Kind::Backend, "the tokenizer failed on this text");
    let tokenized = caller.in_time(tokenized).await?;
    Ok(json(&tokenized.map_err(failed)??))
}

fn tokens_of(text: &str, tokens: impl Iterator<Item = Token>) -> Value {
    let map = OffsetMap::new(text, OffsetUnit::Char);
    let each = tokens.map(|token| match token.span {
        Some((start, end)) => object!({
            "id": token.id, "text": text.get(start..end).unwrap_or_default(), "special": false,
            "start": map.from_byte(start), "stop": map.from_byte(end),
        }),
        None => object!({
            "id": token.id, "text": token.piece, "special": true, "start": null, "stop": null,
        }),
    });
    each.collect()
}

/// Takes `inputs` out; a list of them is read by `of_list`.
pub(super) fn take_inputs(
    request: &mut Object,
    config: &Config,
    of_list: fn(Vec<Value>) -> Result<Vec<String>, Problem>,
) -> Result<Inputs, Problem> {
    let (texts, are_many) = match request.shift_remove("inputs") {
        Some(Value::String(text)) => (vec![text], false),
        Some(Value::Array(values)) => (of_list(values)?, true),
        Some(other) => {
            let found = kind_of(&other);
            let error = format!("\"inputs\" is {found}, expected a string or a list");
            return Err(Problem::validation(error));
        }
        None => return Err(missing("inputs")),
    };
    check_count(texts.len(), config)?;
    texts.iter().try_for_each(|text| check_text(text, config))?;
    Ok(Inputs { texts, are_many })
}

pub(super) fn as_list(values: Vec<Value>) -> Result<Vec<String>, Problem> {
    strings(values, "inputs")
}

/// A list of lists of one text each: two texts in one list are a pair there.
pub(super) fn as_batch(values: Vec<Value>) -> Result<Vec<String>, Problem> {
    let each = values.into_iter().enumerate().map(|(place, value)| match value {
        Value::Array(texts) if texts.len() == 1 => Ok(strings(texts, "inputs")?.remove(0)),
        _ => Err(Problem::validation(format!(
            "inputs[{place}] is no list of one text: many are [[\"…\"], [\"…\"]], and pairs are not read"
        ))),
    });
    each.collect()
}

fn one_or_many(mut values: Vec<Value>, are_many: bool) -> Value {
    match (are_many, values.pop()) {
        (false, Some(only)) => only,
        (_, last) => {
            values.extend(last);
            values.into()
        }
    }
}
