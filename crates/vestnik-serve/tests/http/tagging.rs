//! `/v1/tag` and `/v1/classify`.

use serde_json::{Map, Value, json};
use vestnik_core::OffsetUnit;
use vestnik_infer::{RecordWriter, add_language, recognise_language};

use crate::test_server::{TestServer, config, tagger, tagger_source};

const TEXTS: [&str; 4] = [
    "Иван Петров приехал в София.",
    "🙂 Maria Smith lives in Bath, and Bath is in England.",
    "",
    "Мэр Киева Виталий Кличко заявил об этом. Мэр Киева Виталий Кличко заявил об этом. Мэр Киева заявил об этом. \
     Мэр Киева Виталий Кличко заявил об этом. Мэр Киева Виталий Кличко заявил об этом. Мэр Киева заявил об этом.",
];

/// What `vestnik tag` writes.
fn expected(fields: Value, unit: OffsetUnit) -> Value {
    let vestnik = tagger();
    let Value::Object(mut fields) = fields else {
        panic!("no object");
    };
    let text = fields["text"].as_str().unwrap().to_owned();
    let analysis = vestnik.analyze(&text).unwrap();
    RecordWriter::new(&vestnik, unit)
        .add(&mut fields, &text, &analysis)
        .unwrap();
    if let Some(lang) = recognise_language(&text) {
        add_language(&mut fields, lang);
    }
    fields.into()
}

#[test]
fn one_document_comes_back_as_tag_writes_it() {
    let server = TestServer::start();
    for text in TEXTS {
        let document = json!({"id": 7, "n": 1e300, "text": text, "tags": ["x", null]});
        let found = server.post("/v1/tag", &document).ok();
        assert_eq!(
            found.to_string(),
            expected(document, OffsetUnit::Char).to_string()
        );
    }
    // The tiny model of random weights finds something, or this would hold for a server that finds nothing.
    let found = server.post("/v1/tag", &json!({"text": TEXTS[3]})).ok();
    assert!(!found["entities"].as_array().unwrap().is_empty(), "{found}");
    assert!(found["vestnik"]["windows"].as_u64().unwrap() > 1, "{found}");
}

#[test]
fn languages_are_recognised_where_documents_do_not_say_theirs() {
    let server = TestServer::start();
    let text = "Мэр Киева Виталий Кличко заявил об этом в среду.";
    let lang = |body: Value| server.post("/v1/tag", &body).ok()["vestnik"]["lang"].clone();
    assert_eq!(lang(json!({"text": text})), "ru");
    for said in [json!("bg"), json!(7), Value::Null] {
        let found = server
            .post("/v1/tag", &json!({"text": text, "lang": said}))
            .ok();
        assert_eq!(
            (&found["lang"], &found["vestnik"]["lang"]),
            (&said, &Value::Null)
        );
    }
    let classified = json!({"text": text, "labels": ["a"]});
    assert_eq!(
        server.post("/v1/classify", &classified).ok()["vestnik"]["lang"],
        "ru"
    );

    let mut config = config();
    config.languages = false;
    let server = TestServer::with(config, vec![tagger_source()]);
    let found = server.post("/v1/tag", &json!({"text": text})).ok();
    assert!(found["vestnik"]["lang"].is_null(), "{found}");
}

