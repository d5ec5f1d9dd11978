//! `POST /v1/classify`: documents in, the same documents as `vestnik classify` writes them out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use vestnik_infer::{ClassBasis, ClassWriter, Classified, HypothesisTemplate, ZeroShot};

use super::{json, read};
use crate::app::App;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::config::Config;
use crate::documents::{Documents, note_language};
use crate::engine::{Ask, Classification, Found};
use crate::fields::{Object, missing, take_bool, take_names, take_score, take_string};
use crate::lane::Answer;
use crate::models::Ability;
use crate::problem::{Kind, Problem};

/// Classifies documents by any labels.
pub(super) async fn classify(
    State(app): State<App>,
    caller: Caller,
    JsonObject(mut request): JsonObject,
) -> Result<Response, Problem> {
    let model = take_string(&mut request, "model")?;
    let min_score = take_score(&mut request, "min_score")?.unwrap_or_default();
    let labels = Labels::take(&mut request, &app.config)?;
    let lane = app.models.find(model.as_deref(), Ability::Classify)?;
    let mut documents = Documents::take(request, &app.config)?;
    let questions = documents.each(|_, record| labels.question(record))?;
    let asks = questions.iter().cloned().map(Ask::Classify).collect();
    let answers = read(&app, lane, &caller, documents.texts(), asks).await?;
    for ((record, answer), question) in documents.records.iter_mut().zip(&answers).zip(&questions) {
        let (zero_shot, classified) = classified(answer)?;
        let writer = ClassWriter {
            model: zero_shot.name(),
            basis: &ClassBasis::Template(question.template.to_string()),
            min_score,
        };
        writer
            .add(record, classified)
            .map_err(|error| Problem::from(&error))?;
        note_language(record, &app.config);
    }
    Ok(json(&documents.into_value()))
}

/// What is asked, before the language of a document is known.
pub(super) struct Labels {
    labels: Vec<String>,
    template: Option<HypothesisTemplate>,
    multi_label: bool,
}

impl Labels {
    pub(super) fn take(request: &mut Object, config: &Config) -> Result<Self, Problem> {
        let labels = take_names(request, "labels")?.ok_or_else(|| missing("labels"))?;
        check_labels(&labels, config)?;
        Ok(Self {
            labels,
            template: take_template(request, "template")?,
            multi_label: take_bool(request, "multi_label")?.unwrap_or_default(),
        })
    }

    /// Without a template of its own a request gets that of the document's language.
    pub(super) fn question(&self, record: &Object) -> Result<Arc<Classification>, Problem> {
        let lang = record.get("lang").and_then(Value::as_str);
        let template = self.template.clone();
        let template = template.unwrap_or_else(|| HypothesisTemplate::of_language(lang));
        Classification::new(self.labels.clone(), template, self.multi_label).map(Arc::new)
    }
}

/// A request may ask for so many labels.
pub(super) fn check_labels(labels: &[String], config: &Config) -> Result<(), Problem> {
    let (found, limit) = (labels.len(), config.max_labels);
    if found > limit {
        return Err(Problem::too_large(format!(
            "{found} labels, at most {limit} in a request"
        )));
    }
    Ok(())
}

/// Takes a template out.
pub(super) fn take_template(
    request: &mut Object,
    name: &str,
) -> Result<Option<HypothesisTemplate>, Problem> {
    let text = take_string(request, name)?;
    let template = text.map(|text| text.parse::<HypothesisTemplate>());
    template.transpose().map_err(|error| Problem::from(&error))
}

/// The classifier and the labels of an answer.
pub(super) fn classified(answer: &Answer) -> Result<(&ZeroShot, &Classified), Problem> {
    match (answer.engine.zero_shot(), &answer.found) {
        (Some(zero_shot), Found::Classified(classified)) => Ok((zero_shot, classified)),
        _ => Err(Problem::new(
            Kind::Backend,
            "the model is of another kind now",
        )),
    }
}
