//! Labelled texts and spans, with the labels of a corpus as those of a head.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use vestnik_data::{Records, StanceRecord, TopicRecord, read_spans, read_topics};
use vestnik_model::{HeadOptions, ProblemType, Reads};
use vestnik_train::{LabelMap, LabelMapFile, LabelledItem, LabelledText, UNKNOWN};

use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::output::note;

/// Most labels that are named in a note.
const NAMED: usize = 8;

/// A title stands before its text, as it does in an article.
fn topic(record: TopicRecord) -> LabelledText {
    let text = match record.title {
        Some(title) if !title.is_empty() => format!("{title}\n\n{}", record.text),
        _ => record.text,
    };
    let item = LabelledItem {
        labels: record.labels,
        ..LabelledItem::default()
    };
    LabelledText {
        id: record.id,
        lang: record.lang,
        text,
        items: vec![item],
    }
}

fn spans(record: StanceRecord) -> LabelledText {
    let item = |target: vestnik_data::StanceTarget| LabelledItem {
        span: Some(target.span),
        labels: vec![target.label],
        ..LabelledItem::default()
    };
    LabelledText {
        id: record.id,
        lang: record.lang,
        text: record.text,
        items: record.targets.into_iter().map(item).collect(),
    }
}

/// What the labels of a corpus are in a head.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// `None`: what they are called.
    pub(crate) map: Option<BTreeMap<String, Vec<String>>>,
    /// The labels of the head that the corpus says anything of; `None`: all.
    pub(crate) known: Option<Vec<String>>,
}

impl Labels {
    /// Reads a map of labels.
    ///
    /// # Errors
    /// The file cannot be read, or gives labels that the head does not have.
    pub(crate) fn read(path: &Path, head: &HeadOptions) -> Result<Self> {
        let labels = Self::parse(path)?;
        labels
            .check(head)
            .and_then(|()| labels.check_known())
            .map_err(|problem| Mistake::new(format!("{}: {problem}", path.display())))?;
        Ok(labels)
    }

    fn parse(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the map of labels {}", path.display()))?;
        let mistake =
            |problem| anyhow::Error::from(Mistake::new(format!("{}: {problem}", path.display())));
        let file = LabelMapFile::parse(&text).map_err(mistake)?;
        match file.map {
            LabelMap::Table(table) => Ok(Self {
                map: Some(table),
                known: file.known,
            }),
            LabelMap::File(_) => Err(mistake("`map` is no table of labels".to_owned())),
        }
    }

    /// What of it the head does not have.
    fn check(&self, head: &HeadOptions) -> std::result::Result<(), String> {
        let targets = self.map.iter().flat_map(|map| map.values().flatten());
        let mut labels = targets.chain(self.known.iter().flatten());
        if self.known.is_some() && head.problem_type == ProblemType::SingleLabel {
            let task = &head.task;
            return Err(format!(
                "`known` says nothing to the head {task}, where one label holds"
            ));
        }
        match labels.find(|label| head.labels.id(bare(label)).is_none()) {
            None => Ok(()),
            Some(label) => Err(format!("{label:?} is {}", no_label_of(head))),
        }
    }

    /// A label that the map gives but the corpus says nothing of.
    pub(crate) fn check_known(&self) -> std::result::Result<(), String> {
        let (Some(map), Some(known)) = (&self.map, &self.known) else {
            return Ok(());
        };
        let mut labels = map.values().flatten().map(|label| bare(label));
        match labels.find(|label| !known.iter().any(|other| other == label)) {
            None => Ok(()),
            Some(label) => Err(format!("`map` gives {label:?}, which is not among `known`")),
        }
    }

