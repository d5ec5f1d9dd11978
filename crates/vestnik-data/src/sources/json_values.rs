//! JSON values that are not lines: the elements of arrays, or objects one after another over any lines.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use super::{Found, RawRecord};
use crate::compression::Source;
use crate::issue::Rejected;
use crate::problem::Problem;
use crate::records::utf8;

/// How many bytes of a value that is too long are kept.
const KEPT_BYTES: usize = 4096;

/// Cuts a stream into its values, by brackets and quotes alone: whether a value is sound is seen later.
pub(super) struct JsonValues {
    path: PathBuf,
    source: Source,
    max_bytes: usize,
    /// Whether the opening bracket of an array was taken, and not yet its closing one.
    in_array: bool,
    line: u64,
    started: bool,
    finished: bool,
}

/// A value while it is cut out.
#[derive(Default)]
struct Cut {
    bytes: Vec<u8>,
    line: u64,
    depth: u64,
    in_string: bool,
    escaped: bool,
    too_long: bool,
}

impl Cut {
    /// Takes a byte, and says whether the value ends with it.
    fn take(&mut self, byte: u8, max_bytes: usize) -> bool {
        // A record has to fit on a line of output.
        if !self.in_string && matches!(byte, b'\n' | b'\r') {
            return false;
        }
        if self.bytes.len() < max_bytes {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return !self.in_string && self.depth == 0;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// Whether a byte behind a number, or another value without brackets and quotes, ends it.
    fn ends_before(&self, byte: u8) -> bool {
        let separator = matches!(
            byte,
            b',' | b']' | b'}' | b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n'
        );
        !self.bytes.is_empty() && self.depth == 0 && !self.in_string && separator
    }
}

/// What a step over the bytes at hand came to.
enum Step {
    More,
    Value,
    EndOfArray,
}

impl JsonValues {
    pub(super) fn new(path: &Path, source: Source, max_bytes: usize) -> Self {
        Self {
            path: path.to_path_buf(),
            source,
            max_bytes,
            in_array: false,
            line: 1,
            started: false,
            finished: false,
        }
    }

    fn next_value(&mut self) -> io::Result<Option<Cut>> {
        let mut cut = Cut::default();
        loop {
            let block = self.source.fill_buf()?;
            if block.is_empty() {
                return self.last(cut);
            }
            let mut n_taken = 0;
            let mut step = Step::More;
            for &byte in block {
                if cut.ends_before(byte) {
                    step = Step::Value;
                    break;
                }
                n_taken += 1;
                self.line += u64::from(byte == b'\n');
                let place = Place {
                    in_array: self.in_array,
                    started: self.started,
                    line: self.line,
                };
                step = separator_or_value(byte, &mut cut, place, self.max_bytes);
                self.in_array |= !self.started && byte == b'[';
                self.started |= !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf);
                if !matches!(step, Step::More) {
                    break;
                }
            }
            self.source.consume(n_taken);
            match step {
                Step::More => {}
                Step::Value => return Ok(Some(cut)),
                // Another array, or other values, may follow.
                Step::EndOfArray => (self.in_array, self.started) = (false, false),
            }
        }
    }

    /// What there is at the end of the file.
    fn last(&mut self, cut: Cut) -> io::Result<Option<Cut>> {
        if !cut.bytes.is_empty() {
            return Ok(Some(cut));
        }
        self.finished = true;
        if self.in_array {
            let problem = "the array is not closed: the file is cut";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, problem));
        }
        Ok(None)
    }

    fn found(&self, cut: &Cut) -> Found {
        let rejected = |problem, bytes: &[u8]| Rejected {
            path: self.path.clone(),
            line: Some(cut.line),
            problems: vec![problem],
            record: Some(bytes.to_vec()),
        };
        if cut.too_long {
            let kept = cut.bytes.get(..KEPT_BYTES).unwrap_or(&cut.bytes);
            return Err(rejected(
                Problem::TooLong {
                    limit: self.max_bytes,
                },
                kept,
            ));
        }
        match utf8(&cut.bytes) {
            Ok(json) => Ok(RawRecord {
                line: cut.line,
                json: json.to_owned(),
            }),
            Err(problem) => Err(rejected(problem, &cut.bytes)),
        }
    }
}

/// Where in the file a byte stands.
#[derive(Clone, Copy)]
struct Place {
    in_array: bool,
    /// Whether anything but white space came before.
    started: bool,
    line: u64,
}

