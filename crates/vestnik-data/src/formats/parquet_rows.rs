//! Rows of a Parquet file as records, a batch at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use serde_json::{Map, Value};

use super::vestnik::shortest;
use crate::error::{Error, Result};
use crate::issue::Issue;
use crate::problem::Problem;
use crate::records::Record;

/// Rows that are decoded at a time; with the pages of their columns they bound the memory.
const BATCH_ROWS: usize = 256;

/// Columns in which pandas keeps its index.
const PANDAS_INDEX: &str = "__index_level_";

/// Iterates over the rows of a file; the line of a record is the number of its row, from 1.
pub(crate) struct Rows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    batch: Option<(RecordBatch, usize)>,
    row: u64,
    failed: bool,
    /// What `datasets` and others wrote into the file, by key.
    pub(super) metadata: Vec<(String, String)>,
    /// The columns that are read.
    pub(super) columns: Vec<String>,
    /// Columns of types that no JSON value stands for, such as images.
    pub(super) skipped: Vec<String>,
}

impl Rows {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsFolder`], [`Error::Io`]; [`Error::Input`] for what is no Parquet file, or an
    /// empty one.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let path = path.to_path_buf();
            return Err(Error::IsFolder { path });
        }
        let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
        Self::new(path, file, is_json).map_err(|problem| Issue::of_file(path, problem).into())
    }

    /// Opens a file of articles: dates, times, decimal numbers and bytes are read as well, as text.
    pub(crate) fn of_articles(path: &Path, file: File) -> std::result::Result<Self, Problem> {
        Self::new(path, file, is_shown)
    }

    fn new(
        path: &Path,
        file: File,
        is_read: fn(&DataType) -> bool,
    ) -> std::result::Result<Self, Problem> {
        // Without the types that Arrow has beside those of Parquet, strings and lists are of one kind each.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let failed = |error| damaged(&error);
        let builder =
            guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(file, options));
        let builder = builder.map_err(failed)?;
        let (kept, skipped) = columns(builder.schema(), is_read);
        let metadata = builder.metadata().file_metadata().key_value_metadata();
        let metadata = metadata.into_iter().flatten();
        let metadata = metadata
            .filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)))
            .collect();
        let names = kept.iter().map(|&index| builder.schema().field(index));
        let columns = names.map(|field| field.name().clone()).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), kept);
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        Ok(Self {
            path: path.to_path_buf(),
            reader: guarded(|| reader.build()).map_err(failed)?,
            batch: None,
            row: 0,
            failed: false,
            metadata,
            columns,
            skipped,
        })
    }

    fn next_batch(&mut self) -> Option<std::result::Result<RecordBatch, Issue>> {
        let reader = &mut self.reader;
        let batch = guarded(|| Ok(reader.next().transpose()?)).transpose()?;
        Some(batch.map_err(|error| {
            self.failed = true;
            Issue::at(&self.path, self.row + 1, damaged(&error))
        }))
    }
}

/// The decoder takes the bytes of a page for sound: it panics on some that are not.
fn guarded<T>(
    decode: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> std::result::Result<T, ParquetError> {
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(ParquetError::General("damaged data".to_owned())))
}

impl Iterator for Rows {
    type Item = std::result::Result<Record, Issue>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.failed {
                return None;
            }
            if let Some((batch, row)) = &mut self.batch
                && *row < batch.num_rows()
            {
                let fields = record(batch, *row);
                *row += 1;
                self.row += 1;
                let line = self.row;
                return Some(Ok(Record { line, fields }));
            }
            match self.next_batch()? {
                Ok(batch) => self.batch = Some((batch, 0)),
                Err(issue) => return Some(Err(issue)),
            }
        }
    }
}

fn damaged(error: &ParquetError) -> Problem {
    let reason = error.to_string();
    let reason = reason
        .split_once(": ")
        .map_or(reason.as_str(), |(_, it)| it);
    Problem::DamagedParquet {
        reason: reason.to_owned(),
    }
}

/// The numbers of the columns that are read, and the names of the others.
fn columns(schema: &Schema, is_read: fn(&DataType) -> bool) -> (Vec<usize>, Vec<String>) {
    let (mut kept, mut skipped) = (Vec::new(), Vec::new());
    for (index, field) in schema.fields().iter().enumerate() {
        if field.name().starts_with(PANDAS_INDEX) {
            continue;
        }
        if is_read(field.data_type()) {
            kept.push(index);
        } else {
            skipped.push(field.name().clone());
        }
    }
    (kept, skipped)
}

fn is_json(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(field) => is_json(field.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_json(field.data_type())),
        DataType::Null | DataType::Boolean | DataType::Utf8 => true,
        other => other.is_integer() || other.is_floating(),
    }
}

/// Whether a value can be written as JSON, if need be as a text.
fn is_shown(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(field) | DataType::Map(field, _) => is_shown(field.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_shown(field.data_type())),
        DataType::Date32
        | DataType::Timestamp(_, _)
        | DataType::Binary
        | DataType::FixedSizeBinary(_) => true,
        DataType::Decimal32(_, _) | DataType::Decimal64(_, _) | DataType::Decimal128(_, _) => true,
        DataType::Time32(_) | DataType::Time64(_) => true,
        other => is_json(other),
    }
}

fn record(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let fields = batch.schema();
    let fields = fields.fields().iter().zip(batch.columns());
    fields
        .map(|(field, column)| (field.name().clone(), value(column, row)))
        .collect()
}

/// The value of a column of one of the types that [`is_json`] names.
fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| value(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(column.as_struct().columns());
            let pairs = columns.map(|(field, column)| (field.name().clone(), value(column, row)));
            Value::Object(pairs.collect())
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let columns = entries.columns();
            let pairs = (0..entries.len()).map(|entry| {
                let key = value(&columns[0], entry);
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                (key, value(&columns[1], entry))
            });
            Value::Object(pairs.collect())
        }
        _ => text_value(column, row).unwrap_or_else(|| number(column, row)),
    }
}

/// The value of a column of one of the types that are written as text.
fn text_value(column: &ArrayRef, row: usize) -> Option<Value> {
    let text = match column.data_type() {
        DataType::Binary => bytes_value(column.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => bytes_value(column.as_fixed_size_binary().value(row)),
        DataType::Decimal32(_, _) => column.as_primitive::<Decimal32Type>().value_as_string(row),
        DataType::Decimal64(_, _) => column.as_primitive::<Decimal64Type>().value_as_string(row),
        DataType::Decimal128(_, _) => column.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Date32 => column
            .as_primitive::<Date32Type>()
            .value_as_date(row)?
            .to_string(),
        DataType::Time32(TimeUnit::Second) => column
            .as_primitive::<Time32SecondType>()
            .value_as_time(row)?
            .to_string(),
        DataType::Time32(_) => column
            .as_primitive::<Time32MillisecondType>()
            .value_as_time(row)?
            .to_string(),
        DataType::Time64(TimeUnit::Microsecond) => column
            .as_primitive::<Time64MicrosecondType>()
            .value_as_time(row)?
            .to_string(),
        DataType::Time64(_) => column
            .as_primitive::<Time64NanosecondType>()
            .value_as_time(row)?
            .to_string(),
        DataType::Timestamp(unit, zone) => {
            let time = match unit {
                TimeUnit::Second => column
                    .as_primitive::<TimestampSecondType>()
                    .value_as_datetime(row),
                TimeUnit::Millisecond => column
                    .as_primitive::<TimestampMillisecondType>()
                    .value_as_datetime(row),
                TimeUnit::Microsecond => column
                    .as_primitive::<TimestampMicrosecondType>()
                    .value_as_datetime(row),
                TimeUnit::Nanosecond => column
                    .as_primitive::<TimestampNanosecondType>()
                    .value_as_datetime(row),
            };
            // A time of a zone is kept in UTC.
            let suffix = if zone.is_some() { "Z" } else { "" };
            format!("{}{suffix}", time?.format("%Y-%m-%dT%H:%M:%S%.f"))
        }
        _ => return None,
    };
    Some(text.into())
}

/// Bytes as text, where they are one, else as hexadecimal digits.
fn bytes_value(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn number(column: &ArrayRef, row: usize) -> Value {
    match column.data_type() {
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float16 => f64::from(column.as_primitive::<Float16Type>().value(row)).into(),
        DataType::Float32 => shortest(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        _ => Value::Null,
    }
}
