//! `POST /` and `POST /models/{model}` as the inference API of Hugging Face has them: `{"inputs", "parameters"}` in, what
//! the pipelines of transformers give out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json as object};
use vestnik_core::{Entity, OffsetMap, OffsetUnit};
use vestnik_infer::{Aggregation, Analysis, HypothesisTemplate, NerPipeline, Vestnik};

use super::classify::{check_labels, classified, take_template};
use super::tag::tagger;
use super::{json, read};
use crate::app::App;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::config::Config;
use crate::documents::{check_count, check_text};
use crate::engine::{Ask, Classification};
use crate::fields::{
    Object, kind_of, missing, strings, take_bool, take_names, take_object, take_string,
};
use crate::lane::{Answer, Lane};
use crate::models::Ability;
use crate::problem::Problem;

/// With the first model that is able to.
pub(super) async fn infer(
    State(app): State<App>,
    caller: Caller,
    JsonObject(request): JsonObject,
) -> Result<Response, Problem> {
    answer(&app, &caller, None, request).await
}

/// With the model of this name.
pub(super) async fn infer_with(
    State(app): State<App>,
    Path(model): Path<String>,
    caller: Caller,
    JsonObject(request): JsonObject,
) -> Result<Response, Problem> {
    answer(&app, &caller, Some(&model), request).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    model: Option<&str>,
    mut request: Object,
) -> Result<Response, Problem> {
    let mut parameters = take_object(&mut request, "parameters")?;
    let (texts, are_many) = take_inputs(&mut request)?;
    check_count(texts.len(), &app.config)?;
    texts
        .iter()
        .try_for_each(|text| check_text(text, &app.config))?;
    let answers = match take_question(&mut parameters, &app.config)? {
        Some(question) => zero_shot(app, caller, model, question, texts).await?,
        None => tag(app, caller, model, parameters, texts).await?,
    };
    let mut answers = answers;
    Ok(json(&match (are_many, answers.pop()) {
        (false, Some(only)) => only,
        (_, last) => answers.into_iter().chain(last).collect(),
    }))
}

/// A text, or a list of them.
pub(super) fn take_inputs(request: &mut Object) -> Result<(Vec<String>, bool), Problem> {
    match request.shift_remove("inputs") {
        Some(Value::String(text)) => Ok((vec![text], false)),
        Some(Value::Array(values)) => Ok((strings(values, "inputs")?, true)),
        None => Err(missing("inputs")),
        Some(other) => {
            let found = kind_of(&other);
            Err(Problem::validation(format!(
                "\"inputs\" is {found}, expected a string or a list"
            )))
        }
    }
}

async fn tag(
    app: &App,
    caller: &Caller,
    model: Option<&str>,
    mut parameters: Object,
    texts: Vec<String>,
) -> Result<Vec<Value>, Problem> {
    let lane = app.models.find(model, Ability::Tag)?;
    check_strategy(
        take_string(&mut parameters, "aggregation_strategy")?.as_deref(),
        lane,
    )?;
    let asks = vec![Ask::Tag(vec![]); texts.len()];
    let answers = read(app, lane, caller, texts.clone(), asks).await?;
    texts
        .iter()
        .zip(&answers)
        .map(|(text, answer)| groups(text, answer))
        .collect()
}

/// Grouping is a setting of the server: a request may ask for grouped names where names are grouped.
fn check_strategy(asked: Option<&str>, lane: &Lane) -> Result<(), Problem> {
    let asked = match asked.map(str::parse::<Aggregation>) {
        None => return Ok(()),
        Some(Ok(asked)) => asked,
        Some(Err(error)) => return Err(Problem::validation(error.to_string())),
    };
    let engine = lane.engine();
    let served = engine.tagger().map(grouping).unwrap_or_default();
    if (asked == Aggregation::None) == (served == Aggregation::None) {
        return Ok(());
    }
    Err(Problem::validation(format!(
        "\"aggregation_strategy\" is {:?}, the server groups by {}",
        asked.as_str(),
        served.as_str()
    )))
}

fn grouping(vestnik: &Vestnik) -> Aggregation {
    vestnik
        .ner()
        .map(NerPipeline::aggregation)
        .unwrap_or_default()
}

/// The names of a text as the token-classification pipeline writes them; of a model that finds none, its topics as the
/// text-classification pipeline does.
fn groups(text: &str, answer: &Answer) -> Result<Value, Problem> {
    let (vestnik, analysis) = tagger(answer)?;
    if vestnik.ner().is_none() {
        return Ok(topics(analysis));
    }
    let label = match grouping(vestnik) {
        Aggregation::None => "entity",
        _ => "entity_group",
    };
    let each = entities(text, &analysis.entities)?.into_iter();
    let groups = each.map(|entity| {
        object!({
            label: entity.label, "score": entity.score, "word": entity.word,
            "start": entity.start, "end": entity.end,
        })
    });
    Ok(groups.collect())
}

/// The topics of a text, most probable first.
pub(super) fn topics(analysis: &Analysis) -> Value {
    let each = analysis.topics.iter();
    each.map(|topic| object!({"label": topic.label, "score": topic.score}))
        .collect()
}

/// A name as other servers and pipelines write it; offsets count code points.
pub(super) struct EntityGroup<'a> {
    pub(super) label: &'a str,
    pub(super) score: Option<f32>,
    pub(super) word: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The names of a text.
pub(super) fn entities<'a>(
    text: &'a str,
    entities: &'a [Entity],
) -> Result<Vec<EntityGroup<'a>>, Problem> {
    let map = OffsetMap::new(text, OffsetUnit::Char);
    let each = entities.iter().map(|entity| {
        let range = map.from_span(entity.span);
        let word = entity.span.slice(text);
        Ok(EntityGroup {
            label: &entity.label,
            score: entity.score,
            word: word.map_err(|error| Problem::from(&vestnik_infer::Error::from(error)))?,
            start: range.start,
            end: range.end,
        })
    });
    each.collect()
}

/// The question of a request for zero-shot classification; `None` for another one.
pub(super) fn take_question(
    parameters: &mut Object,
    config: &Config,
) -> Result<Option<Classification>, Problem> {
    let Some(labels) = take_names(parameters, "candidate_labels")? else {
        return Ok(None);
    };
    check_labels(&labels, config)?;
    let template = take_template(parameters, "hypothesis_template")?;
    let template = template.unwrap_or_else(HypothesisTemplate::default);
    let multi_label = take_bool(parameters, "multi_label")?.unwrap_or_default();
    Classification::new(labels, template, multi_label).map(Some)
}

async fn zero_shot(
    app: &App,
    caller: &Caller,
    model: Option<&str>,
    question: Classification,
    texts: Vec<String>,
) -> Result<Vec<Value>, Problem> {
    let question = Arc::new(question);
    let lane = app.models.find(model, Ability::Classify)?;
    let asks = vec![Ask::Classify(question); texts.len()];
    let answers = read(app, lane, caller, texts.clone(), asks).await?;
    texts
        .iter()
        .zip(&answers)
        .map(|(text, answer)| sequence(text, answer))
        .collect()
}

/// The labels of a text as the zero-shot pipeline writes them.
fn sequence(text: &str, answer: &Answer) -> Result<Value, Problem> {
    let (_, classified) = classified(answer)?;
    let (labels, scores): (Vec<&str>, Vec<f32>) = classified
        .labels
        .iter()
        .map(|(label, score)| (label.as_str(), *score))
        .unzip();
    Ok(object!({"sequence": text, "labels": labels, "scores": scores}))
}
