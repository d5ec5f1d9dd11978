//! The tables of all shards of a run as one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use csv::{Reader, StringRecord, Writer};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::OutputFormat;
use super::mentions::{COLUMNS, ROWS as MENTIONS};
use super::table::{MADE_BY, ROWS, TableFile};
use crate::atomic::AtomicFile;
use crate::compression::{BytesRead, Source, open};
use crate::error::{Error, Result};
use crate::issue::Issue;

/// Merges Parquet files with a row for each article; `order` says for each article of the whole which of the files has it
/// next. Gives the number of articles.
///
/// # Errors
/// [`Error::ShardColumns`] when the files have not the same columns, [`Error::ShardRows`] when one has not as many rows as the
/// order asks of it, [`Error::Io`].
pub fn merge_tables(
    shards: &[PathBuf],
    order: impl Iterator<Item = usize>,
    output: &Path,
) -> Result<u64> {
    let mut shards = open_tables(shards)?;
    let mut merged = Merged::new(output, &shards, ROWS);
    let mut n_articles = 0;
    for shard in order {
        merged.push(shards[shard].next_row()?)?;
        n_articles += 1;
    }
    shards.iter_mut().try_for_each(Rows::check_end)?;
    merged.finish()?;
    Ok(n_articles)
}

/// Merges files with a row for each mention, as [`write_mentions`](super::write_mentions) makes them; `order` is that of
/// [`merge_tables`]. Gives the number of articles.
///
/// # Errors
/// As [`merge_tables`].
pub fn merge_mentions(
    shards: &[PathBuf],
    order: impl Iterator<Item = usize>,
    output: &Path,
) -> Result<u64> {
    match OutputFormat::of_output(output) {
        OutputFormat::Parquet => merge_parquet_mentions(shards, order, output),
        _ => merge_csv_mentions(shards, order, output),
    }
}

fn merge_parquet_mentions(
    shards: &[PathBuf],
    order: impl Iterator<Item = usize>,
    output: &Path,
) -> Result<u64> {
    let mut shards = open_tables(shards)?;
    let mut merged = Merged::new(output, &shards, MENTIONS);
    let mut n_articles = 0;
    for shard in order {
        n_articles += 1;
        for rows in shards[shard].next_mentions()? {
            merged.add(of_article(&rows, n_articles, output)?);
        }
        merged.write_full()?;
    }
    shards.iter_mut().try_for_each(Rows::check_end)?;
    merged.finish()?;
    Ok(n_articles)
}

/// The rows of an article with its number in the whole.
fn of_article(rows: &RecordBatch, number: u64, output: &Path) -> Result<RecordBatch> {
    let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![number; rows.num_rows()]));
    let columns = std::iter::once(numbers).chain(rows.columns().iter().skip(1).cloned());
    RecordBatch::try_new(rows.schema(), columns.collect())
        .map_err(|error| Error::io("write", output, io::Error::other(error)))
}

/// A Parquet file that is read row by row.
struct Rows {
    path: PathBuf,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
    /// What is left of the rows that were read last.
    rows: RecordBatch,
    n_articles: u64,
}

impl Rows {
    fn open(path: &Path) -> Result<Self> {
        let failed = |error| Error::io("read", path, io::Error::other(error));
        let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let mut metadata = builder.schema().metadata().clone();
        // It is written again.
        metadata.remove(MADE_BY);
        let schema = Schema::new_with_metadata(builder.schema().fields().clone(), metadata);
        let schema = Arc::new(schema);
        Ok(Self {
            path: path.to_path_buf(),
            rows: RecordBatch::new_empty(schema.clone()),
            schema,
            reader: builder.with_batch_size(ROWS).build().map_err(failed)?,
            n_articles: 0,
        })
    }

