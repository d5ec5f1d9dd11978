//! Articles to be tagged.

use std::io::{self, Read};
use std::path::PathBuf;

use vestnik_data::{Article, ArticleOptions, ArticleReader, Problem, Rejected};

use crate::folder::Folder;

fn read_paths(paths: &[PathBuf]) -> Vec<Result<Article, Rejected>> {
    ArticleReader::open(paths, ArticleOptions::default())
        .unwrap()
        .collect()
}

fn read(dump: &[u8], options: ArticleOptions) -> Vec<Result<Article, Rejected>> {
    ArticleReader::from_reader(io::Cursor::new(dump.to_vec()), options)
        .unwrap()
        .collect()
}

fn texts(found: &[Result<Article, Rejected>]) -> Vec<&str> {
    found
        .iter()
        .map(|article| article.as_ref().unwrap().text.as_str())
        .collect()
}

#[test]
fn all_fields_are_kept_as_they_are() {
    let line = r#"{"url":"https://вестник.example/1","n":1.50,"id":18446744073709551616,"text":"Рим\u0000","tags":{"b":[],"a":null}}"#;
    let found = read(line.as_bytes(), ArticleOptions::default());
    let article = found[0].as_ref().unwrap();
    assert_eq!(article.id.as_deref(), Some("18446744073709551616"));
    assert_eq!(article.text, "Рим\0");
    assert_eq!(article.fields.as_json(), line);
}

#[test]
fn fields_can_be_chosen_and_a_text_may_be_empty() {
    let options = ArticleOptions {
        text_fields: vec!["body".to_owned()],
        id_field: "url".to_owned(),
        ..ArticleOptions::default()
    };
    let found = read(br#"{"url":"u1","body":"","id":[],"text":0}"#, options);
    let article = found[0].as_ref().unwrap();
    assert_eq!(
        (article.id.as_deref(), article.text.as_str()),
        (Some("u1"), "")
    );
}

#[test]
fn reading_goes_on_behind_every_issue() {
    let mut dump =
        b"{\"text\":\"one\"}\n\n{\"id\":[],\"text\":2}\nno json\n{\"text\":\"\xff\"}\n".to_vec();
    dump.extend(b"{\"text\":\"two\"}");
    let found = read(&dump, ArticleOptions::default());
    let lines: Vec<_> = found
        .iter()
        .map(|found| match found {
            Ok(article) => (true, Some(article.origin.line)),
            Err(issue) => (false, issue.line),
        })
        .collect();
    let expected = [(true, 1), (false, 3), (false, 4), (false, 5), (true, 6)];
    assert_eq!(lines, expected.map(|(sound, line)| (sound, Some(line))));
    let invalid = Problem::InvalidUtf8 { offset: 9 };
    let rejected = found[3].as_ref().unwrap_err();
    assert_eq!(rejected.problems, [invalid]);
    assert_eq!(
        rejected.record.as_deref(),
        Some(&b"{\"text\":\"\xff\"}"[..])
    );
    assert_eq!(
        found[1].as_ref().unwrap_err().to_string(),
        "<stdin>:3: id is an array, expected a string or a number; also: text is a number, expected a string"
    );
}

#[test]
fn a_line_over_the_limit_is_skipped() {
    let dump = format!("{{\"text\":\"{}\"}}\n{{\"text\":\"b\"}}\n", "a".repeat(100));
    let options = ArticleOptions {
        max_line_bytes: 50,
        ..ArticleOptions::default()
    };
    let found = read(dump.as_bytes(), options);
    let rejected = found[0].as_ref().unwrap_err();
    assert_eq!(
        (rejected.line, rejected.problems.as_slice()),
        (Some(1), &[Problem::TooLong { limit: 50 }][..])
    );
    assert_eq!(found[1].as_ref().unwrap().text, "b");
}

#[test]
fn a_line_of_ten_megabytes_is_an_article() {
    let text = "вестник ".repeat(700_000);
    let line = format!("{{\"text\":\"{text}\"}}");
    let options = ArticleOptions {
        max_text_bytes: 1 << 24,
        ..ArticleOptions::default()
    };
    assert!(read(line.as_bytes(), options)[0].as_ref().unwrap().text == text);
    let found = read(line.as_bytes(), ArticleOptions::default());
    let rejected = found[0].as_ref().unwrap_err();
    let limit = vestnik_data::MAX_TEXT_BYTES;
    assert_eq!(rejected.problems, [Problem::TooLong { limit }]);
}

#[test]
fn a_json_array_is_read_element_by_element() {
    let dump = "\u{feff} \n [\n{\"text\":\"a\"},\n{\n\"text\":2},\n{\"text\":\"c\"}]";
    let found = read(dump.as_bytes(), ArticleOptions::default());
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].as_ref().unwrap().origin.line, 3);
    let rejected = found[1].as_ref().unwrap_err();
    assert_eq!(
        rejected.to_string(),
        "<stdin>:4: text is a number, expected a string"
    );
    assert_eq!(found[2].as_ref().unwrap().text, "c");
}