/// Takes one byte: as a part of the value, or as what is between values.
fn separator_or_value(byte: u8, cut: &mut Cut, place: Place, max_bytes: usize) -> Step {
    if cut.bytes.is_empty() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return Step::More,
            b',' if place.in_array => return Step::More,
            b']' if place.in_array => return Step::EndOfArray,
            // A byte order mark, and the bracket of the whole array.
            0xef | 0xbb | 0xbf | b'[' if !place.started => return Step::More,
            _ => cut.line = place.line,
        }
    }
    match cut.take(byte, max_bytes) {
        true => Step::Value,
        false => Step::More,
    }
}

impl Iterator for JsonValues {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.finished {
            return None;
        }
        match self.next_value() {
            Ok(cut) => Some(self.found(&cut?)),
            Err(error) => {
                self.finished = true;
                Some(Err(Rejected::file(
                    &self.path,
                    Some(self.line),
                    error.into(),
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn values(json: &str, max_bytes: usize) -> Vec<(u64, Result<String, String>)> {
        // Blocks of a few bytes, so that values lie across them.
        let source: Source = Box::new(BufReader::with_capacity(3, Cursor::new(json.to_owned())));
        let found = JsonValues::new(Path::new("a.json"), source, max_bytes);
        found
            .map(|found| match found {
                Ok(record) => (record.line, Ok(record.json)),
                Err(rejected) => (
                    rejected.line.unwrap_or_default(),
                    Err(rejected.problems[0].to_string()),
                ),
            })
            .collect()
    }

    fn sound(json: &str) -> Vec<(u64, String)> {
        let found = values(json, 1000).into_iter();
        found.map(|(line, value)| (line, value.unwrap())).collect()
    }

    #[test]
    fn elements_of_an_array_know_their_lines() {
        let found = sound(
            "\u{feff}[\n {\"a\":\"]}\\\"\"},\n\n {\n\"b\":[2,{}]}, 3,\"x\" ,null]\n trailing ",
        );
        let expected = [
            (2, "{\"a\":\"]}\\\"\"}"),
            (4, "{\"b\":[2,{}]}"),
            (5, "3"),
            (5, "\"x\""),
            (5, "null"),
            (6, "trailing"),
        ];
        assert_eq!(found, expected.map(|(line, json)| (line, json.to_owned())));
        assert!(sound(" [ ]").is_empty());
    }

    #[test]
    fn objects_may_follow_one_another() {
        let found = sound("{\n \"a\": 1\n}\n{\n \"a\": 2\n} {\"a\":[3]}");
        let expected = [(1, "{ \"a\": 1}"), (4, "{ \"a\": 2}"), (6, "{\"a\":[3]}")];
        assert_eq!(found, expected.map(|(line, json)| (line, json.to_owned())));
    }

    #[test]
    fn arrays_may_follow_one_another() {
        let found = sound("[1,2]\n[\n3][]{\"a\":4}");
        let expected = [(1, "1"), (1, "2"), (3, "3"), (3, "{\"a\":4}")];
        assert_eq!(found, expected.map(|(line, json)| (line, json.to_owned())));
    }

    #[test]
    fn an_array_that_is_cut_is_told() {
        for (json, n) in [("[", 0), ("[1,\n2,", 2), ("[1] [2", 2)] {
            let found = values(json, 1000);
            assert_eq!(found.len(), n + 1, "{json}");
            let problem = found[n].1.as_ref().unwrap_err();
            assert!(problem.contains("the array is not closed"), "{problem}");
        }
    }

    #[test]
    fn a_value_over_the_limit_is_skipped_to_its_end() {
        let found = values("[{\"a\":\"0123456789\"},{\"b\":1}]", 10);
        assert!(
            found[0]
                .1
                .as_ref()
                .is_err_and(|message| message.contains("more than 10 bytes"))
        );
        assert_eq!(found[1], (1, Ok("{\"b\":1}".to_owned())));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_cut_value_is_given_as_it_is() {
        let found = values("[{\"a\":1},{\"b\":", 1000);
        let expected = ["{\"a\":1}", "{\"b\":"].map(|json| (1, Ok(json.to_owned())));
        assert_eq!(found[..2], expected);
        assert!(found.len() == 3 && found[2].1.is_err());
    }
}