    /// Looks for more rows where none are left; says whether there are some.
    fn fill(&mut self) -> Result<bool> {
        while self.rows.num_rows() == 0 {
            let failed = |error| Error::io("read", &self.path, io::Error::other(error));
            match self.reader.next() {
                Some(rows) => {
                    let columns = rows.map_err(failed)?.columns().to_vec();
                    self.rows =
                        RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)?;
                }
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn take(&mut self, n_rows: usize) -> RecordBatch {
        let taken = self.rows.slice(0, n_rows);
        self.rows = self.rows.slice(n_rows, self.rows.num_rows() - n_rows);
        taken
    }

    fn wrong(&self) -> Error {
        Error::ShardRows {
            path: self.path.clone(),
        }
    }

    fn next_row(&mut self) -> Result<RecordBatch> {
        match self.fill()? {
            true => Ok(self.take(1)),
            false => Err(self.wrong()),
        }
    }

    /// The rows of the next article, of which there may be none.
    fn next_mentions(&mut self) -> Result<Vec<RecordBatch>> {
        self.n_articles += 1;
        let mut found = Vec::new();
        while self.fill()? {
            let numbers = self.rows.column(0).as_primitive_opt::<UInt64Type>();
            let numbers = numbers.ok_or_else(|| self.wrong())?.values();
            let n_rows = numbers
                .iter()
                .take_while(|&&number| number == self.n_articles);
            match n_rows.count() {
                0 => break,
                n_rows => found.push(self.take(n_rows)),
            }
        }
        Ok(found)
    }

    fn check_end(&mut self) -> Result<()> {
        match self.fill()? {
            true => Err(self.wrong()),
            false => Ok(()),
        }
    }
}

fn open_tables(paths: &[PathBuf]) -> Result<Vec<Rows>> {
    let shards: Vec<Rows> = paths
        .iter()
        .map(|path| Rows::open(path))
        .collect::<Result<_>>()?;
    for other in shards.iter().skip(1) {
        let (fields, others) = (shards[0].schema.fields(), other.schema.fields());
        if fields == others {
            continue;
        }
        let differs = |place: &usize| fields.get(*place) != others.get(*place);
        let place = (0..).find(differs).unwrap_or_default();
        let column = fields.get(place).or(others.get(place));
        return Err(Error::ShardColumns {
            first: shards[0].path.clone(),
            second: other.path.clone(),
            column: column.map(|field| field.name().clone()).unwrap_or_default(),
        });
    }
    Ok(shards)
}

/// Rows that become a file, some at a time.
struct Merged<'a> {
    output: &'a Path,
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    n_waiting: usize,
    /// So many rows are written together.
    full: usize,
    table: Option<TableFile>,
}

impl<'a> Merged<'a> {
    fn new(output: &'a Path, shards: &[Rows], full: usize) -> Self {
        Self {
            output,
            schema: shards[0].schema.clone(),
            waiting: Vec::new(),
            n_waiting: 0,
            full,
            table: None,
        }
    }

    fn add(&mut self, rows: RecordBatch) {
        self.n_waiting += rows.num_rows();
        self.waiting.push(rows);
    }

    fn push(&mut self, rows: RecordBatch) -> Result<()> {
        self.add(rows);
        self.write_full()
    }

    fn write_full(&mut self) -> Result<()> {
        match self.n_waiting >= self.full {
            true => self.write(),
            false => Ok(()),
        }
    }

    fn write(&mut self) -> Result<()> {
        let rows = concat_batches(&self.schema, &self.waiting)
            .map_err(|error| Error::io("write", self.output, io::Error::other(error)))?;
        self.waiting.clear();
        self.n_waiting = 0;
        TableFile::add(&mut self.table, self.output, &rows)
    }

    fn finish(mut self) -> Result<()> {
        self.write()?;
        self.table.map_or(Ok(()), TableFile::finish)
    }
}

/// Rows of mentions as CSV.
struct CsvRows {
    path: PathBuf,
    reader: Reader<Source>,
    next: Option<StringRecord>,
    n_articles: u64,
}

impl CsvRows {
    fn open(path: &Path) -> Result<Self> {
        let source = open(path, &BytesRead::default());
        let source = source.map_err(|problem| Error::from(Issue::of_file(path, problem)))?;
        let mut rows = Self {
            path: path.to_path_buf(),
            reader: Reader::from_reader(source),
            next: None,
            n_articles: 0,
        };
        let header = rows
            .reader
            .headers()
            .is_ok_and(|header| *header == COLUMNS[..]);
        if !header {
            return Err(rows.wrong());
        }
        rows.advance()?;
        Ok(rows)
    }

    fn wrong(&self) -> Error {
        Error::ShardRows {
            path: self.path.clone(),
        }
    }

    fn advance(&mut self) -> Result<Option<StringRecord>> {
        let next = self.reader.records().next().transpose();
        let next = next.map_err(|error| Error::io("read", &self.path, error.into()))?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// The next row of the article that is at hand.
    fn next_mention(&mut self) -> Result<Option<StringRecord>> {
        let number = self.next.as_ref().and_then(|row| row.get(0)?.parse().ok());
        match number == Some(self.n_articles) {
            true => self.advance(),
            false => Ok(None),
        }
    }
}

fn merge_csv_mentions(
    shards: &[PathBuf],
    order: impl Iterator<Item = usize>,
    output: &Path,
) -> Result<u64> {
    let failed = |error: csv::Error| Error::io("write", output, error.into());
    let mut shards: Vec<CsvRows> = shards
        .iter()
        .map(|path| CsvRows::open(path))
        .collect::<Result<_>>()?;
    let mut writer = Writer::from_writer(AtomicFile::create(output)?);
    writer.write_record(COLUMNS).map_err(failed)?;
    let mut n_articles = 0_u64;
    for shard in order {
        n_articles += 1;
        let number = n_articles.to_string();
        let shard = &mut shards[shard];
        shard.n_articles += 1;
        while let Some(row) = shard.next_mention()? {
            let row = std::iter::once(number.as_str()).chain(row.iter().skip(1));
            writer.write_record(row).map_err(failed)?;
        }
    }
    if let Some(left) = shards.iter().find(|shard| shard.next.is_some()) {
        return Err(left.wrong());
    }
    let file = writer
        .into_inner()
        .map_err(|error| Error::io("write", output, error.into_error()))?;
    file.commit()?;
    Ok(n_articles)
}
