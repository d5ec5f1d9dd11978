//! Shapes of other servers.

use serde_json::{Value, json};

use crate::test_server::TestServer;

const TEXT: &str =
    "🙂 Мэр Киева Виталий Кличко заявил об этом. Мэр Киева Виталий Кличко заявил об этом.";

fn entities(server: &TestServer) -> Vec<Value> {
    let found = server.post("/v1/tag", &json!({"text": TEXT})).ok();
    found["entities"].as_array().unwrap().clone()
}

/// Each entity has a counterpart in the other shape with the same place, name and label.
#[track_caller]
fn check(expected: &[Value], found: &Value, label: &str) {
    let found = found.as_array().unwrap();
    assert!(!expected.is_empty());
    assert_eq!(found.len(), expected.len());
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(found[label], expected["label"]);
        assert_eq!(found["word"], expected["text"]);
        assert_eq!(
            (&found["start"], &found["end"]),
            (&expected["start"], &expected["end"])
        );
        let difference = found["score"].as_f64().unwrap() - expected["score"].as_f64().unwrap();
        assert!(difference.abs() < 1e-4);
    }
}

#[test]
fn the_inference_api_of_hugging_face() {
    let server = TestServer::start();
    let expected = entities(&server);
    for path in ["/", "/models/bert"] {
        let one = server.post(
            path,
            &json!({"inputs": TEXT, "parameters": {"aggregation_strategy": "simple"}}),
        );
        check(&expected, &one.ok(), "entity_group");
    }
    let many = server
        .post(
            "/",
            &json!({"inputs": [TEXT, ""], "options": {"wait_for_model": true}}),
        )
        .ok();
    check(&expected, &many[0], "entity_group");
    assert_eq!(many[1], json!([]));
    assert_eq!(server.post("/", &json!({"inputs": []})).ok(), json!([]));
    let parameters =
        json!({"candidate_labels": ["sport", "war", "art"], "hypothesis_template": "{}!"});
    let answer = server
        .post(
            "/",
            &json!({"inputs": "A match.", "parameters": parameters}),
        )
        .ok();
    assert_eq!(answer["sequence"], "A match.");
    let scores: Vec<f64> = answer["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|score| score.as_f64().unwrap())
        .collect();
    assert_eq!(answer["labels"].as_array().unwrap().len(), 3);
    assert!(scores.is_sorted_by(|a, b| a >= b));
}

#[test]
fn mistakes_in_its_shape_are_named() {
    let server = TestServer::start();
    for (body, status, error_type, part) in [
        (json!({}), 422, "validation", "no field \"inputs\""),
        (
            json!({"inputs": {"a": 1}}),
            422,
            "validation",
            "\"inputs\" is an object",
        ),
        (
            json!({"inputs": ["a", 1]}),
            422,
            "validation",
            "\"inputs[1]\" is a number",
        ),
        (
            json!({"inputs": "a", "parameters": []}),
            422,
            "validation",
            "\"parameters\" is a list",
        ),
        (
            json!({"inputs": "a", "parameters": {"aggregation_strategy": "none"}}),
            422,
            "validation",
            "the server groups by viterbi",
        ),
        (
            json!({"inputs": "a", "parameters": {"aggregation_strategy": "best"}}),
            422,
            "validation",
            "best",
        ),
    ] {
        server
            .post("/", &body)
            .expect_error(status, error_type, part);
    }
    server
        .post("/models/none", &json!({"inputs": "a"}))
        .expect_error(404, "not_found", "bert, nli");
    server
        .post("/models/nli", &json!({"inputs": "a"}))
        .expect_error(422, "validation", "none that tags");
}

#[test]
fn text_embeddings_inference_predicts() {
    let server = TestServer::start();
    let expected = entities(&server);
    let one = server
        .post("/predict", &json!({"inputs": TEXT, "truncate": false}))
        .ok();
    check(&expected, &one, "label");
    let many = server
        .post("/predict", &json!({"inputs": [[TEXT], [""]]}))
        .ok();
    check(&expected, &many[0], "label");
    assert_eq!(many[1], json!([]));
    for inputs in [json!(["a", "b"]), json!([["a", "b"]]), json!([[]])] {
        server
            .post("/predict", &json!({"inputs": inputs}))
            .expect_error(422, "validation", "no list of one text");
    }
}

#[test]
fn text_embeddings_inference_tokenizes() {
    let server = TestServer::start();
    let found = server.post("/tokenize", &json!({"inputs": TEXT})).ok();
    let tokens = found[0].as_array().unwrap();
    assert_eq!(
        tokens[0],
        json!({"id": tokens[0]["id"], "text": "[CLS]", "special": true, "start": null, "stop": null})
    );
    let chars: Vec<char> = TEXT.chars().collect();
    for token in &tokens[1..tokens.len() - 1] {
        let place = |name: &str| usize::try_from(token[name].as_u64().unwrap()).unwrap();
        let slice: String = chars[place("start")..place("stop")].iter().collect();
        assert_eq!(token["text"], slice);
    }
    let bare = json!({"inputs": [TEXT, ""], "add_special_tokens": false});
    let found = server.post("/tokenize", &bare).ok();
    assert_eq!(
        found[0].as_array().unwrap().as_slice(),
        &tokens[1..tokens.len() - 1]
    );
    assert_eq!(found[1], json!([]));
}

fn infer_request(shape: &Value, data: &Value) -> Value {
    json!({
        "id": "42",
        "inputs": [{"name": "text", "shape": shape, "datatype": "BYTES", "data": data}],
        "outputs": [{"name": "record"}],
    })
}

#[test]
fn kserve_infers() {
    let server = TestServer::start();
    let expected = server.post("/v1/tag", &json!({"text": TEXT})).ok();
    for (shape, data) in [
        (json!([2]), json!([TEXT, ""])),
        (json!([2, 1]), json!([[TEXT], [""]])),
    ] {
        let found = server
            .post("/v2/models/bert/infer", &infer_request(&shape, &data))
            .ok();
        assert_eq!(
            (&found["model_name"], &found["id"]),
            (&json!("bert"), &json!("42"))
        );
        let output = &found["outputs"][0];
        assert_eq!(
            (&output["name"], &output["datatype"], &output["shape"]),
            (&json!("record"), &json!("BYTES"), &json!([2]))
        );
        let record: Value = serde_json::from_str(output["data"][0].as_str().unwrap()).unwrap();
        assert_eq!(record, expected);
    }
}

#[test]
fn kserve_describes_itself() {
    let server = TestServer::start();
    assert_eq!(server.get("/v2").ok()["name"], "vestnik");
    assert_eq!(server.get("/v2/health/live").ok(), json!({"live": true}));
    assert_eq!(server.get("/v2/health/ready").ok(), json!({"ready": true}));
    assert_eq!(
        server.get("/v2/models/bert/ready").ok(),
        json!({"name": "bert", "ready": true})
    );
    let model = server.get("/v2/models/bert").ok();
    assert_eq!(
        model["inputs"][0],
        json!({"name": "text", "datatype": "BYTES", "shape": [-1]})
    );
    server
        .get("/v2/models/none/ready")
        .expect_error(404, "not_found", "none");
}

#[test]
fn mistakes_in_the_shape_of_kserve_are_named() {
    let server = TestServer::start();
    let input = |name: &str, datatype: &str| json!({"inputs": [{"name": name, "shape": [1], "datatype": datatype, "data": ["a"]}]});
    for (body, part) in [
        (json!({}), "no field \"inputs\""),
        (json!({"inputs": []}), "\"inputs\" has 0 tensors"),
        (json!({"inputs": ["a"]}), "inputs[0] is a string"),
        (input("texts", "BYTES"), "the input is called \"texts\""),
        (input("text", "FP32"), "the input is FP32"),
        (
            infer_request(&json!([2]), &json!(["a"])),
            "\"shape\" is [2], \"data\" has 1 texts",
        ),
        (
            infer_request(&json!([-1]), &json!(["a"])),
            "\"shape\" is [-1]",
        ),
        (
            infer_request(&json!([u64::MAX, u64::MAX]), &json!(["a"])),
            "\"shape\" is",
        ),
        (
            infer_request(&json!([1]), &json!([1])),
            "\"data[0]\" is a number",
        ),
    ] {
        server
            .post("/v2/models/bert/infer", &body)
            .expect_error(422, "validation", part);
    }
}
