//! The elements of a JSON array, one at a time, each with the line it starts on.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::{Deserializer, Value};

use crate::problem::Problem;

/// An element of an array.
pub(crate) struct Element {
    /// Its place, from 0.
    pub(crate) index: usize,
    /// The line it starts on, from 1.
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// Calls `take` with each element until it says to stop. Memory is bounded by the largest element.
///
/// # Errors
/// The line and the problem, when this is no array, or not to its end.
pub(crate) fn for_each_element(
    reader: impl Read,
    take: &mut dyn FnMut(Element) -> bool,
) -> Result<(), (u64, Problem)> {
    let lines = Rc::new(Cell::new(1));
    let failed = Rc::new(Cell::new(None));
    let counted = LineCounter {
        reader: io::BufReader::with_capacity(1 << 16, reader),
        lines: lines.clone(),
        failed: failed.clone(),
    };
    let mut stopped = false;
    let visitor = Elements {
        lines: &lines,
        take,
        stopped: &mut stopped,
    };
    let mut deserializer = Deserializer::from_reader(counted);
    let result = deserializer
        .deserialize_seq(visitor)
        .and_then(|()| deserializer.end());
    match (result, failed.take()) {
        _ if stopped => Ok(()),
        (_, Some(error)) => Err((lines.get(), io::Error::from(error).into())),
        (Err(error), None) => Err((error.line() as u64, error.into())),
        (Ok(()), None) => Ok(()),
    }
}

/// Counts the lines that the parser has taken; it takes a byte at a time.
struct LineCounter<R> {
    reader: R,
    lines: Rc<Cell<u64>>,
    failed: Rc<Cell<Option<io::ErrorKind>>>,
}

impl<R: io::BufRead> Read for LineCounter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.reader.read(buffer).inspect_err(|error| {
            self.failed.set(Some(error.kind()));
        })?;
        let feeds = buffer[..n_bytes].iter().filter(|&&byte| byte == b'\n');
        self.lines.set(self.lines.get() + feeds.count() as u64);
        Ok(n_bytes)
    }
}

struct Elements<'a> {
    lines: &'a Cell<u64>,
    take: &'a mut dyn FnMut(Element) -> bool,
    stopped: &'a mut bool,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for index in 0.. {
            let line = Cell::new(0);
            let seed = Located {
                lines: self.lines,
                line: &line,
            };
            let Some(value) = elements.next_element_seed(seed)? else {
                return Ok(());
            };
            let line = line.get();
            if !(self.take)(Element { index, line, value }) {
                *self.stopped = true;
                // An error is the only way to leave the rest unread; `stopped` says that it is none.
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// Takes note of the line where a value starts.
struct Located<'a> {
    lines: &'a Cell<u64>,
    line: &'a Cell<u64>,
}

impl<'de> DeserializeSeed<'de> for Located<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.line.set(self.lines.get());
        serde::Deserialize::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Index, line and JSON of each element.
    type Found = Vec<(usize, u64, String)>;

    fn elements(json: &str) -> (Found, Option<(u64, String)>) {
        let mut found = Vec::new();
        let result = for_each_element(json.as_bytes(), &mut |element| {
            found.push((element.index, element.line, element.value.to_string()));
            true
        });
        (
            found,
            result
                .err()
                .map(|(line, problem)| (line, problem.to_string())),
        )
    }

    #[test]
    fn elements_know_their_lines() {
        let (found, error) = elements("[\n {\"a\":1},\n\n {\n\"b\":[2]}, 3]\n");
        let expected = [(0, 2, "{\"a\":1}"), (1, 4, "{\"b\":[2]}"), (2, 5, "3")];
        assert_eq!(
            found,
            expected.map(|(i, line, json)| (i, line, json.to_owned()))
        );
        assert_eq!(error, None);
    }

    #[test]
    fn what_is_before_a_defect_is_given() {
        let (found, error) = elements("[1,\n2,\n}");
        assert_eq!(found.len(), 2);
        assert_eq!(error.unwrap().0, 3);
        assert!(elements("{}").1.is_some());
        assert!(elements("[1").1.is_some());
        assert!(elements("[1] 2").1.is_some());
    }

    #[test]
    fn reading_stops_when_told() {
        let mut n = 0;
        let result = for_each_element(&b"[1, 2, 3, !"[..], &mut |_| {
            n += 1;
            false
        });
        assert_eq!((n, result.is_ok()), (1, true));
    }
}
