//! The shape of a tagged record: what `vestnik tag` writes and the server answers.

use serde::Serialize;
use serde_json::{Map, Value};
use vestnik_core::{Entity, OffsetMap, OffsetUnit, Span, Stance, StanceLabel, Topic};
use vestnik_text::Aggregation;

use crate::analysis::{Analysis, Target};
use crate::error::{Error, Result};
use crate::pipeline::NerPipeline;
use crate::summary::{MeanStance, Mentioned};
use crate::task::Task;
use crate::vestnik::Vestnik;
use crate::zero_shot::Classified;

/// The field of the input with the targets, each of which gets a field of its own.
const TARGETS: &str = "targets";

/// Adds what a model found in a text to the fields of its record.
///
/// ```json
/// {"entities": [{"start": 0, "end": 7, "text": "Франция", "label": "LOC", "score": 0.998,
///                "stance": {"label": "neutral", "score": 0.91}}],
///  "topics": [{"label": "politics", "score": 0.93}],
///  "vestnik": {"model": "vestnik-news", "version": "0.1.0", "offset_unit": "char", "tokens": 742, "windows": 2,
///              "tasks": ["ner", "topic", "stance"]}}
/// ```
///
/// `start` and `end` are offsets in the writer's unit, the end is exclusive. Scores have four decimals.
#[derive(Clone, Debug)]
pub struct RecordWriter<'a> {
    vestnik: &'a Vestnik,
    unit: OffsetUnit,
    tasks: Vec<Task>,
    summary: bool,
}

/// An entity as it is written.
#[derive(Serialize)]
struct EntityRecord<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stance: Option<StanceRecord>,
}

/// A stance as it is written.
#[derive(Serialize)]
struct StanceRecord {
    label: StanceLabel,
    score: f64,
}

/// A topic as it is written.
#[derive(Serialize)]
struct TopicRecord<'a> {
    label: &'a str,
    score: f64,
}

/// A thing that is named, as it is written.
#[derive(Serialize)]
struct MentionedRecord<'a> {
    text: &'a str,
    label: &'a str,
    mentions: usize,
    first: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    stance: Option<MeanStanceRecord>,
}

/// A mean stance as it is written.
#[derive(Serialize)]
struct MeanStanceRecord {
    mean: f64,
    against: usize,
    neutral: usize,
    favour: usize,
}

/// How the record was made.
#[derive(Serialize)]
struct Provenance<'a> {
    model: &'a str,
    version: &'a str,
    offset_unit: OffsetUnit,
    tokens: usize,
    windows: usize,
    tasks: &'a [Task],
    /// Only where it is not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregation: Option<&'static str>,
}

impl<'a> RecordWriter<'a> {
    /// A writer for results of `vestnik`, with offsets in `unit`.
    #[must_use]
    pub fn new(vestnik: &'a Vestnik, unit: OffsetUnit) -> Self {
        Self {
            vestnik,
            unit,
            tasks: vestnik.tasks().to_vec(),
            summary: false,
        }
    }

    /// Writes what some of the model's tasks found, and nothing of the others.
    #[must_use]
    pub fn with_tasks(mut self, tasks: &[Task]) -> Self {
        self.tasks.retain(|task| tasks.contains(task));
        self
    }

    /// Adds `summary`: each thing that is named once. Default: no.
    #[must_use]
    pub fn with_summary(mut self, summary: bool) -> Self {
        self.summary = summary;
        self
    }

    fn does(&self, task: Task) -> bool {
        self.tasks.contains(&task)
    }

    /// The fields that are written, replacing those of the input, but for `vestnik`.
    pub fn fields(&self) -> impl Iterator<Item = &'static str> {
        let written = [
            ("entities", self.does(Task::Ner)),
            ("topics", self.does(Task::Topic)),
            ("summary", self.summary),
        ];
        written
            .into_iter()
            .filter_map(|(field, is_written)| is_written.then_some(field))
    }

    /// Adds the fields and `vestnik` to the record with this text; each of the record's `targets` gets its `stance`,
    /// `null` where the model sees nothing there.
    ///
    /// # Errors
    /// [`Error::Core`] if the analysis is of another text, so that a span is outside of it.
    pub fn add(
        &self,
        fields: &mut Map<String, Value>,
        text: &str,
        analysis: &Analysis,
    ) -> Result<()> {
        let place = Place::new(text, self.unit, self.does(Task::Stance));
        for field in self.fields() {
            let value = match field {
                "entities" => all(&analysis.entities, |e| place.entity(e))?,
                "topics" => to_value(analysis.topics.iter().map(topic).collect::<Vec<_>>())?,
                _ => all(&analysis.summary(text), |m| place.mentioned(m))?,
            };
            fields.insert(field.to_owned(), value);
        }
        if let Some(Value::Array(targets)) = fields.get_mut(TARGETS)
            && self.does(Task::Stance)
        {
            add_stances(targets, &analysis.targets)?;
        }
        fields.insert("vestnik".to_owned(), to_value(self.provenance(analysis))?);
        Ok(())
    }

    fn provenance(&self, analysis: &Analysis) -> Provenance<'_> {
        let aggregation = self.vestnik.ner().map(NerPipeline::aggregation);
        let unusual = aggregation.filter(|&aggregation| aggregation != Aggregation::default());
        Provenance {
            model: self.vestnik.name(),
            version: env!("CARGO_PKG_VERSION"),
            offset_unit: self.unit,
            tokens: analysis.tokens,
            windows: analysis.windows,
            tasks: &self.tasks,
            aggregation: unusual.map(Aggregation::as_str),
        }
    }
}

