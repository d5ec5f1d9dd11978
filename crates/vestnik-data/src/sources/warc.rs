//! Web archives: the articles of `response` records, and the texts of `conversion` records.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::{Map, Value};

use super::encoding::TextEncoding;
use super::html::{decoded, page};
use super::{Found, RawRecord};
use crate::compression::Source;
use crate::issue::Rejected;
use crate::problem::Problem;

/// More bytes of headers than any record has.
const MAX_HEADER_BYTES: u64 = 256 * 1024;

/// Names of headers are in lower case.
type Headers = Vec<(String, String)>;

pub(super) struct WarcRecords {
    path: PathBuf,
    source: Source,
    max_bytes: usize,
    id_field: String,
    text_field: String,
    /// The number of records so far, of any type.
    number: u64,
    finished: bool,
}

impl WarcRecords {
    pub(super) fn new(
        path: &Path,
        source: Source,
        max_bytes: usize,
        id_field: &str,
        text_field: &str,
    ) -> Self {
        Self {
            path: path.to_path_buf(),
            source,
            max_bytes,
            id_field: id_field.to_owned(),
            text_field: text_field.to_owned(),
            number: 0,
            finished: false,
        }
    }

    /// The next record of any type; `None` at the end.
    fn next_block(&mut self) -> io::Result<Option<(Headers, Option<Vec<u8>>)>> {
        let Some(version) = self.next_line()? else {
            return Ok(None);
        };
        self.number += 1;
        if !version.starts_with("WARC/") {
            return Err(io::Error::other(format!(
                "found {version:.40?}, expected a record that starts with WARC/1.0"
            )));
        }
        let headers = headers(&mut self.source)?;
        let length =
            header(&headers, "content-length").and_then(|length| length.parse::<u64>().ok());
        let length = length.ok_or_else(|| io::Error::other("a record has no Content-Length"))?;
        if length > self.max_bytes as u64 {
            let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
            return whole(skipped, length).map(|()| Some((headers, None)));
        }
        let mut block = Vec::new();
        (&mut self.source).take(length).read_to_end(&mut block)?;
        whole(block.len() as u64, length)?;
        Ok(Some((headers, Some(block))))
    }

    /// The next line that is not blank.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        loop {
            let mut line = Vec::new();
            if (&mut self.source)
                .take(MAX_HEADER_BYTES)
                .read_until(b'\n', &mut line)?
                == 0
            {
                return Ok(None);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(
                    String::from_utf8_lossy(line.trim_ascii()).into_owned(),
                ));
            }
        }
    }

    /// The article of a record; `None` for records of other types, such as requests and images.
    fn article(&self, headers: &Headers, block: Option<Vec<u8>>) -> Option<Found> {
        let kind = header(headers, "warc-type")?;
        if !["response", "conversion", "resource"].contains(&kind) {
            return None;
        }
        let Some(block) = block else {
            let limit = self.max_bytes;
            return Some(Err(self.rejected(headers, Problem::TooLong { limit })));
        };
        let content = match kind {
            "response" => response(&block, self.max_bytes)?,
            _ => {
                let kind = header(headers, "content-type").unwrap_or("text/plain");
                content(kind, &block)?
            }
        };
        Some(match content {
            Ok(content) => Ok(RawRecord {
                line: self.number,
                json: Value::Object(self.fields(headers, &content)).to_string(),
            }),
            Err(problem) => Err(self.rejected(headers, problem)),
        })
    }

    fn fields(&self, headers: &Headers, content: &Content) -> Map<String, Value> {
        let id = header(headers, "warc-record-id").map(|id| id.trim_matches(['<', '>']));
        let fields = [
            (self.id_field.as_str(), id),
            ("url", header(headers, "warc-target-uri")),
            ("crawled", header(headers, "warc-date")),
            ("date", content.published.as_deref()),
            ("lang", content.lang.as_deref()),
            ("title", content.title.as_deref()),
            (self.text_field.as_str(), Some(content.text.as_str())),
        ];
        let known = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        known.collect()
    }

    fn rejected(&self, headers: &Headers, problem: Problem) -> Rejected {
        let headers: Map<String, Value> = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        Rejected {
            path: self.path.clone(),
            line: Some(self.number),
            problems: vec![problem],
            record: Some(Value::Object(headers).to_string().into_bytes()),
        }
    }
}

