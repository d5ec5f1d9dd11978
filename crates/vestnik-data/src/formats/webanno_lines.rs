//! Lines of a WebAnno TSV 3 file: header, sentences, units, and the marks of annotations in their columns.

use crate::problem::Problem;

/// The layer of named entities in WebAnno and INCEpTION.
pub(super) const NAMED_ENTITY: &str = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity";

/// A layer of spans, and the columns of its features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) features: Vec<String>,
    /// Its first column, behind number, offsets and text.
    pub(super) column: usize,
}

/// The layers that a header declares: `#T_SP=name|feature|feature` for spans, other letters for others.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) spans: Vec<Layer>,
    /// The names of layers that are no spans.
    pub(super) others: Vec<String>,
    n_columns: usize,
}

impl Header {
    /// Takes a line of the header. A layer without features has one column all the same.
    pub(super) fn add(&mut self, line: &str) {
        let Some((kind, layer)) = line
            .strip_prefix("#T_")
            .and_then(|rest| rest.split_once('='))
        else {
            return;
        };
        let mut parts = layer.split('|').map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        let features: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        let column = self.n_columns;
        self.n_columns += features.len().max(1);
        if kind == "SP" {
            self.spans.push(Layer {
                name,
                features,
                column,
            });
        } else {
            self.others.push(name);
        }
    }

    /// The layer of entities and the column of their labels: the named entities of the tool, or the only layer with a
    /// feature `value` or `label`, or the only layer with one feature.
    pub(super) fn entities(&self) -> Option<(&Layer, usize)> {
        let label = |layer: &Layer| {
            let named = ["value", "label"]
                .iter()
                .find_map(|name| layer.features.iter().position(|feature| feature == name));
            let only = (layer.features.len() == 1).then_some(0);
            named.or(only).map(|feature| layer.column + feature)
        };
        let named = self.spans.iter().find(|layer| layer.name == NAMED_ENTITY);
        let mut others = self.spans.iter().filter(|layer| label(layer).is_some());
        let layer = match named {
            Some(layer) => layer,
            None => others.next().filter(|_| others.next().is_none())?,
        };
        Some((layer, label(layer)?))
    }

    /// Layers other than that of the entities.
    pub(super) fn besides<'a>(&'a self, entities: &'a Layer) -> impl Iterator<Item = &'a str> {
        let spans = self.spans.iter().filter(move |layer| *layer != entities);
        let spans = spans.map(|layer| layer.name.as_str());
        spans.chain(self.others.iter().map(String::as_str))
    }
}

/// A line with a token, or with a part of one (`1-1.1`).
#[derive(Debug)]
pub(super) struct Unit<'a> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: &'a str,
    /// The columns of the layers.
    pub(super) columns: Vec<&'a str>,
}

const EXPECTED: &str = "such as \"1-1<TAB>0-5<TAB>Sofia<TAB>LOC<TAB>\"";

impl<'a> Unit<'a> {
    pub(super) fn parse(line: &'a str) -> Result<Self, Problem> {
        let wrong = || Problem::NoAnnotation {
            found: line.to_owned(),
            expected: EXPECTED,
        };
        let mut columns = line.split('\t');
        let (Some(number), Some(offsets), Some(text)) =
            (columns.next(), columns.next(), columns.next())
        else {
            return Err(wrong());
        };
        number.split_once('-').ok_or_else(wrong)?;
        // A discontinuous unit would have several ranges apart by commas.
        let (start, end) = offsets.split_once('-').ok_or_else(wrong)?;
        Ok(Self {
            start: start.parse().map_err(|_| wrong())?,
            end: end.parse().map_err(|_| wrong())?,
            text,
            columns: columns.collect(),
        })
    }
}

/// A mark in a column: the value of a feature, `None` for `*`, with the number that marks of one annotation share.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) value: Option<String>,
    pub(super) number: Option<u64>,
}

/// The marks of a column: `_`, or `PER[1]|ORG[2]`.
pub(super) fn marks(column: &str) -> Vec<Mark> {
    if column == "_" || column.is_empty() {
        return Vec::new();
    }
    split_plain(column, '|').into_iter().map(mark).collect()
}

fn mark(text: &str) -> Mark {
    let parts = split_plain(text, '[');
    let number = match parts.as_slice() {
        [_, number] => number.strip_suffix(']').and_then(|n| n.parse().ok()),
        _ => None,
    };
    let value = if number.is_some() { parts[0] } else { text };
    Mark {
        value: (value != "*").then(|| unescape(value)),
        number,
    }
}

/// Splits at a character that has no backslash before it.
fn split_plain(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !escaped {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// Undoes the escapes of values and texts.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some('-') if chars.as_str().starts_with('>') => plain.push('-'),
            Some(other) => plain.push(other),
            None => plain.push('\\'),
        }
    }
    plain
}

/// Escapes the value of a feature.
pub(super) fn escape_value(value: &str) -> String {
    let value = escape_text(value).replace("->", "\\->");
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if "[]|_;*".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Escapes a text, but for its line feeds.
pub(super) fn escape_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_of_entities_is_found() {
        let mut header = Header::default();
        header.add("#T_SP=webanno.custom.Event|kind|tense");
        header.add("#T_RL=webanno.custom.Relation|role|BT_webanno.custom.Event");
        header.add(&format!("#T_SP={NAMED_ENTITY}|identifier|value"));
        let (layer, column) = header.entities().unwrap();
        assert_eq!((layer.column, column), (4, 5));
        assert_eq!(header.besides(layer).count(), 2);
        let mut custom = Header::default();
        custom.add("#T_SP=webanno.custom.Name|kind");
        assert_eq!(custom.entities().map(|(_, column)| column), Some(0));
        custom.add("#T_SP=webanno.custom.Other|kind");
        assert!(custom.entities().is_none());
    }

    #[test]
    fn stacked_marks_and_escapes() {
        let mark = |value: &str, number| Mark {
            value: Some(value.to_owned()),
            number,
        };
        assert_eq!(marks("_"), []);
        assert_eq!(marks("PER"), [mark("PER", None)]);
        assert_eq!(
            marks("PER[1]|ORG[12]"),
            [mark("PER", Some(1)), mark("ORG", Some(12))]
        );
        assert_eq!(marks("\\_[3]"), [mark("_", Some(3))]);
        assert_eq!(marks("a\\|b\\[1\\]"), [mark("a|b[1]", None)]);
        let any = Mark {
            value: None,
            number: Some(4),
        };
        assert_eq!(marks("*[4]"), [any]);
        for value in ["a->b", "_", "*", "a|b[1]", "\\", "a\tb\\nc", "ЛИЦО"] {
            let found = marks(&format!("{}[7]", escape_value(value)));
            assert_eq!(found, [mark(value, Some(7))]);
        }
    }
}
