//! The sequences that are asked for: texts with their tokens, or token ids.

use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vestnik_core::{OffsetMap, OffsetUnit};
use vestnik_model::ModelDir;
use vestnik_text::{ModelInput, Tokenizer};

use super::Args;
use crate::failure::Mistake;

/// One sequence, as it is read by the model and told in the answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct Sequence {
    /// Where it came from, for messages.
    #[serde(skip)]
    pub(super) source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tokens: Vec<String>,
    pub(super) ids: Vec<u32>,
    #[serde(skip)]
    pub(super) type_ids: Vec<u32>,
    #[serde(flatten)]
    pub(super) place: Option<Place>,
}

/// Where the tokens stand in their text.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    /// The text of a pair that each token is of, 0 or 1; null for special tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    texts: Option<Vec<Option<usize>>>,
    offset_unit: OffsetUnit,
    /// Start and end; 0 and 0 for special tokens.
    pub(super) offsets: Vec<(usize, usize)>,
}

#[derive(Debug, Deserialize)]
struct Texts {
    text: String,
    pair: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Ids {
    ids: Vec<u32>,
    type_ids: Option<Vec<u32>>,
}

/// Reads what the arguments name.
pub(super) fn read(args: &Args, dir: &ModelDir) -> Result<Vec<Sequence>> {
    if let Some(path) = &args.ids {
        let records = json_lines::<Ids>(path, r#"{"ids": […], "type_ids"?: […]}"#)?;
        return records.into_iter().map(from_ids).collect();
    }
    let tokenizer = dir.tokenizer()?;
    texts(args)?
        .into_iter()
        .map(|(source, texts)| from_texts(&tokenizer, source, &texts, args.offset_unit))
        .collect()
}

/// The texts and where they came from.
fn texts(args: &Args) -> Result<Vec<(String, Texts)>> {
    let Some(path) = &args.file else {
        let (text, pair) = (args.text.clone().unwrap_or_default(), args.pair.clone());
        return Ok(vec![("the text".to_owned(), Texts { text, pair })]);
    };
    if path.extension().is_some_and(|end| end == "jsonl") {
        return json_lines(path, r#"{"text": "…", "pair"?: "…"}"#);
    }
    let (text, pair) = (content(path)?, None);
    Ok(vec![(path.display().to_string(), Texts { text, pair })])
}

/// The records of a file, each with the line that it stands in.
fn json_lines<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<Vec<(String, T)>> {
    let content = content(path)?;
    let lines = content.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let source = format!("{}:{}", path.display(), number + 1);
            let record = parse(line).map_err(|problem| {
                Mistake::new(format!("{source}: expected {expected}: {problem}"))
            })?;
            Ok((source, record))
        })
        .collect()
}

/// The record of a line, or what is wrong with it.
fn parse<T: DeserializeOwned>(line: &str) -> std::result::Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        // The parser counts the lines of what it is given: always the first.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let problem = error.to_string().replace(&place, "");
        format!("{problem} (column {})", error.column())
    })
}

fn content(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn from_ids((source, record): (String, Ids)) -> Result<Sequence> {
    let Ids { ids, type_ids } = record;
    if ids.is_empty() {
        return Err(Mistake::new(format!("{source}: no ids")).into());
    }
    let type_ids = type_ids.unwrap_or_else(|| vec![0; ids.len()]);
    if type_ids.len() != ids.len() {
        let (n_ids, n_types) = (ids.len(), type_ids.len());
        let message = format!("{source}: {n_ids} ids, but {n_types} type_ids");
        return Err(Mistake::new(message).into());
    }
    Ok(Sequence {
        source,
        ids,
        type_ids,
        ..Sequence::default()
    })
}

fn from_texts(
    tokenizer: &Tokenizer,
    source: String,
    texts: &Texts,
    unit: OffsetUnit,
) -> Result<Sequence> {
    let input = tokenizer.encode_for_model(&texts.text, texts.pair.as_deref())?;
    if input.is_empty() {
        let message = format!("{source}: no tokens");
        return Err(Mistake::new(message).into());
    }
    let token = |&id| tokenizer.token(id).unwrap_or_default().to_owned();
    Ok(Sequence {
        source,
        tokens: input.ids.iter().map(token).collect(),
        place: Some(place(&input, texts, unit)),
        ids: input.ids,
        type_ids: input.type_ids,
    })
}

fn place(input: &ModelInput, texts: &Texts, unit: OffsetUnit) -> Place {
    let both = [&texts.text, texts.pair.as_ref().unwrap_or(&texts.text)];
    let maps = both.map(|text| OffsetMap::new(text, unit));
    let offset = |(text, &(start, end)): (&Option<usize>, &(usize, usize))| {
        let map = &maps[text.unwrap_or(0)];
        (map.from_byte(start), map.from_byte(end))
    };
    Place {
        texts: texts.pair.is_some().then(|| input.texts.clone()),
        offset_unit: unit,
        offsets: input.texts.iter().zip(&input.offsets).map(offset).collect(),
    }
}
