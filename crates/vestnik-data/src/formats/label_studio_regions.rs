//! The annotations of a task of Label Studio: whose to read, and its regions as entities.

use serde_json::{Map, Value};
use vestnik_core::{Entity, OffsetUnit};

use crate::fields::{Fields, Problems};
use crate::loss::LossKind;
use crate::problem::Problem;
use crate::spans::AnnotatedText;

/// The entities of a text, and what a document cannot hold.
#[derive(Default)]
pub(super) struct Regions {
    pub(super) entities: Vec<Entity>,
    pub(super) losses: Vec<LossKind>,
}

/// The annotation to read: the first one that was not cancelled, or the annotator's; `None` when there is none.
pub(super) fn chosen<'a>(
    task: &Fields<'a>,
    annotator: Option<&str>,
    losses: &mut Vec<LossKind>,
) -> Result<Option<Fields<'a>>, Problem> {
    let field = if task.has("annotations") || !task.has("completions") {
        "annotations"
    } else {
        "completions"
    };
    for unread in ["predictions", "drafts"] {
        let items = task.value(unread).and_then(Value::as_array);
        if items.is_some_and(|items| !items.is_empty()) {
            lose(losses, &format!("{unread} are not read"));
        }
    }
    let mut chosen = None;
    for annotation in task.objects(field)? {
        let annotation = annotation?;
        if annotation.value("was_cancelled") == Some(&Value::Bool(true)) {
            lose(losses, "cancelled annotations are not read");
            continue;
        }
        let name = annotator_of(annotation.value("completed_by"));
        let fits = annotator.is_none_or(|wanted| name == wanted);
        if fits && chosen.is_none() {
            chosen = Some(annotation);
        } else {
            losses.push(LossKind::Annotator(name));
        }
    }
    Ok(chosen)
}

/// A number, or an object with `email` and `id`.
pub(super) fn annotator_of(completed_by: Option<&Value>) -> String {
    match completed_by {
        Some(Value::Number(id)) => id.to_string(),
        Some(Value::String(name)) => name.clone(),
        Some(Value::Object(user)) => match (user.get("email"), user.get("id")) {
            (Some(Value::String(email)), _) => email.clone(),
            (_, Some(id)) => id.to_string(),
            _ => "unknown".to_owned(),
        },
        _ => "unknown".to_owned(),
    }
}

/// Where the regions of an annotation stand.
pub(super) enum Place<'a> {
    /// In `result` of an annotation, each with its type.
    Result(Fields<'a>),
    /// In fields of the task itself, each a list of regions, as in the export "JSON-MIN".
    Task(&'a Fields<'a>, Vec<String>),
}

/// The regions of an annotation. Without a unit, offsets count UTF-16 units, as browsers do, unless the texts that the
/// regions quote fit code points only.
pub(super) fn regions(
    place: &Place<'_>,
    text: &str,
    unit: Option<OffsetUnit>,
    problems: &mut Problems,
) -> Option<Regions> {
    let utf16 = unit.unwrap_or(OffsetUnit::Utf16);
    let mut found = Problems::default();
    let regions = place.regions(&AnnotatedText::new(text, utf16), &mut found);
    if unit.is_none() && !found.is_empty() {
        let mut others = Problems::default();
        let chars = AnnotatedText::new(text, OffsetUnit::Char);
        let regions = place.regions(&chars, &mut others);
        if others.is_empty() {
            return regions;
        }
    }
    problems.extend(found);
    regions
}

impl Place<'_> {
    fn regions(&self, text: &AnnotatedText<'_>, problems: &mut Problems) -> Option<Regions> {
        let (task, fields) = match self {
            Self::Result(annotation) => return regions_in(annotation, text, problems),
            Self::Task(task, fields) => (task, fields),
        };
        let mut regions = Regions::default();
        for field in fields {
            for value in problems.keep(task.objects(field))? {
                if let Some(value) = problems.keep(value) {
                    add_value(&value, text, &mut regions, problems);
                }
            }
        }
        Some(regions)
    }
}

/// The fields of a task that are lists of regions.
pub(super) fn region_fields(task: &Map<String, Value>) -> Vec<String> {
    let is_region = |item: &Value| item.get("start").is_some() && item.get("labels").is_some();
    let lists = task.iter().filter(|(_, value)| {
        let items = value.as_array();
        items.is_some_and(|items| !items.is_empty() && items.iter().all(is_region))
    });
    lists.map(|(name, _)| name.clone()).collect()
}

fn regions_in(
    annotation: &Fields<'_>,
    text: &AnnotatedText<'_>,
    problems: &mut Problems,
) -> Option<Regions> {
    let mut regions = Regions::default();
    for item in problems.keep(annotation.objects("result"))? {
        let Some(item) = problems.keep(item) else {
            continue;
        };
        let kind = problems.keep(item.optional_string("type")).flatten();
        match kind.as_deref() {
            Some("labels") => add_region(&item, text, &mut regions, problems),
            Some("relation") => regions.lose("relations are not read"),
            Some(kind @ ("hypertextlabels" | "paragraphlabels")) => {
                let field = item.path_of("type");
                let found = kind.to_owned();
                problems.keep::<()>(Err(Problem::RegionKind { field, found }));
            }
            Some(kind) => regions.lose(&format!("results of the type {kind:?} are not read")),
            None => {
                problems.keep(item.string("type"));
            }
        }
    }
    Some(regions)
}

impl Regions {
    fn lose(&mut self, what: &str) {
        lose(&mut self.losses, what);
    }
}

fn lose(losses: &mut Vec<LossKind>, what: &str) {
    losses.push(LossKind::Annotation(what.to_owned()));
}

fn add_region(
    item: &Fields<'_>,
    text: &AnnotatedText<'_>,
    regions: &mut Regions,
    problems: &mut Problems,
) {
    if let Some(value) = problems.keep(item.object("value")) {
        add_value(&value, text, regions, problems);
    }
}

/// A region with several labels is several entities.
fn add_value(
    value: &Fields<'_>,
    text: &AnnotatedText<'_>,
    regions: &mut Regions,
    problems: &mut Problems,
) {
    let labels = problems.keep(value.labels("labels"));
    let span = text.span(value, problems);
    let quote = problems.keep(value.optional_string("text")).flatten();
    let (Some(labels), Some(span)) = (labels, span) else {
        return;
    };
    // Label Studio may shorten or trim what it quotes, but not with other words.
    let quote = quote.filter(|quote| {
        !text
            .slice(span)
            .split_whitespace()
            .eq(quote.split_whitespace())
    });
    problems.keep(text.check_quote(value.path(), span, quote));
    let entities = labels.into_iter().map(|label| Entity::new(span, label));
    regions.entities.extend(entities);
}
