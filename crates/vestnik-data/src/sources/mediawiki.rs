//! Dumps of MediaWiki (`pages-articles.xml`): the articles of the main namespace, as plain text.

use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use serde_json::{Map, Value};

use super::wikitext::plain_text;
use super::{Found, RawRecord};
use crate::compression::Source;
use crate::issue::Rejected;
use crate::problem::Problem;

pub(super) struct Pages {
    path: PathBuf,
    reader: Reader<Source>,
    max_bytes: usize,
    id_field: String,
    text_field: String,
    /// The number of pages so far, of any namespace.
    number: u64,
    finished: bool,
}

/// A page while it is read. Of its revisions the last one counts.
#[derive(Debug, Default)]
struct Page {
    title: String,
    namespace: String,
    id: String,
    redirect: bool,
    revision: String,
    timestamp: String,
    text: String,
    too_long: bool,
}

impl Page {
    /// The place for the text of an element.
    fn field(&mut self, element: &str, parent: &str) -> Option<&mut String> {
        match (element, parent) {
            ("title", "page") => Some(&mut self.title),
            ("ns", "page") => Some(&mut self.namespace),
            ("id", "page") => Some(&mut self.id),
            ("id", "revision") => Some(&mut self.revision),
            ("timestamp", "revision") => Some(&mut self.timestamp),
            ("text", "revision") => Some(&mut self.text),
            _ => None,
        }
    }

    fn add(&mut self, open: &[String], text: &str, max_bytes: usize) {
        let [.., parent, element] = open else {
            return;
        };
        let Some(field) = self.field(element, parent) else {
            return;
        };
        if field.len() + text.len() > max_bytes {
            self.too_long = true;
        } else {
            field.push_str(text);
        }
    }
}

impl Pages {
    pub(super) fn new(
        path: &Path,
        source: Source,
        max_bytes: usize,
        id_field: &str,
        text_field: &str,
    ) -> Self {
        Self {
            path: path.to_path_buf(),
            reader: Reader::from_reader(source),
            max_bytes,
            id_field: id_field.to_owned(),
            text_field: text_field.to_owned(),
            number: 0,
            finished: false,
        }
    }