#[test]
fn several_fields_are_read_as_one_text() {
    let options = || ArticleOptions {
        text_fields: vec!["title".to_owned(), "body.main".to_owned()],
        ..ArticleOptions::default()
    };
    let dump = concat!(
        "{\"title\":\"Рим\",\"body\":{\"main\":\"Милан\"}}\n",
        "{\"title\":null,\"body\":{\"main\":\"Бари\"}}\n",
        "{\"title\":1,\"body\":{}}\n",
        "{\"id\":1}\n",
    );
    let found = read(dump.as_bytes(), options());
    let article = found[0].as_ref().unwrap();
    assert_eq!(article.text, "Рим\n\nМилан");
    let parts: Vec<_> = article
        .parts
        .iter()
        .map(|part| (part.field.as_str(), &article.text[part.start..part.end]))
        .collect();
    assert_eq!(parts, [("title", "Рим"), ("body.main", "Милан")]);
    assert_eq!(found[1].as_ref().unwrap().text, "Бари");
    let messages: Vec<_> = found[2..]
        .iter()
        .map(|found| found.as_ref().unwrap_err().to_string())
        .collect();
    assert_eq!(
        messages,
        [
            "<stdin>:3: title is a number, expected a string",
            "<stdin>:4: no field \"title,body.main\", found \"id\""
        ]
    );
}

#[test]
fn positions_are_the_same_after_records_were_passed_over() {
    let dump = "{\"text\":\"a\"}\nno json\n{\"text\":\"b\"}\n";
    let reader =
        || ArticleReader::from_reader(io::Cursor::new(dump), ArticleOptions::default()).unwrap();
    let mut whole = reader();
    let position = |reader: &mut ArticleReader| {
        reader.next();
        reader.record_position()
    };
    let positions: Vec<_> = (0..3).map(|_| position(&mut whole)).collect();
    let mut resumed = reader();
    assert_eq!(resumed.skip_to(2), Ok(()));
    assert_eq!(resumed.record_position(), positions[1]);
    assert_eq!(resumed.next().unwrap().unwrap().text, "b");
    assert_eq!(resumed.record_position(), positions[2]);
    assert_eq!(resumed.skip_to(4), Err(positions[2]));
}

#[test]
fn folders_and_files_come_in_order() {
    let folder = Folder::new();
    folder.write("in/b.txt", "\u{feff}Рим\r\n\0");
    folder.write("in/a/1.txt", "Милан");
    folder.write_compressed(
        "in/c.jsonl.zst",
        "{\"text\":\"Пиза\"}\n{\"text\":\"Турин\"}\n",
    );
    let extra = folder.write_compressed("extra.json.gz", "{\"id\":\"x\",\"text\":\"Бари\"}");
    let unnamed = folder.write("dump", "{\"text\":\"Лечче\"}");
    let found = read_paths(&[folder.path("in"), extra, unnamed]);
    assert_eq!(
        texts(&found),
        ["Милан", "Рим\r\n\0", "Пиза", "Турин", "Бари", "Лечче"]
    );
    let ids: Vec<_> = found
        .iter()
        .map(|article| article.as_ref().unwrap().id.clone())
        .collect();
    let expected = [Some("a/1.txt"), Some("b.txt"), None, None, Some("x"), None];
    assert_eq!(ids, expected.map(|id| id.map(str::to_owned)));
    let fields = &found[0].as_ref().unwrap().fields;
    assert_eq!(fields.as_json(), "{\"id\":\"a/1.txt\",\"text\":\"Милан\"}");
}

#[test]
fn a_cut_file_gives_what_it_has_and_the_next_file_is_read() {
    let folder = Folder::new();
    // Text that does not compress well, so that half of the file holds whole lines.
    let line = |n: u64| {
        format!(
            "{{\"text\":\"{}\"}}\n",
            n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        )
    };
    let text: String = (0..20_000).map(line).collect();
    let path = folder.write_compressed("a.jsonl.gz", &text);
    let whole = std::fs::read(&path).unwrap();
    folder.write("a.jsonl.gz", &whole[..whole.len() / 2]);
    let next = folder.write("b.jsonl", "{\"text\":\"next\"}");
    let found = read_paths(&[path, next]);
    let (issues, articles): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_err);
    assert!(
        matches!(issues.as_slice(), [Err(issue)] if issue.ends_input() && issue.line.is_some())
    );
    assert!(articles.len() > 1000 && articles.len() < 20_000);
    assert_eq!(texts(&articles).last(), Some(&"next"));
}

#[test]
fn progress_is_counted_in_bytes_on_the_disk() {
    let folder = Folder::new();
    let paths = [
        folder.write_compressed("a.jsonl.gz", &"{\"text\":\"news\"}\n".repeat(50)),
        folder.write("b.txt", "news"),
    ];
    let reader = ArticleReader::open(&paths, ArticleOptions::default()).unwrap();
    let bytes_read = reader.bytes_read();
    assert_eq!(bytes_read.get(), 0);
    assert_eq!(reader.count(), 51);
    assert_eq!(Some(bytes_read.get()), ArticleReader::total_bytes(&paths));
}

/// A stream that breaks after its first line.
struct Broken(bool);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            return Err(io::Error::other("the line is dead"));
        }
        let line = b"{\"text\":\"a\"}\n{\"te";
        buffer[..line.len()].copy_from_slice(line);
        Ok(line.len())
    }
}

#[test]
fn a_stream_that_breaks_is_an_issue_and_the_end() {
    let reader = ArticleReader::from_reader(Broken(false), ArticleOptions::default()).unwrap();
    let found: Vec<_> = reader.collect();
    assert_eq!(found.len(), 2);
    let message = found[1].as_ref().unwrap_err().to_string();
    assert_eq!(
        message,
        "<stdin>:2: cannot be read from here on: the line is dead"
    );
}
