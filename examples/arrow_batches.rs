//! Arrow record batches in, record batches with a list column of entities out: `cargo run --release --example arrow_batches`.

use std::error::Error;
use std::sync::Arc;

use arrow_array::builder::{
    Float32Builder, ListBuilder, StringBuilder, StructBuilder, UInt64Builder,
};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use vestnik::{Entity, OffsetMap, OffsetUnit, Vestnik};

fn main() -> Result<(), Box<dyn Error>> {
    let vestnik = Vestnik::embedded()?;
    let texts = StringArray::from(vec![
        Some("Президентка Словаччини Зузана Чапутова приїхала до Києва."),
        None,
        Some("Ursula von der Leyen met Emmanuel Macron in Paris."),
    ]);
    let schema = Schema::new(vec![Field::new("text", DataType::Utf8, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(texts)])?;
    let tagged = with_entities(&vestnik, &batch)?;
    for row in 0..tagged.num_rows() {
        let entities = tagged.column(1).as_list::<i32>().value(row);
        print_line(row, entities.as_struct().column(2).as_string::<i32>());
    }
    Ok(())
}

/// The batch with a column `entities`: `list<struct<start, end, label, score>>`, offsets in code points.
fn with_entities(vestnik: &Vestnik, batch: &RecordBatch) -> Result<RecordBatch, Box<dyn Error>> {
    let column = batch.column_by_name("text").ok_or("no column \"text\"")?;
    let texts: Vec<&str> = column
        .as_string::<i32>()
        .iter()
        .map(Option::unwrap_or_default)
        .collect();
    let mut lists = ListBuilder::new(StructBuilder::new(
        entity_fields(),
        vec![
            Box::new(UInt64Builder::new()),
            Box::new(UInt64Builder::new()),
            Box::new(StringBuilder::new()),
            Box::new(Float32Builder::new()),
        ],
    ));
    for (text, analysis) in texts.iter().zip(vestnik.analyze_batch(&texts)?) {
        let map = OffsetMap::new(text, OffsetUnit::Char);
        analysis
            .entities
            .iter()
            .for_each(|entity| append(lists.values(), &map, entity));
        lists.append(true);
    }
    let entities: ArrayRef = Arc::new(lists.finish());
    let field = Field::new("entities", entities.data_type().clone(), true);
    let fields: Fields = batch
        .schema()
        .fields()
        .iter()
        .cloned()
        .chain([Arc::new(field)])
        .collect();
    let columns = batch.columns().iter().cloned().chain([entities]).collect();
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

fn entity_fields() -> Fields {
    Fields::from(vec![
        Field::new("start", DataType::UInt64, false),
        Field::new("end", DataType::UInt64, false),
        Field::new("label", DataType::Utf8, false),
        Field::new("score", DataType::Float32, true),
    ])
}

fn append(row: &mut StructBuilder, map: &OffsetMap<'_>, entity: &Entity) {
    let range = map.from_span(entity.span);
    for (column, offset) in [range.start, range.end].into_iter().enumerate() {
        if let Some(offsets) = row.field_builder::<UInt64Builder>(column) {
            offsets.append_value(offset as u64);
        }
    }
    if let Some(labels) = row.field_builder::<StringBuilder>(2) {
        labels.append_value(&entity.label);
    }
    if let Some(scores) = row.field_builder::<Float32Builder>(3) {
        scores.append_option(entity.score);
    }
    row.append(true);
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn print_line(row: usize, labels: &StringArray) {
    let labels: Vec<&str> = labels.iter().flatten().collect();
    println!("row {row}: {}", labels.join(" "));
}
