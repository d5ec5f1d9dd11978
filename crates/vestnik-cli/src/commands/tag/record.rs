//! The output record: all fields of the input, then what was found and how it was made.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value, to_value};
use vestnik_core::{Entity, OffsetMap, OffsetUnit, Span, Stance, StanceLabel, Topic};
use vestnik_data::Article;
use vestnik_infer::{Aggregation, Analysis, MeanStance, Mentioned, Target, Task, Vestnik};

/// The field of the input with the targets, each of which gets a field of its own.
pub(super) const TARGETS: &str = "targets";

/// Makes output lines.
pub(crate) struct Writer<'a> {
    vestnik: &'a Vestnik,
    unit: OffsetUnit,
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

impl<'a> Writer<'a> {
    /// A writer for results of `vestnik`, with offsets in `unit`.
    pub(crate) fn new(vestnik: &'a Vestnik, unit: OffsetUnit, summary: bool) -> Self {
        Self {
            vestnik,
            unit,
            summary,
        }
    }

    fn does(&self, task: Task) -> bool {
        self.vestnik.tasks().contains(&task)
    }

    /// The fields that are written, replacing those of the input, but for `vestnik`.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static str> {
        let written = [
            ("entities", self.does(Task::Ner)),
            ("topics", self.does(Task::Topic)),
            ("summary", self.summary),
        ];
        written
            .into_iter()
            .filter_map(|(field, is_written)| is_written.then_some(field))
    }

    /// One line of JSON, without the line end.
    pub(crate) fn line(&self, article: Article, analysis: &Analysis) -> Result<String> {
        let mut fields: Map<String, Value> = article.fields;
        let place = Place::new(&article.text, self.unit);
        for field in self.fields() {
            let value = match field {
                "entities" => to_value(all(&analysis.entities, |e| place.entity(e))?)?,
                "topics" => to_value(analysis.topics.iter().map(topic).collect::<Vec<_>>())?,
                _ => {
                    let summary = analysis.summary(&article.text);
                    to_value(all(&summary, |m| place.mentioned(m))?)?
                }
            };
            fields.insert(field.to_owned(), value);
        }
        if let Some(Value::Array(targets)) = fields.get_mut(TARGETS) {
            add_stances(targets, &analysis.targets)?;
        }
        let provenance = self.provenance(analysis);
        fields.insert("vestnik".to_owned(), to_value(provenance)?);
        Ok(serde_json::to_string(&fields)?)
    }

    fn provenance(&self, analysis: &Analysis) -> Provenance<'_> {
        let aggregation = self.vestnik.ner().map(|ner| ner.aggregation());
        let unusual = aggregation.filter(|&aggregation| aggregation != Aggregation::default());
        Provenance {
            model: self.vestnik.name(),
            version: env!("CARGO_PKG_VERSION"),
            offset_unit: self.unit,
            tokens: analysis.tokens,
            windows: analysis.windows,
            tasks: self.vestnik.tasks(),
            aggregation: unusual.map(Aggregation::as_str),
        }
    }
}

/// A text, and how its places are counted.
struct Place<'t> {
    text: &'t str,
    map: OffsetMap<'t>,
}

impl<'t> Place<'t> {
    fn new(text: &'t str, unit: OffsetUnit) -> Self {
        Self {
            text,
            map: OffsetMap::new(text, unit),
        }
    }

    fn slice(&self, span: Span) -> Result<&'t str> {
        span.slice(self.text).context("a span outside of its text")
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
            stance: entity.stance.map(stance),
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
            stance: mentioned.stance.map(mean_stance),
        })
    }
}

fn all<'e, T, R>(items: &'e [T], record: impl Fn(&'e T) -> Result<R>) -> Result<Vec<R>> {
    items.iter().map(record).collect()
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
