//! Counts of a corpus: documents, words and entities by language, labels, lengths.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use vestnik_core::Document;
use vestnik_text::{sentences, words};

use super::lengths::Lengths;
use super::table::{row, table};

/// The name for documents without a language.
const NO_LANG: &str = "unknown";

/// What is counted of some documents.
#[derive(Debug, Default)]
struct Counts {
    documents: usize,
    words: usize,
    characters: usize,
    entities: usize,
    labels: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, document: &Document, n_words: usize) {
        self.documents += 1;
        self.words += n_words;
        self.characters += document.text().chars().count();
        self.entities += document.entities().len();
        for entity in document.entities() {
            *self.labels.entry(entity.label.clone()).or_default() += 1;
        }
    }

    fn json(&self) -> Value {
        json!({
            "documents": self.documents,
            "words": self.words,
            "characters": self.characters,
            "entities": self.entities,
            "labels": self.labels,
        })
    }
}

/// Counts of documents, whole and by language.
#[derive(Debug, Default)]
pub(super) struct Summary {
    all: Counts,
    languages: BTreeMap<String, Counts>,
    document_words: Lengths,
    sentence_words: Lengths,
    pub(super) sentence_tokens: Lengths,
}

impl Summary {
    pub(super) fn add(&mut self, document: &Document) {
        let all_words = words(document.text());
        let lang = document.lang().unwrap_or(NO_LANG).to_owned();
        self.all.add(document, all_words.len());
        let counts = self.languages.entry(lang).or_default();
        counts.add(document, all_words.len());
        self.document_words.add(all_words.len());
        let mut rest = all_words.as_slice();
        for sentence in sentences(document.text()) {
            let n_words = rest.partition_point(|word| word.end() <= sentence.end());
            self.sentence_words.add(n_words);
            rest = &rest[n_words..];
        }
    }

    /// All labels with the number of entities.
    pub(super) fn labels(&self) -> BTreeMap<&str, usize> {
        let labels = self.all.labels.iter();
        labels.map(|(label, &n)| (label.as_str(), n)).collect()
    }

    pub(super) fn documents(&self) -> usize {
        self.all.documents
    }

    pub(super) fn entities(&self) -> usize {
        self.all.entities
    }

    /// `documents`, `words`, `characters`, `entities`, `labels`, `languages` with the same for each, `lengths`.
    pub(super) fn json(&self) -> Map<String, Value> {
        let mut json = match self.all.json() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let languages = self.languages.iter();
        let languages: Map<String, Value> = languages
            .map(|(lang, counts)| (lang.clone(), counts.json()))
            .collect();
        json.insert("languages".to_owned(), languages.into());
        json.insert(
            "lengths".to_owned(),
            json!({
                "words_of_documents": self.document_words.json(),
                "words_of_sentences": self.sentence_words.json(),
                "tokens_of_sentences": self.sentence_tokens.json(),
            }),
        );
        json
    }

    /// Tables of languages, labels and lengths.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = self.languages_table();
        lines.push(String::new());
        if !self.all.labels.is_empty() {
            lines.extend(self.labels_table());
            lines.push(String::new());
        }
        let lengths = [
            ("words of documents", &self.document_words),
            ("words of sentences", &self.sentence_words),
            ("tokens of sentences", &self.sentence_tokens),
        ];
        let rows = lengths
            .iter()
            .filter_map(|(name, lengths)| lengths.row(name));
        let rows: Vec<_> = std::iter::once(Lengths::header()).chain(rows).collect();
        lines.extend(table(&rows));
        lines
    }

    fn languages_table(&self) -> Vec<String> {
        let header = row(
            "language",
            &[&"documents", &"words", &"characters", &"entities"],
        );
        let counted = |name: &str, counts: &Counts| {
            let Counts {
                documents,
                words,
                characters,
                entities,
                ..
            } = counts;
            row(name, &[documents, words, characters, entities])
        };
        let languages = self.languages.iter();
        let mut rows = vec![header];
        rows.extend(languages.map(|(lang, counts)| counted(lang, counts)));
        if self.languages.len() > 1 {
            rows.push(counted("all", &self.all));
        }
        table(&rows)
    }

    /// Labels by language, the most frequent first.
    fn labels_table(&self) -> Vec<String> {
        let mut labels: Vec<(&String, usize)> = self
            .all
            .labels
            .iter()
            .map(|(label, &n)| (label, n))
            .collect();
        labels.sort_by_key(|&(_, n)| usize::MAX - n);
        let langs: BTreeSet<&String> = self.languages.keys().collect();
        let mut header = vec!["label".to_owned(), "all".to_owned()];
        header.extend(langs.iter().map(|lang| (*lang).clone()));
        let mut rows = vec![header];
        for (label, n) in labels {
            let mut cells = vec![label.clone(), n.to_string()];
            let counts = self.languages.values();
            cells.extend(counts.map(|counts| {
                counts
                    .labels
                    .get(label)
                    .copied()
                    .unwrap_or_default()
                    .to_string()
            }));
            rows.push(cells);
        }
        table(&rows)
    }
}