#[test]
fn many_documents_come_back_in_their_order() {
    let server = TestServer::start();
    let documents: Vec<Value> = TEXTS
        .iter()
        .enumerate()
        .map(|(id, text)| json!({"id": id, "text": text}))
        .collect();
    for unit in [OffsetUnit::Char, OffsetUnit::Byte, OffsetUnit::Utf16] {
        let request = json!({"offset_unit": unit.as_str(), "tasks": ["ner"], "model": "bert", "documents": documents});
        let found = server.post("/v1/tag", &request).ok();
        let each: Vec<Value> = documents
            .iter()
            .map(|document| expected(document.clone(), unit))
            .collect();
        assert_eq!(found, json!({"documents": each}));
    }
    assert_eq!(
        server.post("/v1/tag", &json!({"documents": []})).ok(),
        json!({"documents": []})
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn mistakes_are_named() {
    let mut config = config();
    config.max_text_chars = 20;
    config.max_client_batch = 3;
    config.max_labels = 2;
    config.max_targets = 1;
    let server = TestServer::with(config, vec![tagger_source()]);
    let long = "щ".repeat(21);
    for (body, status, error_type, part) in [
        (json!({}), 422, "validation", "no field \"text\""),
        (
            json!({"text": 1}),
            422,
            "validation",
            "\"text\" is a number, expected a string",
        ),
        (json!({"text": null}), 422, "validation", "\"text\" is null"),
        (
            json!({"text": "a", "tasks": ["sentiment"]}),
            422,
            "validation",
            "no head for the task \"sentiment\", it has: ner",
        ),
        (
            json!({"text": "a", "tasks": []}),
            422,
            "validation",
            "\"tasks\" is empty, the model has: ner",
        ),
        (
            json!({"text": "a", "tasks": 1}),
            422,
            "validation",
            "\"tasks\" is a number",
        ),
        (
            json!({"text": "a", "offset_unit": "bytes"}),
            422,
            "validation",
            "\"offset_unit\" is \"bytes\"",
        ),
        (
            json!({"text": "a", "model": "other"}),
            404,
            "not_found",
            "there is bert",
        ),
        (
            json!({"text": long}),
            413,
            "too_large",
            "more than 20 characters",
        ),
        (
            json!({"documents": {}}),
            422,
            "validation",
            "\"documents\" is an object, expected a list",
        ),
        (
            json!({"documents": ["a"]}),
            422,
            "validation",
            "documents[0]: it is a string",
        ),
        (
            json!({"documents": [{"text": "a"}, {}]}),
            422,
            "validation",
            "documents[1]: no field",
        ),
        (
            json!({"documents": [], "text": "a"}),
            422,
            "validation",
            "unknown field \"text\" beside",
        ),
        (
            json!({"documents": [{"text": "a"}, {"text": "b"}, {"text": "c"}, {"text": "d"}]}),
            413,
            "too_large",
            "4 texts, at most 3",
        ),
        (
            json!({"text": "ab", "targets": [{"start": 0, "end": 1}, {"start": 1, "end": 2}]}),
            413,
            "too_large",
            "2 targets, at most 1 in a document",
        ),
        (
            json!([]),
            422,
            "validation",
            "the body is a list, expected an object",
        ),
    ] {
        server
            .post("/v1/tag", &body)
            .expect_error(status, error_type, part);
    }
    let fits = server.post("/v1/tag", &json!({"text": "щ".repeat(20)}));
    assert_eq!(fits.status, 200);
    for (body, status, error_type, part) in [
        (
            json!({"text": "a", "labels": ["x"]}),
            422,
            "validation",
            "no model here classifies",
        ),
        (
            json!({"text": "a", "labels": ["x"], "model": "bert"}),
            422,
            "validation",
            "\"bert\" is none that classifies",
        ),
        (
            json!({"text": "a", "labels": ["x", "y", "z"]}),
            413,
            "too_large",
            "3 labels, at most 2",
        ),
    ] {
        server
            .post("/v1/classify", &body)
            .expect_error(status, error_type, part);
    }
}

#[test]
fn documents_are_classified_by_any_labels() {
    let server = TestServer::start();
    let request = json!({
        "labels": ["sport", "war"],
        "documents": [{"text": "Матч закончился.", "lang": "ru"}, {"text": "The match ended."}],
    });
    let found = server.post("/v1/classify", &request).ok();
    let documents = found["documents"].as_array().unwrap();
    assert_eq!(
        documents[0]["vestnik"]["template"],
        "Этот текст на тему: {}."
    );
    assert_eq!(
        documents[1]["vestnik"]["template"],
        "This text is about {}."
    );
    for document in documents {
        let classes = document["classes"].as_array().unwrap();
        let sum: f64 = classes
            .iter()
            .map(|class| class["score"].as_f64().unwrap())
            .sum();
        assert!((sum - 1.0).abs() < 1e-3, "{document}");
    }
    let one = server
        .post(
            "/v1/classify",
            &json!({"text": "The match ended.", "labels": "sport, war"}),
        )
        .ok();
    assert_eq!(one["classes"], documents[1]["classes"]);
    let none = json!({"text": "The match ended.", "labels": ["sport", "war"], "min_score": 1});
    assert_eq!(
        server.post("/v1/classify", &none).ok()["classes"],
        json!([])
    );
}

#[test]
fn mistakes_in_labels_are_named() {
    let server = TestServer::start();
    for (fields, part) in [
        (json!({}), "no field \"labels\""),
        (json!({"labels": []}), "\"labels\""),
        (json!({"labels": ["a", "a"]}), "\"a\" occurs twice"),
        (json!({"labels": ["a", 1]}), "\"labels[1]\" is a number"),
        (
            json!({"labels": ["a"], "template": "none"}),
            "has 0 places {}",
        ),
        (
            json!({"labels": ["a"], "multi_label": "yes"}),
            "\"multi_label\" is a string",
        ),
        (
            json!({"labels": ["a"], "min_score": 2}),
            "\"min_score\" is 2, expected 0 to 1",
        ),
        (
            json!({"labels": ["very ".repeat(60)]}),
            "the hypothesis for the label",
        ),
    ] {
        let mut body: Map<String, Value> = fields.as_object().unwrap().clone();
        body.insert("text".to_owned(), "The match ended.".into());
        server
            .post("/v1/classify", &body.into())
            .expect_error(422, "validation", part);
    }
}