/// A text, and how its places are counted.
struct Place<'t> {
    text: &'t str,
    map: OffsetMap<'t>,
    /// Whether stances are written.
    stances: bool,
}

impl<'t> Place<'t> {
    fn new(text: &'t str, unit: OffsetUnit, stances: bool) -> Self {
        Self {
            text,
            stances,
            map: OffsetMap::new(text, unit),
        }
    }

    fn slice(&self, span: Span) -> Result<&'t str> {
        Ok(span.slice(self.text)?)
    }

    fn entity<'e>(&self, entity: &'e Entity) -> Result<EntityRecord<'e>>
    where
        't: 'e,
    {
        let range = self.map.from_span(entity.span);
        Ok(EntityRecord {
            start: range.start,
            end: range.end,
            text: self.slice(entity.span)?,
            label: &entity.label,
            score: entity.score.map(rounded),
            stance: entity.stance.filter(|_| self.stances).map(stance),
        })
    }

    fn mentioned<'e>(&self, mentioned: &'e Mentioned) -> Result<MentionedRecord<'e>>
    where
        't: 'e,
    {
        Ok(MentionedRecord {
            text: self.slice(mentioned.first)?,
            label: &mentioned.label,
            mentions: mentioned.mentions,
            first: self.map.from_span(mentioned.first).start,
            stance: mentioned.stance.filter(|_| self.stances).map(mean_stance),
        })
    }
}

fn all<'e, T, R: Serialize>(items: &'e [T], record: impl Fn(&'e T) -> Result<R>) -> Result<Value> {
    let records: Vec<R> = items.iter().map(record).collect::<Result<_>>()?;
    to_value(records)
}

fn to_value(record: impl Serialize) -> Result<Value> {
    serde_json::to_value(record).map_err(|source| Error::Record { source })
}

/// Notes in the field `vestnik` of a record the language that its text was recognised in
/// ([`recognise_language`](crate::recognise_language)); for records that say none themselves.
pub fn add_language(fields: &mut Map<String, Value>, lang: &str) {
    if let Some(Value::Object(provenance)) = fields.get_mut("vestnik") {
        provenance.insert("lang".to_owned(), lang.into());
    }
}

/// What an answer to the question which label holds rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ClassBasis {
    /// The sentence that labels were put into.
    Template(String),
    /// Number of examples.
    Examples(usize),
}

/// Adds the probabilities of labels to the fields of a record.
///
/// ```json
/// {"classes": [{"label": "sport", "score": 0.8731}],
///  "vestnik": {"model": "nli", "version": "0.1.0", "tokens": 742, "windows": 2, "tasks": ["classify"],
///              "template": "This text is about {}."}}
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClassWriter<'a> {
    /// Name of the model that classified.
    pub model: &'a str,
    /// What the answer rests on.
    pub basis: &'a ClassBasis,
    /// Labels with a lower score are left out.
    pub min_score: f64,
}

/// How classes were found.
#[derive(Serialize)]
struct ClassProvenance<'a> {
    model: &'a str,
    version: &'a str,
    tokens: usize,
    windows: usize,
    tasks: [&'a str; 1],
    #[serde(flatten)]
    basis: &'a ClassBasis,
}

impl ClassWriter<'_> {
    /// Adds `classes` and `vestnik`, replacing fields of these names; the answer is how many labels were kept.
    ///
    /// # Errors
    /// None in practice: every record can be written.
    pub fn add(&self, fields: &mut Map<String, Value>, classified: &Classified) -> Result<usize> {
        let records = classified.labels.iter().map(|(label, score)| TopicRecord {
            label,
            score: rounded(*score),
        });
        let kept: Vec<TopicRecord<'_>> = records
            .filter(|record| record.score >= self.min_score)
            .collect();
        let n_kept = kept.len();
        let provenance = ClassProvenance {
            model: self.model,
            version: env!("CARGO_PKG_VERSION"),
            tokens: classified.tokens,
            windows: classified.windows,
            tasks: ["classify"],
            basis: self.basis,
        };
        fields.insert("classes".to_owned(), to_value(kept)?);
        fields.insert("vestnik".to_owned(), to_value(provenance)?);
        Ok(n_kept)
    }
}

fn topic(topic: &Topic) -> TopicRecord<'_> {
    TopicRecord {
        label: &topic.label,
        score: rounded(topic.score),
    }
}

fn stance(stance: Stance) -> StanceRecord {
    StanceRecord {
        label: stance.label,
        score: rounded(stance.score),
    }
}

fn mean_stance(stance: MeanStance) -> MeanStanceRecord {
    MeanStanceRecord {
        mean: four_decimals(stance.mean),
        against: stance.against,
        neutral: stance.neutral,
        favour: stance.favour,
    }
}

/// Gives each target of the record its stance; `null` where the model sees nothing there.
fn add_stances(targets: &mut [Value], found: &[Target]) -> Result<()> {
    for (target, found) in targets.iter_mut().zip(found) {
        if let Value::Object(target) = target {
            target.insert("stance".to_owned(), to_value(found.stance.map(stance))?);
        }
    }
    Ok(())
}

fn rounded(score: f32) -> f64 {
    four_decimals(f64::from(score))
}

/// More is noise, and outputs of different machines stay comparable.
fn four_decimals(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