    /// The texts with the labels of the head; what is left without one is left out.
    ///
    /// # Errors
    /// There is a label that the head does not have, or no text is left.
    pub(crate) fn given_to(
        &self,
        texts: Vec<LabelledText>,
        path: &Path,
        head: &HeadOptions,
    ) -> Result<Vec<LabelledText>> {
        let (mut left_out, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        let n_texts = texts.len();
        let texts: Vec<LabelledText> = texts
            .into_iter()
            .filter_map(|mut text| {
                let items = std::mem::take(&mut text.items).into_iter();
                let items = items.filter_map(|item| self.translated(item, &mut left_out));
                text.items = items.filter(|item| is_labelled(item, head)).collect();
                (!text.items.is_empty()).then_some(text)
            })
            .collect();
        for text in &texts {
            let labels = text.items.iter().flat_map(|item| &item.labels);
            for label in labels.filter(|label| head.labels.id(label).is_none()) {
                *unknown.entry(label.clone()).or_insert(0) += 1;
            }
        }
        if !unknown.is_empty() {
            let found = named(&unknown);
            let message = format!("{}: {found} is {}", path.display(), no_label_of(head));
            return Err(Mistake::new(message)
                .hint("`map` of the corpus gives the labels of the head")
                .into());
        }
        tell(path, &left_out, n_texts - texts.len());
        let mut items = texts.iter().flat_map(|text| &text.items);
        if items.all(|item| item.labels.is_empty()) {
            let message = format!(
                "{}: no text has a label of the head {}",
                path.display(),
                head.task
            );
            return Err(Mistake::new(message).into());
        }
        Ok(texts)
    }

    /// The item with the labels of the head; `None` when it had labels and has none any more.
    fn translated(
        &self,
        item: LabelledItem,
        left_out: &mut BTreeMap<String, usize>,
    ) -> Option<LabelledItem> {
        let Some(map) = &self.map else {
            return Some(item);
        };
        let had_labels = !item.labels.is_empty();
        let (mut labels, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for label in item.labels {
            match map.get(&label) {
                Some(targets) => targets.iter().for_each(|target| {
                    match target.strip_prefix(UNKNOWN) {
                        Some(target) => unknown.insert(target.to_owned()),
                        None => labels.insert(target.clone()),
                    };
                }),
                None => *left_out.entry(label).or_default() += 1,
            }
        }
        let is_left_out = had_labels && labels.is_empty();
        (!is_left_out).then(|| LabelledItem {
            labels: labels.into_iter().collect(),
            unknown: unknown.into_iter().collect(),
            ..item
        })
    }
}

/// A label of the head without the mark of one that may hold.
fn bare(label: &str) -> &str {
    label.strip_prefix(UNKNOWN).unwrap_or(label)
}

fn no_label_of(head: &HeadOptions) -> String {
    let labels: Vec<&str> = head.labels.iter().collect();
    format!(
        "no label of the head {}, which has {}",
        head.task,
        labels.join(", ")
    )
}

/// The most frequent labels with their counts.
fn named(counts: &BTreeMap<String, usize>) -> String {
    let mut counts: Vec<(&String, &usize)> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named = counts.iter().take(NAMED);
    let named: Vec<String> = named
        .map(|(label, count)| format!("{label:?} ({count})"))
        .collect();
    match counts.len() - named.len() {
        0 => named.join(", "),
        rest => format!("{} and {rest} more", named.join(", ")),
    }
}

/// Whether something is to be learnt of an item: where exactly one label holds, none says nothing.
fn is_labelled(item: &LabelledItem, head: &HeadOptions) -> bool {
    !item.labels.is_empty() || head.problem_type == ProblemType::MultiLabel
}

fn tell(path: &Path, left_out: &BTreeMap<String, usize>, n_texts: usize) {
    let path = path.display();
    if !left_out.is_empty() {
        let labels = named(left_out);
        note(&format!(
            "{path}: labels that are not in the map are left out: {labels}; {n_texts} texts have no other"
        ));
    } else if n_texts > 0 {
        note(&format!(
            "{path}: {n_texts} texts without a label are left out"
        ));
    }
}

impl Reading {
    /// The texts of a file for a head that reads such; `None` when the file has defects.
    pub(crate) fn labelled(&mut self, path: &Path, reads: Reads) -> Option<Vec<LabelledText>> {
        match reads {
            Reads::Text => self.texts(path, read_topics, topic),
            Reads::Span => self.texts(path, read_spans, spans),
        }
    }

    fn texts<T>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> vestnik_data::Result<Records<T>>,
        text: impl Fn(T) -> LabelledText,
    ) -> Option<Vec<LabelledText>> {
        let records = self.records(path, read)?;
        Some(records.into_iter().map(text).collect())
    }
}
