//! What the routes do with a body before a model sees it, for the fuzz target in `fuzz/`; built with `--cfg fuzzing` alone.

use vestnik_core::OffsetUnit;

use super::{classify, hugging_face, kserve, tag, text_embeddings_inference as tei};
use crate::body::parse;
use crate::config::Config;
use crate::documents::Documents;
use crate::fields::{
    Object, take_bool, take_list, take_names, take_object, take_score, take_string,
};
use crate::problem::Problem;
use crate::targets;

/// Reads a body as one of the routes does; gives the number of its texts.
///
/// # Errors
/// What a client would be told.
pub fn read_body(route: u8, is_compressed: bool, bytes: &[u8]) -> Result<usize, String> {
    let mut config = Config::default();
    // A bomb is one at this size too, and takes less time.
    config.max_body_bytes = 1 << 16;
    let read = parse(bytes, is_compressed, &config).and_then(|request| match route % 6 {
        0 => tag_body(request, &config),
        1 => classify_body(request, &config),
        2 => hugging_face_body(request, &config),
        3 => kserve_body(request),
        4 => tei_body(request, &config, tei::as_batch),
        _ => tei_body(request, &config, tei::as_list),
    });
    read.map_err(|problem| problem.error)
}

fn tag_body(mut request: Object, config: &Config) -> Result<usize, Problem> {
    take_string(&mut request, "model")?;
    let unit = tag::take_unit(&mut request)?;
    take_names(&mut request, "tasks")?;
    let documents = Documents::take(request, config)?;
    documents.each(|text, record| targets::of(text, record, unit, config.max_targets))?;
    let n_texts = documents.texts().len();
    documents.into_value().to_string();
    Ok(n_texts)
}

fn classify_body(mut request: Object, config: &Config) -> Result<usize, Problem> {
    take_string(&mut request, "model")?;
    take_score(&mut request, "min_score")?;
    let labels = classify::Labels::take(&mut request, config)?;
    let documents = Documents::take(request, config)?;
    Ok(documents.each(|_, record| labels.question(record))?.len())
}

fn hugging_face_body(mut request: Object, config: &Config) -> Result<usize, Problem> {
    let mut parameters = take_object(&mut request, "parameters")?;
    let (texts, _) = hugging_face::take_inputs(&mut request)?;
    hugging_face::take_question(&mut parameters, config)?;
    Ok(texts.len())
}

fn kserve_body(mut request: Object) -> Result<usize, Problem> {
    take_string(&mut request, "id")?;
    let mut parameters = take_object(&mut request, "parameters")?;
    let _: OffsetUnit = tag::take_unit(&mut parameters)?;
    let inputs = take_list(&mut request, "inputs")?.unwrap_or_default();
    Ok(kserve::texts_of(inputs)?.len())
}

fn tei_body(
    mut request: Object,
    config: &Config,
    of_list: fn(Vec<serde_json::Value>) -> Result<Vec<String>, Problem>,
) -> Result<usize, Problem> {
    take_bool(&mut request, "add_special_tokens")?;
    Ok(tei::take_inputs(&mut request, config, of_list)?.texts.len())
}
