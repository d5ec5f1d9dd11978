//! `[[train]]` and `[[dev]]`: the corpora of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use vestnik_model::ProblemType;

use crate::config::heads::quoted;
use crate::config::{HeadConfig, MOST_WEIGHT, at_least, refused, within};
use crate::error::Result;

/// What stands before a label in a map when it is not known whether it holds.
pub const UNKNOWN: char = '?';

/// The task of corpora with entities.
pub const NER: &str = "ner";

/// A corpus of a run. Files are read by the caller; this crate gets documents and labelled texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// The file, or the folder where the format is one of folders.
    pub path: PathBuf,
    /// What it annotates: "ner" (default), or the task of one of the model's heads.
    #[serde(default = "ner", skip_serializing_if = "is_ner")]
    pub task: String,
    /// The name of its format, for the caller, which knows the formats. Default: the caller finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How often its windows are seen in an epoch: 0.5 is a random half (another one in each epoch), 2 is twice. Default 1.
    #[serde(default = "default_weight")]
    pub weight: f64,
    /// Only documents of these languages. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lang: Vec<String>,
    /// At most so many documents (of these languages), drawn by the seed of the run: see
    /// [`draw_documents`](crate::draw_documents). Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Only this part of the documents, such as "1/5": the first of five parts, cut by a hash of the texts. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// All documents but this part. Default: none is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_fold: Option<Fold>,
    /// For each label of the corpus the label of the head; others are left out, and texts without a label then. With a `?`
    /// before it, a label may hold as well: it is not known of the text. Default: the labels are those of the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<LabelMap>,
    /// The labels that the corpus says anything of, where any number of labels hold; whether others hold is unknown then, and
    /// not learnt. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Vec<String>>,
    /// At most so many windows of each text, from its beginning. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_windows: Option<usize>,
}

impl Dataset {
    /// Whether `fold` and `without_fold` leave a text in.
    #[must_use]
    pub fn takes(&self, text: &str) -> bool {
        self.fold.is_none_or(|fold| fold.holds(text))
            && !self.without_fold.is_some_and(|fold| fold.holds(text))
    }

    /// Whether it annotates entities.
    #[must_use]
    pub fn is_ner(&self) -> bool {
        self.task == NER
    }

    pub(super) fn check_train(&self, heads: &[HeadConfig]) -> Result<()> {
        within("train.weight", self.weight, 0.0..=MOST_WEIGHT)?;
        at_least("train.limit", self.limit.unwrap_or(1) as u64, 1)?;
        at_least("train.max_windows", self.max_windows.unwrap_or(1), 1)?;
        self.check_head(["train.task", "train.map", "train.known"], heads)?;
        self.check_folds(["train.fold", "train.without_fold"])
    }

    pub(super) fn check_dev(&self, heads: &[HeadConfig]) -> Result<()> {
        at_least("dev.limit", self.limit.unwrap_or(1) as u64, 1)?;
        if let Some(windows) = self.max_windows {
            let expected = "nothing: a text is measured whole";
            return Err(refused("dev.max_windows", &windows, expected));
        }
        self.check_head(["dev.task", "dev.map", "dev.known"], heads)?;
        self.check_folds(["dev.fold", "dev.without_fold"])
    }

