//! Parquet from Parquet: the columns of the inputs as they are, types and all, with those of the results behind them.

use std::fs::File;
use std::io;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use serde_json::{Map, Value};

use super::Lines;
use super::arrays::array;
use super::kinds::{Kind, join_fields};
use super::line::{Line, parsed, written_path};
use super::table::{MADE_BY, TableFile, kinds};
use crate::error::{Error, Result};

/// Rows that are made at a time.
const ROWS: usize = 1024;

/// Writes the table, and says whether that could be done: all inputs must be Parquet files with the same columns.
pub(super) fn write(lines: Lines<'_>, path: &Path, inputs: &[PathBuf]) -> Result<bool> {
    let Some(schema) = common_schema(inputs) else {
        return Ok(false);
    };
    let added = added(lines, &schema)?;
    let mut lines: Peekable<Box<dyn Iterator<Item = Result<Line>>>> = {
        let lines: Box<dyn Iterator<Item = Result<Line>>> = Box::new(parsed(lines));
        lines.peekable()
    };
    let mut table: Option<TableFile> = None;
    for input in inputs {
        let failed = |error: parquet::errors::ParquetError| {
            Error::io("read", input, io::Error::other(error))
        };
        let mut row = 0;
        let reader = builder(input)
            .map_err(failed)?
            .with_batch_size(ROWS)
            .build()
            .map_err(failed)?;
        for batch in reader {
            let batch = batch.map_err(|error| Error::io("read", input, io::Error::other(error)))?;
            let (taken, records) = rows_of(&mut lines, input, row, batch.num_rows())?;
            row += batch.num_rows() as u64;
            let failed = |error| Error::io("write", path, io::Error::other(error));
            let kept = filter_record_batch(&batch, &BooleanArray::from(taken)).map_err(failed)?;
            let batch = with_results(&kept, &schema, &added, &records).map_err(failed)?;
            TableFile::add(&mut table, path, &batch)?;
        }
    }
    if let Some(line) = lines.next().transpose()? {
        let problem = format!(
            "no row of the inputs is that of {}:{}",
            line.path.display(),
            line.number
        );
        return Err(Error::io("write", path, io::Error::other(problem)));
    }
    match table {
        Some(table) => table.finish().map(|()| true),
        None => Ok(false),
    }
}

fn builder(path: &Path) -> parquet::errors::Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path)?;
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::load(&file, plain)?;
    let hinted = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    let schema = as_stored(hinted.schema(), plain.schema());
    let options = ArrowReaderOptions::new().with_schema(schema.into());
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
}

/// The columns with the types of Arrow that the file tells beside those of Parquet; but days that Arrow counts in
/// milliseconds stay days, and times keep the unit that they are stored in: other readers would not know them again.
fn as_stored(hinted: &Schema, plain: &Schema) -> Schema {
    let fields = hinted.fields().iter().zip(plain.fields());
    let fields = fields.map(|(field, plain)| {
        let stored = match (field.data_type(), plain.data_type()) {
            (DataType::Date64, DataType::Date32) => DataType::Date32,
            (DataType::Timestamp(_, zone), DataType::Timestamp(unit, _)) => {
                DataType::Timestamp(*unit, zone.clone())
            }
            _ => return field.clone(),
        };
        Arc::new(field.as_ref().clone().with_data_type(stored))
    });
    Schema::new_with_metadata(fields.collect::<Fields>(), hinted.metadata().clone())
}

/// The columns of all inputs.
fn common_schema(inputs: &[PathBuf]) -> Option<SchemaRef> {
    let mut schemas = inputs
        .iter()
        .map(|input| Some(builder(input).ok()?.schema().clone()));
    let first = schemas.next()??;
    schemas
        .all(|schema| schema.is_some_and(|schema| schema.fields() == first.fields()))
        .then_some(first)
}

/// The columns that the results need: those that the inputs have not, and those that were replaced.
fn added(lines: Lines<'_>, schema: &Schema) -> Result<Vec<(String, Kind)>> {
    let mut added = Vec::new();
    for line in parsed(lines) {
        added = join_fields(added, kinds(&results(&line?, schema)));
    }
    Ok(added)
}

