//! Columns of values.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, StructArray,
    UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{Field, Fields};
use serde_json::Value;

use super::kinds::Kind;

/// The values of a column that has a kind for all of them; `None` and `null` are the same.
pub(super) fn array(kind: &Kind, values: &[Option<&Value>]) -> ArrayRef {
    let values: Vec<Option<&Value>> = values
        .iter()
        .map(|value| value.filter(|value| !value.is_null()))
        .collect();
    let each = || values.iter().copied();
    match kind {
        Kind::Bool => Arc::new(
            each()
                .map(|value| value.and_then(Value::as_bool))
                .collect::<BooleanArray>(),
        ),
        Kind::Int { .. } => Arc::new(
            each()
                .map(|value| value.and_then(Value::as_i64))
                .collect::<Int64Array>(),
        ),
        Kind::UInt => Arc::new(
            each()
                .map(|value| value.and_then(Value::as_u64))
                .collect::<UInt64Array>(),
        ),
        Kind::Float => Arc::new(
            each()
                .map(|value| value.and_then(Value::as_f64))
                .collect::<Float64Array>(),
        ),
        Kind::Text => Arc::new(
            each()
                .map(|value| value.and_then(Value::as_str))
                .collect::<StringArray>(),
        ),
        Kind::List(items) => list(items, &values),
        Kind::Struct(fields) if !fields.is_empty() => structure(fields, &values),
        Kind::Unknown | Kind::Json | Kind::Struct(_) => Arc::new(
            each()
                .map(|value| value.map(Value::to_string))
                .collect::<StringArray>(),
        ),
    }
}

fn nulls(values: &[Option<&Value>]) -> NullBuffer {
    values
        .iter()
        .map(Option::is_some)
        .collect::<Vec<bool>>()
        .into()
}

fn list(items: &Kind, values: &[Option<&Value>]) -> ArrayRef {
    let lists: Vec<&[Value]> = values
        .iter()
        .map(|value| {
            value
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice)
        })
        .collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.len()));
    let all: Vec<Option<&Value>> = lists.into_iter().flatten().map(Some).collect();
    let field = Field::new("element", items.data_type(), true);
    Arc::new(ListArray::new(
        field.into(),
        offsets,
        array(items, &all),
        Some(nulls(values)),
    ))
}

fn structure(fields: &[(String, Kind)], values: &[Option<&Value>]) -> ArrayRef {
    let columns = fields.iter().map(|(name, kind)| {
        let column: Vec<Option<&Value>> = values
            .iter()
            .map(|value| value.and_then(|value| value.get(name)))
            .collect();
        array(kind, &column)
    });
    let columns = columns.collect();
    let fields: Fields = fields
        .iter()
        .map(|(name, kind)| Field::new(name, kind.data_type(), true))
        .collect();
    Arc::new(StructArray::new(fields, columns, Some(nulls(values))))
}
