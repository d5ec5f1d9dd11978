//! `pretrain` at work on caches of tokens, with temperatures, and on every architecture.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};
use crate::train::sandbox;

/// Taggers: their heads are left aside, the one for masked tokens begins fresh.
const WITHOUT_HEAD: [&str; 8] = [
    "bert",
    "roberta",
    "xlm_roberta",
    "camembert",
    "distilbert",
    "electra",
    "deberta_v2",
    "modernbert",
];

/// Masked language models; ELECTRA's is a generator, DeBERTa has heads by two names.
const WITH_HEAD: [&str; 9] = [
    "bert_mlm",
    "roberta_mlm",
    "xlm_roberta_mlm",
    "camembert_mlm",
    "distilbert_mlm",
    "electra_mlm",
    "deberta_v2_mlm",
    "deberta_v2_mlm_new",
    "modernbert_mlm",
];

fn pretrain(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "pretrain runs/mlm.toml --device cpu --progress none {args}"
    ))
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("crates/vestnik-model/tests/fixtures")
        .join(name)
}

#[test]
fn every_encoder_can_be_adapted_to_a_domain() {
    let sandbox = sandbox();
    for name in WITHOUT_HEAD.iter().chain(&WITH_HEAD) {
        for file in ["config.json", "model.safetensors"] {
            let bytes = std::fs::read(fixture(name).join(file)).unwrap();
            sandbox.write(&format!("base/{name}/{file}"), bytes);
        }
        let config = sandbox.records_of(&format!("base/{name}/config.json"));
        let tokenizer = std::fs::read(fixture(name).join("tokenizer.json"));
        let tokenizer = tokenizer.unwrap_or_else(|_| word_tokenizer(&config["pad_token_id"]));
        sandbox.write(&format!("base/{name}/tokenizer.json"), tokenizer);
        adapt(&sandbox, name);
    }
}

/// A tokenizer of few words, for the models that come without one.
fn word_tokenizer(pad: &Value) -> Vec<u8> {
    let mut tokens = vec!["[CLS]", "[SEP]", "[UNK]", "[MASK]"];
    tokens.insert(pad.as_u64().unwrap() as usize, "[PAD]");
    tokens.extend(["Kyiv", "waits", "and", "Sofia", "too", "."]);
    let vocab: serde_json::Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), id.into()))
        .collect();
    let special = |(id, token)| {
        json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let added: Vec<Value> = tokens.iter().take(5).enumerate().map(special).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
    })
    .to_string()
    .into_bytes()
}

/// The loss falls, and the result is a base for taggers.
fn adapt(sandbox: &Sandbox, name: &str) {
    let ran = pretrain(
        sandbox,
        &format!(
            "-o mlm_{name} --set model.base=../base/{name} --set steps=30 --set evaluate_every=30 --set checkpoint_every=30 --set optimizer.learning_rate=5e-3"
        ),
    );
    assert_eq!(ran.code, 0, "{name}: {ran}");
    let log = sandbox.records(&format!("mlm_{name}/log.jsonl"));
    let losses: Vec<f64> = log
        .iter()
        .filter_map(|event| event["loss"].as_f64())
        .collect();
    let (first, last) = (&losses[..3], &losses[losses.len() - 3..]);
    let sum = |losses: &[f64]| losses.iter().sum::<f64>();
    assert!(sum(last) < sum(first), "{name}: {losses:?}");
    let info = sandbox.run(&format!("model info mlm_{name}/model --json"));
    let class = info.records()[0]["classes"][0].as_str().unwrap().to_owned();
    assert!(class.ends_with("ForMaskedLM"), "{name}: {class}");
    let ran = sandbox.run(&format!(
        "train runs/ner.toml --device cpu --progress none -o ner_{name} --set max_steps=1 --set model.base=../mlm_{name}/model"
    ));
    assert_eq!(ran.code, 0, "{name}: {ran}");
}

#[test]
fn texts_are_tokenised_once() {
    let sandbox = sandbox();
    assert_eq!(pretrain(&sandbox, "-o first").code, 0);
    assert_eq!(
        pretrain(&sandbox, "-o second --set cache=../first/tokens").code,
        0
    );
    assert!(!sandbox.path("second/tokens").exists());
    let weights = "model/model.safetensors";
    assert!(
        sandbox.read(&format!("first/{weights}")) == sandbox.read(&format!("second/{weights}"))
    );

    let folder = std::fs::read_dir(sandbox.path("first/tokens")).unwrap();
    let caches: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(caches.len(), 1);
    std::fs::remove_file(caches[0].join("ends")).unwrap();
    let ran = pretrain(&sandbox, "-o third --set cache=../first/tokens");
    let (told, _) = ran.stderr.split_once('\n').unwrap();
    assert!(
        told.ends_with("cannot be used: ends cannot be read (No such file or directory (os error 2)); tokenising again"),
        "{ran}"
    );
    assert!(sandbox.read(&format!("third/{weights}")) == sandbox.read(&format!("first/{weights}")));
}

#[test]
fn texts_with_defects_leave_no_cache() {
    let sandbox = sandbox();
    let mut texts = sandbox.read("runs/text.jsonl");
    texts.extend_from_slice(b"\n{}\n");
    sandbox.write("runs/text.jsonl", texts);
    assert_snapshot!(pretrain(&sandbox, ""), @r#"
    exit 2
    --- stderr
    error: runs/text.jsonl:41: no field "text", found nothing
    "#);
    assert!(!sandbox.path("runs/mlm").exists());
}

#[test]
fn what_corpora_and_languages_get_is_told() {
    let sandbox = sandbox();
    let texts: Vec<String> = (0..10)
        .map(|id| {
            json!({"id": id, "lang": "uk", "text": format!("Київ чекає {id}, і Львів чекає теж.")})
                .to_string()
        })
        .collect();
    sandbox.write("runs/uk.jsonl", texts.join("\n"));
    let mut run = String::from_utf8(sandbox.read("runs/mlm.toml")).unwrap();
    run.push_str("[[text]]\npath = \"uk.jsonl\"\n[sampling]\nlanguage_temperature = 2\n");
    sandbox.write("runs/mlm.toml", run);
    let ran = sandbox.run("pretrain runs/mlm.toml --device cpu --progress plain --set steps=1");
    let told: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains("of an epoch"))
        .collect();
    assert_snapshot!(told.join("\n"), @r#"
    corpora of an epoch: text.jsonl 79.6 % (68 drawn from 38), uk.jsonl 20.4 % (18 drawn from 10)
    languages of an epoch: bg 79.6 % (68 drawn from 38), uk 20.4 % (18 drawn from 10)
    "#);
    let record = sandbox.records_of("runs/mlm/model/run.json");
    assert_eq!(record["sampling"]["languages"][1]["name"], "uk");
    assert_eq!(record["sampling"]["corpora"][0]["name"], "text.jsonl");
    assert_snapshot!(pretrain(&sandbox, "-o hot --set sampling.language_temperature=0"), @r#"
    exit 2
    --- stderr
    error: runs/mlm.toml: setting `sampling.language_temperature` is 0, expected 0.1 to 1000
    "#);
}