impl Iterator for WarcRecords {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while !self.finished {
            match self.next_block() {
                Ok(Some((headers, block))) => {
                    if let Some(found) = self.article(&headers, block) {
                        return Some(found);
                    }
                }
                Ok(None) => self.finished = true,
                Err(error) => {
                    self.finished = true;
                    return Some(Err(Rejected::file(
                        &self.path,
                        Some(self.number),
                        error.into(),
                    )));
                }
            }
        }
        None
    }
}

fn whole(found: u64, expected: u64) -> io::Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the last record is cut",
        )),
    }
}

/// Lines `name: value` up to a blank one.
fn headers(source: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Headers::new();
    let mut source = source.take(MAX_HEADER_BYTES);
    loop {
        let mut line = Vec::new();
        source.read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        if line.is_empty() {
            return Ok(headers);
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name)?;
    Some(&found.1)
}

/// What a record has to say.
struct Content {
    title: Option<String>,
    text: String,
    lang: Option<String>,
    published: Option<String>,
}

/// The content of an answer of a web server that is a page or a text, and no error. A body that was compressed has at most
/// `max_bytes`.
fn response(block: &[u8], max_bytes: usize) -> Option<Result<Content, Problem>> {
    let mut rest = block;
    let mut status = Vec::new();
    (&mut rest)
        .take(MAX_HEADER_BYTES)
        .read_until(b'\n', &mut status)
        .ok()?;
    let status = String::from_utf8_lossy(&status).into_owned();
    if status.split_whitespace().nth(1) != Some("200") {
        return None;
    }
    let headers = headers(&mut rest).ok()?;
    let mut body = rest.to_vec();
    if header(&headers, "transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        body = without_chunks(&body).unwrap_or(body);
    }
    let unpacked = match header(&headers, "content-encoding") {
        Some("gzip" | "x-gzip") => unpacked(GzDecoder::new(&body[..]), max_bytes),
        Some("deflate") => unpacked(ZlibDecoder::new(&body[..]), max_bytes),
        _ => None,
    };
    if let Some(unpacked) = unpacked {
        if unpacked.len() > max_bytes {
            return Some(Err(Problem::TooLong { limit: max_bytes }));
        }
        body = unpacked;
    }
    content(
        header(&headers, "content-type").unwrap_or("text/html"),
        &body,
    )
}

/// Some archives keep the compression, others keep only its header. Of more than `max_bytes` only one byte more is unpacked:
/// a few compressed bytes may stand for very many.
fn unpacked(reader: impl Read, max_bytes: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = (max_bytes as u64).saturating_add(1);
    reader
        .take(limit)
        .read_to_end(&mut bytes)
        .ok()
        .map(|_| bytes)
}

/// A body without the lengths of its chunks; `None` when it has none.
fn without_chunks(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = memchr::memchr(b'\n', body)?;
        let length = std::str::from_utf8(&body[..end]).ok()?;
        let length = length.split(';').next()?.trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        let start = end + 1;
        whole.extend_from_slice(body.get(start..start.checked_add(length)?)?);
        body = body.get(start + length..)?.strip_prefix(b"\r\n")?;
    }
}

