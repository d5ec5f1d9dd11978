//! `vestnik tag`: articles in, the same articles with their entities, topics and stances out.

use std::collections::BTreeMap;

use anyhow::Result;
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use vestnik_core::{OffsetMap, OffsetUnit, Span};
use vestnik_data::{Article, Problem};
use vestnik_infer::{Analysis, Portion, RecordWriter, Replicas, Request, Task, Vestnik};

use crate::Outcome;
use crate::articles::{self, ArticleArgs, Work};
use crate::model::{EntityArgs, ModelArgs, TaskOptions, parse_score};
use crate::output::note;
use crate::progress::Progress;

/// Arguments of `vestnik tag`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    articles: ArticleArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    entities: EntityArgs,
    /// What to tag, separated by commas: ner, topic, stance [default: all that the model can]. The stance is that towards
    /// each entity, and towards the article's own "targets" [{start, end}] where it has them
    #[arg(long, value_delimiter = ',', value_name = "TASK,…")]
    tasks: Option<Vec<Task>>,
    /// Least score of a topic, 0 to 1, in place of those that the model was calibrated with: an article none of whose
    /// topics has it gets the topic "other"
    #[arg(long, value_name = "X", value_parser = parse_score)]
    min_topic_score: Option<f64>,
    /// Add a "summary": each thing that is named once, with its number of mentions, the first one, and the mean stance
    #[arg(long)]
    summary: bool,
    /// Tag nothing: read, check, recognise languages and write, to see whether a dump is sound before a long run
    #[arg(long)]
    dry_run: bool,
    /// Unit of start and end: char (Unicode code points), byte (UTF-8) or utf16
    #[arg(long, default_value_t, value_name = "UNIT")]
    offset_unit: OffsetUnit,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<Outcome> {
    if args.dry_run {
        return articles::process(&args.articles, || Ok(DryRun));
    }
    articles::process(&args.articles, || {
        let tasks = TaskOptions {
            tasks: args.tasks,
            min_topic_score: args.min_topic_score,
        };
        let model = args.model.with_text_time(args.articles.max_time());
        let replicas = model.open_replicas(&args.entities, &tasks)?;
        Ok(Tagging {
            model,
            replicas,
            unit: args.offset_unit,
            summary: args.summary,
            tokens: 0,
            entities: 0,
        })
    })
}

/// No work at all.
struct DryRun;

impl Work for DryRun {
    fn identity(&self) -> Result<BTreeMap<String, Value>> {
        Ok(BTreeMap::new())
    }

    fn fields(&self) -> Vec<&'static str> {
        vec!["vestnik"]
    }

    fn begin(&self, _: &Article, _: &Progress) {}

    fn lines(&mut self, articles: &[Article]) -> Result<Vec<String>> {
        let made_by = json!({"version": env!("CARGO_PKG_VERSION"), "tasks": []});
        let added = || Map::from_iter([("vestnik".to_owned(), made_by.clone())]);
        Ok(articles
            .iter()
            .map(|article| articles::line(article, added()))
            .collect())
    }

    fn tokens(&self) -> u64 {
        0
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// The work and what it has done so far.
struct Tagging {
    model: ModelArgs,
    replicas: Replicas,
    unit: OffsetUnit,
    summary: bool,
    tokens: u64,
    entities: u64,
}

impl Tagging {
    fn does(&self, task: Task) -> bool {
        self.replicas.first().tasks().contains(&task)
    }

    /// The targets of an article, where stances are asked; without entities there must be some.
    fn targets(&self, article: &Article) -> Result<Vec<Span>, Problem> {
        if !self.does(Task::Stance) {
            return Ok(Vec::new());
        }
        match article.targets(self.unit)? {
            Some(targets) => Ok(targets),
            None if self.does(Task::Ner) => Ok(Vec::new()),
            None => Err(Problem::MissingField {
                field: "targets".to_owned(),
                present: article.fields.names().map(str::to_owned).collect(),
            }),
        }
    }

    fn writer(&self) -> RecordWriter<'_> {
        RecordWriter::new(self.replicas.first(), self.unit).with_summary(self.summary)
    }
}

