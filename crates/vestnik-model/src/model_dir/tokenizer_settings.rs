//! `tokenizer_config.json` and `special_tokens_map.json`: what they say beyond `tokenizer.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vestnik_text::Tokenizer;

use crate::model_dir::read_optional;
use crate::{Error, Result};

const CONFIG: &str = "tokenizer_config.json";
const SPECIAL_TOKENS: &str = "special_tokens_map.json";

/// Keys whose tokens must be in the vocabulary.
const ROLES: [&str; 6] = [
    "cls_token",
    "sep_token",
    "pad_token",
    "bos_token",
    "eos_token",
    "unk_token",
];
/// Two special tokens and one of the text.
const SHORTEST: usize = 3;

/// The settings of a tokenizer that `tokenizer.json` does not hold.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenizerSettings {
    /// The longest sequence in tokens; `None` when there is no limit, which transformers writes as 1e30.
    pub(super) max_length: Option<usize>,
    /// Special tokens by their role, with the file that names them.
    tokens: BTreeMap<&'static str, (String, PathBuf)>,
}

impl TokenizerSettings {
    /// Reads both files, as far as they are there; `tokenizer_config.json` is the newer one and wins.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let mut settings = Self::default();
        for name in [SPECIAL_TOKENS, CONFIG] {
            let path = dir.join(name);
            if let Some(bytes) = read_optional(&path)? {
                settings.add(&parse(&bytes, &path)?, &path)?;
            }
        }
        Ok(settings)
    }

    fn add(&mut self, file: &Map<String, Value>, path: &Path) -> Result<()> {
        for role in ROLES {
            if let Some(token) = file.get(role).and_then(content) {
                self.tokens.insert(role, (token.to_owned(), path.into()));
            }
        }
        if let Some(value) = file
            .get("model_max_length")
            .filter(|value| !value.is_null())
        {
            self.max_length = max_length(value, path)?;
        }
        Ok(())
    }

    /// Whether `tokenizer` knows the special tokens, and uses them as they are meant.
    pub(super) fn check(&self, tokenizer: &Tokenizer) -> Result<()> {
        let special = tokenizer.special();
        for (role, (token, path)) in &self.tokens {
            let problem = |problem: String| Err(problem_at(path, problem));
            let Some(id) = tokenizer.id(token) else {
                return problem(format!(
                    "{role} is {token:?}, which tokenizer.json does not know; is it from another model?"
                ));
            };
            let used = match *role {
                "cls_token" => special.cls,
                "sep_token" => special.sep,
                "pad_token" => special.pad,
                _ => continue,
            };
            if used != id {
                let used = tokenizer.token(used).unwrap_or_default();
                return problem(format!(
                    "{role} is {token:?}, but the special token that is found in tokenizer.json is {used:?}"
                ));
            }
        }
        Ok(())
    }
}

fn parse(bytes: &[u8], path: &Path) -> Result<Map<String, Value>> {
    serde_json::from_slice(bytes)
        .map_err(|error| problem_at(path, format!("not a JSON object: {error}")))
}

/// A token is a string, or an object that has it as `content`.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

fn max_length(value: &Value, path: &Path) -> Result<Option<usize>> {
    let Some(length) = value.as_f64().filter(|length| *length >= SHORTEST as f64) else {
        return Err(problem_at(
            path,
            format!(
                "model_max_length is {value}, expected a number of tokens, at least {SHORTEST}"
            ),
        ));
    };
    Ok((length < u32::MAX.into()).then_some(length as usize))
}

fn problem_at(path: &Path, problem: String) -> Error {
    Error::Tokenizer {
        path: path.into(),
        problem,
    }
}
