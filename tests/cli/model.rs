//! `model info` and `model transplant`.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[test]
fn info_tells_what_is_in_a_directory() {
    let sandbox = Sandbox::with_model();
    assert_snapshot!(sandbox.run("model info tiny"), @r#"
    exit 0
    --- stdout
    model         tiny
    architecture  bert (BertForTokenClassification)
    head          token-classification
    tasks         ner
    labels        O, B-PER, I-PER, B-LOC, I-LOC
    parameters    16061 (f32)
    size          3 layers, 24 wide, 4 heads, 60 pieces
    limit         40 tokens; longer articles in windows
    missing       none
    unused        none
    "#);
    assert_snapshot!(sandbox.run("model info tiny --json"), @r#"
    exit 0
    --- stdout
    {"model":"tiny","architecture":"bert","classes":["BertForTokenClassification"],"head":"token-classification","tasks":["ner"],"labels":["O","B-PER","I-PER","B-LOC","I-LOC"],"parameters":16061,"dtype":"f32","vocab_size":60,"hidden_size":24,"layers":3,"attention_heads":4,"max_tokens":40,"missing":[],"unused":[]}
    "#);
}

#[test]
fn info_tells_missing_tensors() {
    let sandbox = Sandbox::with_model();
    let config = String::from_utf8(sandbox.read("tiny/config.json")).unwrap();
    sandbox.write(
        "tiny/config.json",
        config.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4"),
    );
    let ran = sandbox.run("model info tiny --json");
    assert_eq!(ran.code, 1, "{ran}");
    let info: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let missing = info["missing"].as_array().unwrap();
    assert!(
        missing
            .iter()
            .all(|name| name.as_str().unwrap().starts_with("bert.encoder.layer.3."))
    );
    assert_eq!(missing.len(), 16);
}

#[test]
fn info_of_what_is_no_model() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run("model info nowhere"), @r#"
    exit 2
    --- stderr
    error: nowhere: no such model directory
    hint: a model is a directory, the built-in model vestnik-news, or a name on the hub: ORG/NAME or ORG/NAME@REVISION
    "#);
    sandbox.write("bad/config.json", "{}");
    assert_snapshot!(sandbox.run("model info bad"), @r#"
    exit 2
    --- stderr
    error: bad/config.json: no model_type; is this the config.json of a transformers model?
    "#);
    sandbox.write("bad/config.json", r#"{"model_type":"gpt2"}"#);
    assert_snapshot!(sandbox.run("model info bad"), @r#"
    exit 2
    --- stderr
    error: bad/config.json: model_type = gpt2 is not supported; supported: bert, roberta, xlm-roberta, camembert, distilbert, electra, deberta-v2, modernbert
    "#);
}

#[test]
fn an_encoder_gets_another_vocabulary() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "text.txt",
        "Kyiv waits for the president, and Sofia too. ".repeat(40),
    );
    assert_eq!(
        sandbox
            .run("tokenizer train --vocab-size 900 -o tokenizer.json text.txt")
            .code,
        0
    );
    let transplant = "model transplant --from tiny --tokenizer tokenizer.json -o new";
    let ran = sandbox.run(transplant);
    assert_eq!(ran.code, 0, "{ran}");
    let info = sandbox.run("model info new --json").records().remove(0);
    assert_eq!(info["layers"], 3);
    assert_ne!(info["vocab_size"], 60);
    assert_eq!(sandbox.names(), ["new", "text.txt", "tokenizer.json"]);
    assert_snapshot!(sandbox.run(transplant), @r#"
    exit 2
    --- stderr
    error: new exists
    hint: name another directory
    "#);
}

#[test]
fn help_says_what_the_program_is_for() {
    let ran = Sandbox::new().run("--help");
    assert_eq!(ran.code, 0);
    assert!(
        ran.stdout
            .starts_with("Reads news articles in many languages"),
        "{ran}"
    );
    assert!(
        Sandbox::new()
            .run("tell")
            .stderr
            .starts_with("error: unrecognized subcommand 'tell'")
    );
}

#[cfg(feature = "embedded-model")]
#[test]
fn the_built_in_model_is_the_default() {
    let sandbox = Sandbox::new();
    let text = "Президент Франции Эмманюэль Макрон прибыл в Киев.";
    sandbox.write("news.jsonl", serde_json::json!({"text": text}).to_string());
    let named = sandbox.run("tag --model vestnik-news --device cpu --progress none news.jsonl");
    let tagged = sandbox.run("tag --device cpu --progress none news.jsonl");
    assert_eq!(tagged.stdout, named.stdout);
    let record = &tagged.records()[0];
    assert_eq!(record["vestnik"]["model"], "vestnik-news");
    let names: Vec<&str> = record["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["text"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"Киев"), "{names:?}");
    let info = sandbox.run("model info --json").records().remove(0);
    assert_eq!(info["model"], "vestnik-news");
    assert!(info["window"]["tokens"].is_number());
}

#[test]
fn layers_that_int8_harms_stay_in_f32() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "news.jsonl",
        "{\"text\":\"Киев и Лондон. Banks of London.\"}\n",
    );
    let ran = sandbox.run("model int8 tiny news.jsonl --most 1e-9 --json");
    assert_eq!(ran.code, 0, "{ran}");
    let found = &ran.records()[0];
    assert_eq!(found["f32_layers"], serde_json::json!([0, 1, 2]));
    assert!(found["all"].as_f64().unwrap() > 0.0);
    assert_eq!(found["kept"], 0.0, "all layers are in f32: {found}");
    let settings = sandbox.records_of("tiny/vestnik.json");
    assert_eq!(settings["int8"]["f32_layers"], found["f32_layers"]);

    // The model is read with it from now on.
    let tag = |dtype: &str| {
        let ran = sandbox.run(&format!(
            "tag news.jsonl --model tiny --device cpu --progress none --dtype {dtype}"
        ));
        assert_eq!(ran.code, 0, "{ran}");
        ran.records()[0]["entities"].clone()
    };
    assert_eq!(tag("int8"), tag("f32"));

    let ran = sandbox.run("model int8 tiny news.jsonl --most 10");
    assert!(ran.stdout.contains("layer 2"), "{ran}");
    let settings = sandbox.records_of("tiny/vestnik.json");
    assert_eq!(settings.get("int8"), None, "none loses so much");
    for (args, expected) in [
        ("model int8 tiny news.jsonl --most 0", "a number above 0"),
        (
            "model int8 nowhere news.jsonl",
            "nowhere: no such model directory",
        ),
        (
            "model int8 tiny nowhere.jsonl",
            "nowhere.jsonl: no such file or folder",
        ),
    ] {
        let ran = sandbox.run(args);
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.contains(expected), "{ran}");
    }
}