/// The fields of a record that are results.
const RESULTS: [&str; 6] = [
    "entities", "topics", "targets", "summary", "classes", "vestnik",
];

fn results(line: &Line, schema: &Schema) -> Map<String, Value> {
    let is_result = |name: &str| RESULTS.contains(&name) || schema.index_of(name).is_err();
    let names = line.record.names().filter(|name| is_result(name));
    names
        .filter_map(|name| Some((name.to_owned(), line.record.get(name)?)))
        .collect()
}

/// Which of the next rows of an input have a line, and these lines.
fn rows_of(
    lines: &mut Peekable<Box<dyn Iterator<Item = Result<Line>> + '_>>,
    input: &Path,
    before: u64,
    n_rows: usize,
) -> Result<(Vec<bool>, Vec<Line>)> {
    let mut taken = vec![false; n_rows];
    let mut found = Vec::new();
    let input = PathBuf::from(written_path(input));
    let here = |line: &Result<Line>| match line {
        Ok(line) => {
            line.path == input && line.number > before && line.number <= before + n_rows as u64
        }
        Err(_) => true,
    };
    while let Some(line) = lines.next_if(here) {
        let line = line?;
        taken[(line.number - before - 1) as usize] = true;
        found.push(line);
    }
    Ok((taken, found))
}

fn with_results(
    batch: &RecordBatch,
    schema: &Schema,
    added: &[(String, Kind)],
    lines: &[Line],
) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let (mut fields, mut columns): (Vec<Arc<Field>>, Vec<ArrayRef>) = Default::default();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if !added.iter().any(|(name, _)| name == field.name()) {
            fields.push(field.clone());
            columns.push(column.clone());
        }
    }
    let records: Vec<Map<String, Value>> = lines.iter().map(|line| results(line, schema)).collect();
    for (name, kind) in added {
        let values: Vec<Option<&Value>> = records.iter().map(|record| record.get(name)).collect();
        fields.push(Field::new(name, kind.data_type(), true).into());
        columns.push(array(kind, &values));
    }
    let mut metadata = schema.metadata().clone();
    // It is written again.
    metadata.remove(MADE_BY);
    let schema = Schema::new_with_metadata(fields, metadata);
    RecordBatch::try_new(Arc::new(schema), columns)
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use arrow_schema::TimeUnit;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
    use parquet::file::properties::WriterProperties;

    use super::*;

    #[test]
    fn columns_keep_what_other_readers_know() {
        let schema = |date: DataType, unit: TimeUnit, zone: &str| {
            Schema::new(vec![
                Field::new("day", date, true),
                Field::new("time", DataType::Timestamp(unit, Some(zone.into())), true),
                Field::new("text", DataType::LargeUtf8, false),
            ])
        };
        let hinted = schema(DataType::Date64, TimeUnit::Second, "Europe/Sofia");
        let plain = schema(DataType::Date32, TimeUnit::Nanosecond, "UTC");
        let stored = schema(DataType::Date32, TimeUnit::Nanosecond, "Europe/Sofia");
        assert_eq!(as_stored(&hinted, &plain), stored);
        let plain = schema(DataType::Int64, TimeUnit::Second, "UTC");
        assert_eq!(as_stored(&hinted, &plain), hinted);
    }

    #[test]
    fn all_codecs_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["Sofia"; 500]));
        let rows = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        for (n, codec) in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::ZSTD(ZstdLevel::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
            Compression::BROTLI(BrotliLevel::default()),
        ]
        .into_iter()
        .enumerate()
        {
            let path = folder.path().join(format!("{n}.parquet"));
            let properties = WriterProperties::builder().set_compression(codec).build();
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
            writer.write(&rows).unwrap();
            writer.close().unwrap();
            let reader = builder(&path).unwrap().build().unwrap();
            let read: Vec<RecordBatch> = reader.map(std::result::Result::unwrap).collect();
            assert_eq!(read, std::slice::from_ref(&rows), "{codec}");
        }
    }
}
