//! Event files for TensorBoard, written without TensorFlow.
//!
//! The file is a sequence of records in the framing of TFRecord (tensorflow/core/lib/io/record_writer.h): length as `u64`,
//! masked CRC-32C of the length, data, masked CRC-32C of the data, numbers little-endian. The data are protocol buffers
//! of type `Event` (tensorboard/compat/proto/event.proto), of which these fields are used:
//!
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//! Summary { repeated Value value = 1; }      Value { string tag = 1; float simple_value = 2; }
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};

/// TensorBoard looks for `tfevents` in file names.
const FILE: &str = "events.out.tfevents.0.vestnik";

/// The scalars of a run as TensorBoard reads them.
#[derive(Debug)]
pub(crate) struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// Starts the file in `folder` anew with what the log `log` tells so far: a resumed run has cut its log to the
    /// checkpoint, so no step is there twice.
    pub(crate) fn open(folder: &Path, log: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(FILE);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let mut events = Self { file, path };
        let mut records = Vec::new();
        frame(&file_version(), &mut records);
        let log_file = File::open(log).map_err(Error::io("read", log))?;
        for line in BufReader::new(log_file).lines() {
            let line = line.map_err(Error::io("read", log))?;
            if let Ok(event) = serde_json::from_str(&line) {
                frame_event(&event, &mut records);
            }
        }
        events.write(&records)?;
        Ok(events)
    }

    /// Adds a line of the log.
    pub(crate) fn add(&mut self, line: &Value) -> Result<()> {
        let mut record = Vec::new();
        frame_event(line, &mut record);
        self.write(&record)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", &self.path))
    }
}

/// Appends the record of a line of the log; lines without scalars give none.
fn frame_event(line: &Value, out: &mut Vec<u8>) {
    let scalars = scalars(line);
    let time = line["time"].as_f64().unwrap_or_default();
    if let Some(step) = line["step"].as_u64().filter(|_| !scalars.is_empty()) {
        frame(&event(time, step, &scalars), out);
    }
}

/// What a line of the log measures, under the names that TensorBoard shows.
fn scalars(line: &Value) -> Vec<(String, f64)> {
    let of = |prefix: &str, object: &Value| -> Vec<(String, f64)> {
        let fields = object.as_object().into_iter().flatten();
        fields
            .filter_map(|(name, value)| Some((format!("{prefix}/{name}"), value.as_f64()?)))
            .collect()
    };
    match line["event"].as_str() {
        Some("step") => {
            let names = ["loss", "lr", "grad_norm", "tokens_per_second"].into_iter();
            let mut all: Vec<_> = names
                .filter_map(|name| Some((format!("train/{name}"), line[name].as_f64()?)))
                .collect();
            all.extend(of("train_loss_per_task", &line["task_losses"]));
            all
        }
        Some("evaluation") => {
            let scores = &line["measures"]["scores"];
            let mut all = of("dev", scores);
            let mut add = |prefix: &str, scores: &Value| {
                all.extend(of(&format!("{prefix}_f1_per_label"), &scores["per_label"]));
                all.extend(of(&format!("{prefix}_f1_per_lang"), &scores["per_lang"]));
            };
            add("dev", scores);
            add("dev_ner", &scores["ner"]);
            let heads = scores["heads"].as_object().into_iter().flatten();
            heads
                .clone()
                .for_each(|(task, scores)| add(&format!("dev_{task}"), scores));
            all.extend(of("dev_ner", &scores["ner"]));
            all.extend(heads.flat_map(|(task, scores)| of(&format!("dev_{task}"), scores)));
            all
        }
        _ => Vec::new(),
    }
}

fn file_version() -> Vec<u8> {
    let mut message = Vec::new();
    bytes_field(3, b"brain.Event:2", &mut message);
    message
}

fn event(time: f64, step: u64, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, scalar) in scalars {
        let mut value = Vec::new();
        bytes_field(1, tag.as_bytes(), &mut value);
        value.push(2 << 3 | 5);
        value.extend((*scalar as f32).to_le_bytes());
        bytes_field(1, &value, &mut summary);
    }
    let mut message = vec![1 << 3 | 1];
    message.extend(time.to_le_bytes());
    message.push(2 << 3);
    varint(step, &mut message);
    bytes_field(5, &summary, &mut message);
    message
}

/// A field of a protocol buffer that holds bytes: a string or a message.
fn bytes_field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a record in the framing of TFRecord.
fn frame(data: &[u8], out: &mut Vec<u8>) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
}

/// Masked, since a CRC of data that hold CRCs is weak (tensorflow/core/lib/hash/crc32c.h).
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli; RFC 3720), bit by bit: a record has a few hundred bytes.
fn crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
    let crc = data.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), step)
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn messages_are_those_of_protocol_buffers() {
        // Event(wall_time=1.5, step=300, summary=Summary(value=[Summary.Value(tag="a", simple_value=2.0)]))
        let expected = b"\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01a\x15\x00\x00\x00\x40";
        assert_eq!(event(1.5, 300, &[("a".to_owned(), 2.0)]), expected);
    }

    #[test]
    fn the_file_is_made_anew_from_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let step = r#"{"time":1.0,"event":"step","step":1,"loss":0.5,"lr":0.1,"grad_norm":1,"tokens_per_second":9}"#;
        std::fs::write(
            &log,
            format!("{step}\n{{\"event\":\"start\",\"step\":0}}\n"),
        )
        .unwrap();
        let board = folder.path().join("board");
        let line: Value = serde_json::from_str(step).unwrap();
        EventFile::open(&board, &log).unwrap().add(&line).unwrap();
        let twice = std::fs::read(board.join(FILE)).unwrap();
        EventFile::open(&board, &log).unwrap();
        let once = std::fs::read(board.join(FILE)).unwrap();
        assert!(twice.starts_with(&once) && twice.len() > once.len());
        let mut head = Vec::new();
        frame(&file_version(), &mut head);
        assert_eq!(twice.len() - once.len(), once.len() - head.len());
    }
}
