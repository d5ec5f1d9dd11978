//! UIMA CAS JSON, written: a file a document, with sentences, tokens and named entities.

use serde_json::{Map, Value, json};
use vestnik_core::{ColumnScheme, Document, OffsetMap, OffsetUnit, Span};

use super::cas::{METADATA, NO_LANGUAGE, SENTENCE, SOFA, STRUCTURES, TOKEN, TYPE, VIEW};
use super::webanno_lines::NAMED_ENTITY;
use super::{WriteOptions, items};
use crate::corpus::Corpus;
use crate::files::{Files, Names};
use crate::loss::{Loss, LossKind, Places};
use crate::tagged::tag_document;

/// What the format holds besides text and entities: ids, as names of files, languages, and links of entities.
const PLACES: Places = Places {
    metadata: false,
    entity_fields: false,
    others: false,
};

const KEPT: [&str; 3] = ["id", "lang", "entities[].link"];

/// The files of a corpus.
pub(super) fn files(corpus: &Corpus, options: &WriteOptions<'_>) -> Files {
    let (mut files, mut names) = (Files::default(), Names::default());
    for item in items(corpus) {
        let document = item.document;
        let name = names.name(document.id());
        let kept = |loss: &Loss| match &loss.kind {
            LossKind::Field(field) => KEPT.contains(&field.as_str()),
            _ => false,
        };
        let losses = item.losses(&PLACES).into_iter();
        files.lose(losses.filter(|loss| !kept(loss)));
        if name != document.id() {
            files.lose([Loss::written(document, LossKind::Id(name.clone()))]);
        }
        files.add(
            format!("{name}.json"),
            format!("{}\n", cas(document, options)),
        );
    }
    files
}

fn cas(document: &Document, options: &WriteOptions<'_>) -> Value {
    let mut structures = Structures {
        offsets: OffsetMap::new(document.text(), OffsetUnit::Utf16),
        all: Vec::new(),
    };
    let text = document.text();
    structures.all.push(json!({
        "%ID": 1, TYPE: SOFA, "sofaNum": 1, "sofaID": VIEW, "mimeType": "text", "sofaString": text,
    }));
    if let Ok(whole) = Span::new(0, text.len()) {
        let lang = document.lang().unwrap_or(NO_LANGUAGE);
        let title = document.id();
        structures.add(
            METADATA,
            whole,
            &[("language", lang), ("documentTitle", title)],
        );
    }
    // Only sentences and tokens are needed: entities may overlap here, and cut tokens.
    let plain = Document::new("", text);
    let (sentences, _) = tag_document(&plain, options.segmenter, ColumnScheme::Iob2);
    for sentence in &sentences {
        if let (Some(first), Some(last)) = (sentence.tokens.first(), sentence.tokens.last()) {
            structures.add(SENTENCE, first.cover(*last), &[]);
        }
    }
    for &token in sentences.iter().flat_map(|sentence| &sentence.tokens) {
        structures.add(TOKEN, token, &[]);
    }
    for entity in document.entities() {
        let value = Some(("value", entity.label.as_str()));
        let link = entity.link.as_deref().map(|link| ("identifier", link));
        let features: Vec<(&str, &str)> = value.into_iter().chain(link).collect();
        structures.add(NAMED_ENTITY, entity.span, &features);
    }
    let members: Vec<usize> = (2..=structures.all.len()).collect();
    json!({
        "%TYPES": types(),
        STRUCTURES: structures.all,
        "%VIEWS": {VIEW: {"%SOFA": 1, "%MEMBERS": members}},
    })
}

struct Structures<'a> {
    offsets: OffsetMap<'a>,
    all: Vec<Value>,
}

impl Structures<'_> {
    fn add(&mut self, name: &str, span: Span, features: &[(&str, &str)]) {
        let range = self.offsets.from_span(span);
        let mut structure = Map::new();
        structure.insert("%ID".to_owned(), (self.all.len() + 1).into());
        structure.insert(TYPE.to_owned(), name.into());
        structure.insert("@sofa".to_owned(), 1.into());
        structure.insert("begin".to_owned(), range.start.into());
        structure.insert("end".to_owned(), range.end.into());
        for &(feature, value) in features {
            structure.insert(feature.to_owned(), value.into());
        }
        self.all.push(Value::Object(structure));
    }
}

/// The types in use, so that the file can be read without the type system of DKPro.
fn types() -> Value {
    let strings = |name: &str, super_type: &str, features: &[&str]| {
        let mut map = Map::new();
        map.insert("%NAME".to_owned(), name.into());
        map.insert("%SUPER_TYPE".to_owned(), super_type.into());
        for &feature in features {
            let described = json!({"%NAME": feature, "%RANGE": "uima.cas.String"});
            map.insert(feature.to_owned(), described);
        }
        (name.to_owned(), Value::Object(map))
    };
    const ANNOTATION: &str = "uima.tcas.Annotation";
    let all = [
        strings(METADATA, "uima.tcas.DocumentAnnotation", &["documentTitle"]),
        strings(SENTENCE, ANNOTATION, &[]),
        strings(TOKEN, ANNOTATION, &[]),
        strings(NAMED_ENTITY, ANNOTATION, &["value", "identifier"]),
    ];
    Value::Object(all.into_iter().collect())
}
