//! Stretches of a document towards which the stance is asked: `"targets": [{"start", "end"}, …]`.

use serde_json::Value;
use vestnik_core::{OffsetMap, OffsetUnit, Span};

use crate::fields::{Object, kind_of};
use crate::problem::Problem;

/// The targets of a document, with offsets in `unit`; none where it has no such field, or `null`. More than `most` are refused:
/// each costs memory and time, however short the text is.
pub(crate) fn of(
    text: &str,
    record: &Object,
    unit: OffsetUnit,
    most: usize,
) -> Result<Vec<Span>, Problem> {
    let values = match record.get("targets") {
        None | Some(Value::Null) => return Ok(vec![]),
        Some(Value::Array(values)) => values,
        Some(other) => {
            let found = kind_of(other);
            let error = format!("\"targets\" is {found}, expected a list");
            return Err(Problem::validation(error));
        }
    };
    if values.len() > most {
        let found = values.len();
        return Err(Problem::too_large(format!(
            "{found} targets, at most {most} in a document"
        )));
    }
    let map = OffsetMap::new(text, unit);
    let each = values.iter().enumerate().map(|(place, value)| {
        target(&map, value).map_err(|problem| problem.at(format_args!("targets[{place}]")))
    });
    each.collect()
}

fn target(map: &OffsetMap<'_>, value: &Value) -> Result<Span, Problem> {
    let offset = |name: &str| {
        let offset = value.get(name).and_then(Value::as_u64);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        offset.ok_or_else(|| Problem::validation(format!("no whole number \"{name}\"")))
    };
    let span = map.to_span(offset("start")?, offset("end")?);
    span.map_err(|error| Problem::validation(error.to_string()))
}