    /// The next page; `None` at the end of the dump.
    fn next_page(&mut self) -> Result<Option<Page>, quick_xml::Error> {
        let (mut open, mut buffer): (Vec<String>, Vec<u8>) = Default::default();
        let mut page: Option<Page> = None;
        loop {
            buffer.clear();
            match self.reader.read_event_into(&mut buffer)? {
                Event::Start(start) => {
                    let name = local_name(start.local_name().as_ref());
                    if name == "page" {
                        page = Some(Page::default());
                        open.clear();
                        self.number += 1;
                    }
                    if name == "revision"
                        && let Some(page) = &mut page
                    {
                        (page.revision, page.timestamp, page.text) = Default::default();
                    }
                    open.push(name);
                }
                Event::Empty(element) if element.local_name().as_ref() == "redirect" => {
                    if let Some(page) = &mut page {
                        page.redirect = true;
                    }
                }
                Event::End(_) if open.pop().as_deref() == Some("page") => return Ok(page),
                Event::Text(text) => {
                    if let Some(page) = &mut page {
                        page.add(&open, &text.xml10_content(), self.max_bytes);
                    }
                }
                Event::CData(text) => {
                    if let Some(page) = &mut page {
                        page.add(&open, &text.xml10_content(), self.max_bytes);
                    }
                }
                Event::GeneralRef(reference) => {
                    if let Some(page) = &mut page {
                        page.add(&open, &resolved(&reference), self.max_bytes);
                    }
                }
                Event::Eof if page.is_some() => {
                    let cut = std::io::Error::new(
                        std::io::ErrorKind::UnexpectedEof,
                        "the last page is cut",
                    );
                    return Err(cut.into());
                }
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    /// The article of a page; `None` for pages of other namespaces and redirects.
    fn article(&self, page: &Page) -> Option<Found> {
        if page.redirect || !["", "0"].contains(&page.namespace.trim()) {
            return None;
        }
        let fields = [
            (self.id_field.as_str(), page.id.as_str()),
            ("title", page.title.as_str()),
            ("revision", page.revision.as_str()),
            ("date", page.timestamp.as_str()),
        ];
        let known = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let mut fields: Map<String, Value> = known
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        if page.too_long {
            return Some(Err(Rejected {
                path: self.path.clone(),
                line: Some(self.number),
                problems: vec![Problem::TooLong {
                    limit: self.max_bytes,
                }],
                record: Some(Value::Object(fields).to_string().into_bytes()),
            }));
        }
        fields.insert(self.text_field.clone(), plain_text(&page.text).into());
        Some(Ok(RawRecord {
            line: self.number,
            json: Value::Object(fields).to_string(),
        }))
    }
}

fn local_name(name: &str) -> String {
    name.to_owned()
}

/// The character that a reference stands for; one that XML does not know stays as it is.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name = reference.xml10_content();
    match quick_xml::escape::resolve_predefined_entity(&name) {
        Some(text) => text.to_owned(),
        None => format!("&{name};"),
    }
}

impl Iterator for Pages {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while !self.finished {
            match self.next_page() {
                Ok(Some(page)) => {
                    if let Some(found) = self.article(&page) {
                        return Some(found);
                    }
                }
                Ok(None) => self.finished = true,
                Err(error) => {
                    self.finished = true;
                    let problem = std::io::Error::other(error.to_string()).into();
                    return Some(Err(Rejected::file(&self.path, Some(self.number), problem)));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn read(xml: &str) -> Vec<Result<Value, String>> {
        let source: Source = Box::new(BufReader::with_capacity(16, Cursor::new(xml.to_owned())));
        let pages = Pages::new(Path::new("a.xml"), source, 1000, "id", "text");
        let value = |found: Found| match found {
            Ok(record) => Ok(serde_json::from_str(&record.json).unwrap()),
            Err(rejected) => Err(rejected.to_string()),
        };
        pages.map(value).collect()
    }

    fn page(title: &str, ns: u32, redirect: &str, text: &str) -> String {
        format!(
            "<page><title>{title}</title><ns>{ns}</ns><id>7</id>{redirect}<revision><id>70</id>\
             <timestamp>2024-05-01T10:00:00Z</timestamp><contributor><username>x</username><id>9</id></contributor>\
             <text bytes=\"3\" xml:space=\"preserve\">{text}</text></revision></page>\n"
        )
    }

    #[test]
    fn articles_of_the_main_namespace_are_read() {
        let pages = [
            page(
                "Рим &amp; Милан",
                0,
                "",
                "&lt;!-- x --&gt;'''Рим''' &#8212; [[град|градът]].",
            ),
            page("Talk:Rome", 1, "", "talk"),
            page("Roma", 0, "<redirect title=\"Рим\" />", "#REDIRECT [[Рим]]"),
        ];
        let xml = format!(
            "<mediawiki xmlns=\"http://www.mediawiki.org/xml/export-0.11/\">\n<siteinfo><sitename>W</sitename></siteinfo>{}</mediawiki>",
            pages.concat()
        );
        let expected = serde_json::json!({
            "id": "7", "title": "Рим & Милан", "revision": "70", "date": "2024-05-01T10:00:00Z", "text": "Рим — градът."
        });
        assert_eq!(read(&xml), [Ok(expected)]);
    }

    #[test]
    fn what_is_too_long_or_cut_is_said() {
        let long = page("Long", 0, "", &"a ".repeat(600));
        let cut = &page("Cut", 0, "", "x")[..60];
        let found = read(&format!("<mediawiki>{long}{cut}"));
        assert!(
            found[0]
                .as_ref()
                .is_err_and(|message| message.contains("a.xml:1: found more than 1000 bytes")),
            "{found:?}"
        );
        assert!(
            found[1]
                .as_ref()
                .is_err_and(|message| message.contains("a.xml:2: cannot be read")),
            "{found:?}"
        );
        assert_eq!(found.len(), 2);
    }
}