/// Where several fields are read as one text, offsets count from the start of a name's own field, and that is named.
fn locate_in_fields(
    added: &mut Map<String, Value>,
    article: &Article,
    analysis: &Analysis,
    unit: OffsetUnit,
) {
    if article.parts.is_empty() {
        return;
    }
    let parts = article.parts.iter();
    let offsets: Vec<OffsetMap<'_>> = parts
        .map(|part| OffsetMap::new(&article.text[part.start..part.end], unit))
        .collect();
    let mentioned = analysis.summary(&article.text);
    let spans = [
        (
            "entities",
            "start",
            analysis.entities.iter().map(|entity| entity.span).collect(),
        ),
        (
            "summary",
            "first",
            mentioned
                .iter()
                .map(|mentioned| mentioned.first)
                .collect::<Vec<Span>>(),
        ),
    ];
    for (field, start, spans) in spans {
        let records = added.get_mut(field).and_then(Value::as_array_mut);
        for (record, span) in records.into_iter().flatten().zip(spans) {
            // A name that goes over the end of a field is cut there.
            let mut parts = article.parts.iter().zip(&offsets);
            let Some((part, offsets)) = parts.find(|(part, _)| span.start() < part.end) else {
                continue;
            };
            let (from, to) = (
                span.start().max(part.start),
                span.end().clamp(part.start, part.end),
            );
            record[start] = offsets.from_byte(from - part.start).into();
            if field == "entities" {
                record["end"] = offsets.from_byte(to - part.start).into();
                record["text"] = article.text[from..to].into();
            }
            record["field"] = part.field.as_str().into();
        }
    }
}

impl Work for Tagging {
    fn identity(&self) -> Result<BTreeMap<String, Value>> {
        self.model.identity(self.replicas.first().name())
    }

    fn fields(&self) -> Vec<&'static str> {
        self.writer().fields().chain(["vestnik"]).collect()
    }

    fn portion(&self) -> Portion {
        self.replicas.portion()
    }

    fn begin(&self, first: &Article, progress: &Progress) {
        self.model.tell_devices(&self.replicas);
        for field in self.writer().fields() {
            if first.fields.contains_key(field) {
                progress.note(&format!("note: the input's own \"{field}\" are replaced"));
            }
        }
    }

    fn refuse(&self, article: &Article) -> Option<Problem> {
        self.targets(article).err()
    }

    fn lines(&mut self, articles: &[Article]) -> Result<Vec<String>> {
        let targets: Vec<Vec<Span>> = articles
            .iter()
            .map(|article| Ok(self.targets(article)?))
            .collect::<Result<_>>()?;
        let requests: Vec<Request<'_>> = articles
            .iter()
            .zip(&targets)
            .map(|(article, targets)| Request::new(&article.text, targets))
            .collect();
        let batch_tokens: Vec<usize> = self.replicas.iter().map(Vestnik::batch_tokens).collect();
        let analyses = self.replicas.analyze_requests(&requests)?;
        for (vestnik, before) in self.replicas.iter().zip(batch_tokens) {
            let now = vestnik.batch_tokens();
            if now < before {
                note(&format!(
                    "note: the memory of the device does not hold batches of {before} tokens, going on with {now}"
                ));
            }
        }
        for analysis in &analyses {
            self.tokens += analysis.tokens as u64;
            self.entities += analysis.entities.len() as u64;
        }
        let writer = self.writer();
        let pairs = articles.par_iter().zip(&analyses);
        pairs
            .map(|(article, analysis)| {
                let mut added = article.fields.only("targets");
                writer.add(&mut added, &article.text, analysis)?;
                locate_in_fields(&mut added, article, analysis, self.unit);
                Ok(articles::line(article, added))
            })
            .collect()
    }

    fn tokens(&self) -> u64 {
        self.tokens
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![("entities", self.entities)]
    }
}
