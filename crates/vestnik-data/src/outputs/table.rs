//! Parquet: a row an article. The types of the columns are found in a first pass over all lines.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};

use super::Lines;
use super::arrays::array;
use super::kinds::{Kind, join_fields};
use super::line::parsed;
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::record::RecordFields;

/// Rows that are made at a time, or fewer with so many bytes: a column of strings has no more than 2 GiB.
pub(super) const ROWS: usize = 1024;
const BATCH_BYTES: usize = 64 * 1024 * 1024;
/// The key under which a file says that it was made by this program.
pub(super) const MADE_BY: &str = "vestnik";
/// Bytes of a row group, before it is written; a writer needs memory for one.
const GROUP_BYTES: usize = 64 * 1024 * 1024;

pub(super) fn write(lines: Lines<'_>, path: &Path) -> Result<()> {
    let columns = columns(lines)?;
    let mut table: Option<TableFile> = None;
    let mut rows: Vec<RecordFields> = Vec::with_capacity(ROWS);
    let mut n_bytes = 0;
    for line in parsed(lines) {
        let record = line?.record;
        n_bytes += record.as_json().len();
        rows.push(record);
        if rows.len() == ROWS || n_bytes >= BATCH_BYTES {
            TableFile::add(&mut table, path, &batch(&columns, &rows, path)?)?;
            rows.clear();
            n_bytes = 0;
        }
    }
    TableFile::add(&mut table, path, &batch(&columns, &rows, path)?)?;
    table.map_or(Ok(()), TableFile::finish)
}

/// The columns that hold all lines.
fn columns(lines: Lines<'_>) -> Result<Vec<(String, Kind)>> {
    let mut columns = Vec::new();
    for line in parsed(lines) {
        let record = line?.record.to_map();
        columns = join_fields(columns, kinds(&record));
    }
    Ok(columns)
}

pub(super) fn kinds(record: &Map<String, Value>) -> Vec<(String, Kind)> {
    record
        .iter()
        .map(|(name, value)| (name.clone(), Kind::of(value)))
        .collect()
}

fn batch(columns: &[(String, Kind)], rows: &[RecordFields], path: &Path) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, kind)| Field::new(name, kind.data_type(), true))
        .collect();
    let values: Vec<Map<String, Value>> = rows.iter().map(RecordFields::to_map).collect();
    let arrays = columns.iter().map(|(name, kind)| match kind {
        // As it is written: numbers keep their spelling.
        Kind::Json => json_array(rows.iter().map(|row| row.raw(name))),
        kind => {
            let values: Vec<Option<&Value>> = values.iter().map(|row| row.get(name)).collect();
            array(kind, &values)
        }
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())
        .map_err(|error| Error::io("write", path, io::Error::other(error)))
}

fn json_array<'r>(values: impl Iterator<Item = Option<&'r str>>) -> ArrayRef {
    let values = values.map(|json| json.filter(|&json| json != "null"));
    Arc::new(values.collect::<StringArray>())
}

/// A Parquet file that appears when it is complete.
pub(super) struct TableFile {
    path: PathBuf,
    writer: ArrowWriter<AtomicFile>,
}

impl TableFile {
    /// Writes a batch; the first one says what the columns are.
    pub(super) fn add(table: &mut Option<Self>, path: &Path, batch: &RecordBatch) -> Result<()> {
        let failed = |error| Error::io("write", path, io::Error::other(error));
        let table = match table {
            Some(table) => table,
            None => {
                let file = AtomicFile::create_as_is(path)?;
                let writer = ArrowWriter::try_new(file, batch.schema(), Some(properties()));
                table.insert(Self {
                    path: path.to_path_buf(),
                    writer: writer.map_err(failed)?,
                })
            }
        };
        table.writer.write(batch).map_err(failed)?;
        if table.writer.in_progress_size() >= GROUP_BYTES {
            table.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<()> {
        let failed = |error| Error::io("write", &self.path, io::Error::other(error));
        self.writer.into_inner().map_err(failed)?.commit()
    }
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(3).unwrap_or_default();
    let made_by = json!({"version": env!("CARGO_PKG_VERSION")}).to_string();
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_key_value_metadata(Some(vec![KeyValue::new(MADE_BY.to_owned(), made_by)]))
        .set_created_by(format!("vestnik {}", env!("CARGO_PKG_VERSION")))
        .build()
}