/// The content of a page or a text; `None` for other types.
fn content(content_type: &str, body: &[u8]) -> Option<Result<Content, Problem>> {
    let content_type = content_type.to_ascii_lowercase();
    let charset = content_type.split("charset=").nth(1);
    let encoding =
        charset.and_then(|name| name.trim_matches(['"', ' ']).parse::<TextEncoding>().ok());
    if content_type.starts_with("text/html") || content_type.starts_with("application/xhtml") {
        return Some(page(&decoded(body, encoding)).map(|page| Content {
            title: Some(page.title),
            text: page.text,
            lang: page.lang,
            published: page.published,
        }));
    }
    let text = || Content {
        title: None,
        text: decoded(body, encoding),
        lang: None,
        published: None,
    };
    content_type.starts_with("text/plain").then(|| Ok(text()))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    fn record(kind: &str, content_type: &str, block: &[u8]) -> Vec<u8> {
        let head = format!(
            "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:x:1>\r\nWARC-Target-URI: https://example.org/a\r\n\
             WARC-Date: 2024-05-01T00:00:00Z\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            block.len()
        );
        [head.as_bytes(), block, b"\r\n\r\n"].concat()
    }

    fn read(bytes: Vec<u8>) -> Vec<Result<Value, String>> {
        let source: Source = Box::new(Cursor::new(bytes));
        let records = WarcRecords::new(Path::new("a.warc"), source, 100_000, "id", "text");
        let value = |found: Found| match found {
            Ok(record) => Ok(serde_json::from_str(&record.json).unwrap()),
            Err(rejected) => Err(rejected.to_string()),
        };
        records.map(value).collect()
    }

    fn html() -> String {
        let sentence =
            "Кметът обеща нови мостове до есента, пише агенцията, а гостите чакаха на гарата. ";
        format!(
            "<html><head><title>Мостове</title></head><body><article><p>{}</p></article></body></html>",
            sentence.repeat(8)
        )
    }

    fn cp1251(text: &str) -> Vec<u8> {
        encoding_rs::WINDOWS_1251.encode(text).0.into_owned()
    }

    #[test]
    fn pages_and_texts_are_articles_and_other_records_are_not() {
        let page = [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=windows-1251\r\n\r\n".to_vec(),
            cp1251(&html()),
        ];
        let image = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG".to_vec();
        let missing =
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>none</p>".to_vec();
        let archive = [
            record("warcinfo", "application/warc-fields", b"software: x"),
            record("response", "application/http", &page.concat()),
            record("response", "application/http", &image),
            record("response", "application/http", &missing),
            record("request", "application/http", b"GET / HTTP/1.1\r\n\r\n"),
            record("conversion", "text/plain", "Рим и Милан".as_bytes()),
        ];
        let found = read(archive.concat());
        assert_eq!(found.len(), 2, "{found:?}");
        let page = found[0].as_ref().unwrap();
        assert_eq!(
            (&page["title"], &page["url"]),
            (&"Мостове".into(), &"https://example.org/a".into())
        );
        assert!(page["text"].as_str().unwrap().starts_with("Кметът обеща"));
        let expected = serde_json::json!({
            "id": "urn:x:1", "url": "https://example.org/a", "crawled": "2024-05-01T00:00:00Z", "text": "Рим и Милан"
        });
        assert_eq!(found[1], Ok(expected));
    }

    #[test]
    fn chunks_and_compression_of_the_transfer_are_undone() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(html().as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let (a, b) = packed.split_at(packed.len() / 2);
        let mut block =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
                .to_vec();
        for chunk in [a, b, b""] {
            block.extend(format!("{:x};x=y\r\n", chunk.len()).bytes());
            block.extend(chunk);
            block.extend(b"\r\n");
        }
        let found = read(record("response", "application/http", &block));
        assert!(
            found[0].as_ref().unwrap()["text"]
                .as_str()
                .unwrap()
                .contains("нови мостове")
        );
    }

    #[test]
    fn what_is_cut_or_no_archive_is_said() {
        let mut cut = record("conversion", "text/plain", b"Rome");
        cut.truncate(cut.len() - 6);
        assert_eq!(
            read(cut),
            [Err(
                "a.warc:1: cannot be read from here on: the last record is cut".to_owned()
            )]
        );
        let found = read(b"WARC/1.0\r\nContent-Length: 0\r\n\r\n\r\n\r\nhello\r\n".to_vec());
        assert!(
            found[0]
                .as_ref()
                .is_err_and(|message| message.contains("expected a record that starts with WARC"))
        );
        let long = record("conversion", "text/plain", &[b'a'; 100_001]);
        let found = read([long, record("conversion", "text/plain", b"Rome")].concat());
        assert!(
            found[0]
                .as_ref()
                .is_err_and(|message| message.contains("more than 100000 bytes"))
        );
        assert_eq!(found[1].as_ref().unwrap()["text"], "Rome");
    }

    #[test]
    fn a_page_that_is_unpacked_is_no_longer_than_a_record_may_be() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&b"<p>a</p>".repeat(1000)).unwrap();
        let mut block = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
        block.extend(encoder.finish().unwrap());
        assert!(block.len() < 1000);
        let problem = response(&block, 1000).unwrap().err().unwrap();
        assert!(matches!(problem, Problem::TooLong { limit: 1000 }));
        assert!(response(&block, 8000).unwrap().is_ok());
    }
}