    fn check_head(&self, keys: [&'static str; 3], heads: &[HeadConfig]) -> Result<()> {
        let [task, map, known] = keys;
        if self.is_ner() {
            return self.check_ner([map, known]);
        }
        let Some(head) = heads.iter().find(|head| head.task == self.task) else {
            let names = heads.iter().map(|head| head.task.as_str());
            let names: Vec<&str> = std::iter::once(NER).chain(names).collect();
            let expected = format!("one of {}, or a head in [[model.heads]]", names.join(", "));
            return Err(refused(task, &quoted(&self.task), expected));
        };
        if let Some(LabelMap::Table(table)) = &self.map {
            check_labels(map, table.values().flatten(), head)?;
        }
        let Some(labels) = &self.known else {
            return Ok(());
        };
        if head.problem_type == ProblemType::SingleLabel {
            let expected = "nothing where one label holds: the others do not";
            return Err(refused(known, &"set", expected));
        }
        check_labels(known, labels, head)
    }

    fn check_ner(&self, [map, known]: [&'static str; 2]) -> Result<()> {
        let expected = "nothing for entities";
        if self.map.is_some() {
            return Err(refused(map, &"set", expected));
        }
        if self.known.is_some() {
            let expected = "nothing for entities, whose documents say what is `annotated`";
            return Err(refused(known, &"set", expected));
        }
        match self.max_windows {
            None => Ok(()),
            Some(windows) => Err(refused("train.max_windows", &windows, expected)),
        }
    }

    fn check_folds(&self, keys: [&'static str; 2]) -> Result<()> {
        for (key, fold) in keys.into_iter().zip([self.fold, self.without_fold]) {
            if let Some(fold) = fold.filter(|fold| !fold.is_sound()) {
                let expected = "a part of several, such as \"1/5\"";
                return Err(refused(key, &fold, expected));
            }
        }
        Ok(())
    }
}

fn check_labels<'a>(
    key: &'static str,
    labels: impl IntoIterator<Item = &'a String>,
    head: &HeadConfig,
) -> Result<()> {
    let mut labels = labels.into_iter();
    match labels.find(|label| head.labels.id(label.trim_start_matches(UNKNOWN)).is_none()) {
        None => Ok(()),
        Some(label) => {
            let known: Vec<&str> = head.labels.iter().collect();
            let expected = format!("labels of the head {}: {}", head.task, known.join(", "));
            Err(refused(key, &quoted(label), expected))
        }
    }
}

/// One of several parts of a corpus, written "PART/PARTS", from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// Which part, from 1.
    pub part: u64,
    /// Number of parts.
    pub parts: u64,
}

impl Fold {
    /// Whether a text is in the part, by the first eight bytes of its SHA-256: the same text always is in the same one.
    #[must_use]
    pub fn holds(self, text: &str) -> bool {
        let hash = Sha256::digest(text);
        let number = hash[..8]
            .iter()
            .fold(0, |n, &byte| n << 8 | u64::from(byte));
        number % self.parts.max(1) == self.part.saturating_sub(1)
    }

    fn is_sound(self) -> bool {
        self.part >= 1 && self.part <= self.parts && self.parts > 1
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.parts)
    }
}

impl Serialize for Fold {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Fold {
    type Err = String;

    /// Reads "PART/PARTS".
    ///
    /// # Errors
    /// What the text is not, in one sentence.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| text.parse().ok();
        let fold = text.split_once('/').and_then(|(part, parts)| {
            Some(Self {
                part: number(part)?,
                parts: number(parts)?,
            })
        });
        fold.filter(|fold| fold.is_sound())
            .ok_or_else(|| format!("{text:?} is no part of several, such as \"1/5\""))
    }
}

impl<'de> Deserialize<'de> for Fold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// From the labels of a corpus to those of a head.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelMap {
    /// A TOML or JSON file with a table `map`, and perhaps a list `known`; see [`Dataset::known`].
    File(PathBuf),
    /// For each label of the corpus those of the head.
    Table(BTreeMap<String, Vec<String>>),
}

/// The file that a [`LabelMap`] names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelMapFile {
    /// As [`Dataset::known`].
    #[serde(default)]
    pub known: Option<Vec<String>>,
    /// For each label of the corpus those of the head.
    pub map: LabelMap,
}

impl LabelMapFile {
    /// Reads TOML, or JSON where the text begins with a brace.
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        match text.trim_start().starts_with('{') {
            true => serde_json::from_str(text).map_err(|error| error.to_string()),
            false => toml::from_str(text).map_err(|error: toml::de::Error| {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(1, |before| before.matches('\n').count() + 1);
                format!("line {line}: {}", error.message())
            }),
        }
    }
}

impl Serialize for LabelMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::File(path) => path.serialize(serializer),
            Self::Table(table) => table.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LabelMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(MapVisitor)
    }
}

struct MapVisitor;

impl<'de> Visitor<'de> for MapVisitor {
    type Value = LabelMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of labels, or the path of a TOML or JSON file with one")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> std::result::Result<Self::Value, E> {
        Ok(LabelMap::File(path.into()))
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut table = BTreeMap::new();
        while let Some((label, targets)) = map.next_entry::<String, Targets>()? {
            table.insert(label, targets.0);
        }
        Ok(LabelMap::Table(table))
    }
}

/// A label, or a list of labels.
struct Targets(Vec<String>);

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(TargetsVisitor)
    }
}

struct TargetsVisitor;

impl<'de> Visitor<'de> for TargetsVisitor {
    type Value = Targets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a label of the head, or a list of labels")
    }

    fn visit_str<E: de::Error>(self, label: &str) -> std::result::Result<Self::Value, E> {
        Ok(Targets(vec![label.to_owned()]))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut labels = Vec::new();
        while let Some(label) = list.next_element()? {
            labels.push(label);
        }
        Ok(Targets(labels))
    }
}

fn ner() -> String {
    NER.to_owned()
}

fn is_ner(task: &str) -> bool {
    task == NER
}

fn default_weight() -> f64 {
    1.0
}
