//! Mistakes of the caller and defects of the input: one clear line, exit code 2 or 1, nothing half-written.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

/// Runs `tag` on one input file; nothing but the input may be there afterwards.
fn tag(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let sandbox = Sandbox::with_model();
    sandbox.write(name, bytes);
    let ran = sandbox.tag(&format!("{name} -o out.jsonl"));
    assert_eq!(sandbox.names(), [name], "{ran}");
    ran.to_string()
}

#[test]
fn missing_file() {
    let sandbox = Sandbox::with_model();
    assert_snapshot!(sandbox.tag("news.jsonl -o out.jsonl"), @r#"
    exit 2
    --- stderr
    error: news.jsonl: no such file or folder
    "#);
    assert!(sandbox.names().is_empty());
}

#[test]
fn empty_file() {
    assert_snapshot!(tag("news.jsonl", ""), @r#"
    exit 2
    --- stderr
    error: news.jsonl: the file is empty, expected at least one record
    "#);
    assert_snapshot!(tag("news.txt", ""), @r#"
    exit 2
    --- stderr
    error: news.txt: the file is empty, expected at least one record
    "#);
}

#[test]
fn empty_text() {
    assert_snapshot!(tag("news.jsonl", r#"{"text":" "}"#), @r#"
    exit 2
    --- stderr
    error: news.jsonl:1: text is empty, expected some text
    "#);
}

#[test]
fn broken_utf8() {
    assert_snapshot!(tag("news.jsonl", b"{\"text\":\"Sofia \xff\"}\n"), @r#"
    exit 2
    --- stderr
    error: news.jsonl:1: invalid UTF-8 at byte 15 of the line; hint: convert the file, e.g. iconv -f CP1251 -t UTF-8
    "#);
    assert_snapshot!(tag("news.txt", b"Sofia\nsays \xff\n"), @r#"
    exit 2
    --- stderr
    error: news.txt:2: invalid UTF-8 at byte 5 of the line; hint: convert the file, e.g. iconv -f CP1251 -t UTF-8
    "#);
}

#[test]
fn no_text_field() {
    assert_snapshot!(tag("news.jsonl", r#"{"id":1,"body":"Sofia"}"#), @r#"
    exit 2
    --- stderr
    error: news.jsonl:1: no field "text", found "id", "body"
    "#);
}

#[test]
fn one_defect_after_another() {
    assert_snapshot!(tag("news.jsonl", "{\"id\":1}\n{\"text\":7}\nSofia\n"), @r#"
    exit 2
    --- stderr
    set aside: news.jsonl:1: no field "text", found "id"
    set aside: news.jsonl:2: text is a number, expected a string
    set aside: news.jsonl:3: invalid JSON at column 1 (expected value), expected one JSON object
    error: no article could be read, 3 records were set aside
    "#);
}

#[test]
fn defects_between_sound_records_are_set_aside() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "news.jsonl",
        "{\"text\":\"Sofia\"}\n{\"text\":\"\"}\nSofia\n{\"text\":\"Kyiv\"}\n",
    );
    assert_snapshot!(sandbox.tag("news.jsonl -o out.jsonl"), @r#"
    exit 1
    --- stderr
    device: cpu
    set aside: news.jsonl:2: text is empty, expected some text
    set aside: news.jsonl:3: invalid JSON at column 1 (expected value), expected one JSON object
    "#);
    let texts: Vec<_> = sandbox
        .records("out.jsonl")
        .iter()
        .map(|r| r["text"].clone())
        .collect();
    assert_eq!(texts, ["Sofia", "Kyiv"]);
}

#[test]
fn defects_go_to_a_file_of_their_own() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\nSofia\n");
    assert_snapshot!(sandbox.tag("news.jsonl -o out.jsonl --errors aside.jsonl"), @r#"
    exit 1
    --- stderr
    device: cpu
    "#);
    assert_snapshot!(String::from_utf8(sandbox.read("aside.jsonl")).unwrap(), @r#"{"path":"news.jsonl","line":2,"problem":"invalid JSON at column 1 (expected value), expected one JSON object","record":"Sofia"}"#);
}

#[test]
fn articles_that_take_too_long() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", "{\"text\":\"Kyiv waits.\"}\n");
    assert_snapshot!(sandbox.tag("news.jsonl --max-seconds 0.000000001"), @r#"
    exit 2
    --- stderr
    device: cpu
    error: news.jsonl:1: takes longer than the 0.000000001 s that are allowed for an article
    "#);
    assert_eq!(sandbox.tag("news.jsonl --max-seconds 1000").code, 0);
    let ran = sandbox.tag("news.jsonl --max-seconds 0");
    assert!(
        ran.code == 2 && ran.stderr.contains("a number of seconds above 0"),
        "{ran}"
    );
}

#[test]
fn on_error_fail_makes_no_output() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\nSofia\n");
    assert_snapshot!(sandbox.tag("news.jsonl -o out.jsonl --on-error fail"), @r#"
    exit 2
    --- stderr
    device: cpu
    error: news.jsonl:2: invalid JSON at column 1 (expected value), expected one JSON object
    "#);
    assert_eq!(sandbox.names(), ["news.jsonl"]);
}

#[test]
fn output_that_exists_is_left_alone() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    sandbox.write("out.jsonl", "precious\n");
    assert_snapshot!(sandbox.tag("news.jsonl -o out.jsonl"), @r#"
    exit 2
    --- stderr
    error: out.jsonl exists
    hint: --force overwrites it
    "#);
    assert_eq!(sandbox.read("out.jsonl"), b"precious\n");
    assert_eq!(sandbox.tag("news.jsonl -o out.jsonl --force").code, 0);
    assert_eq!(sandbox.records("out.jsonl").len(), 1);
}

#[test]
fn output_in_a_folder_that_is_not_there() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    assert_snapshot!(sandbox.tag("news.jsonl -o no/out.jsonl"), @r#"
    exit 2
    --- stderr
    error: cannot write no/out.jsonl: the folder no does not exist
    "#);
    assert_snapshot!(sandbox.tag("news.jsonl -o tiny"), @r#"
    exit 2
    --- stderr
    error: tiny is a folder
    hint: name a file to write
    "#);
}

#[test]
fn folder_without_articles() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news/readme.md", "Sofia");
    assert_snapshot!(sandbox.tag("news"), @r#"
    exit 2
    --- stderr
    error: news: the folder holds no articles, expected .txt, .jsonl, .json, .csv, .tsv, .parquet, .warc, .xml or .html files (also .gz, .zst, .bz2, .xz)
    "#);
}

#[test]
fn unknown_task() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    assert_snapshot!(sandbox.tag("news.jsonl --tasks ner,topic"), @r#"
    exit 2
    --- stderr
    error: the model has no head for the task "topic"
    hint: it has: ner
    "#);
}

#[test]
fn unknown_device() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    let ran = sandbox.run("tag --model tiny --device gpu news.jsonl");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.starts_with("error: invalid value 'gpu'"),
        "{ran}"
    );
}

#[test]
fn a_negative_number_is_a_wrong_value() {
    let sandbox = Sandbox::with_model();
    let ran = sandbox.run("tag --model tiny --batch-tokens -3 news.jsonl");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr
            .starts_with("error: invalid value '-3' for '--batch-tokens <N>'"),
        "{ran}"
    );
}

#[cfg(not(feature = "cuda"))]
#[test]
fn device_that_is_not_there() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    let ran = sandbox.run("tag --model tiny --device cuda news.jsonl");
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    error: device cuda:0 is not available: this program was built without CUDA
    "#);
}

#[test]
fn several_devices_are_for_tag_alone() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    let ran = sandbox.run("bench --model tiny --device cpu,cpu news.jsonl");
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    error: 2 devices were named, expected one
    hint: `vestnik tag` alone shares its work among several
    "#);
}

#[test]
fn the_automatic_device_is_told() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    let ran = sandbox.run("tag --model tiny --progress none news.jsonl");
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.stderr.starts_with("device: "), "{ran}");
}

#[test]
fn models_that_cannot_be_used() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    let tag = |model: &str| sandbox.run(&format!("tag --model {model} --device cpu news.jsonl"));
    assert_snapshot!(tag("nowhere"), @r#"
    exit 2
    --- stderr
    error: nowhere: no such model directory
    hint: a model is a directory, the built-in model vestnik-news, or a name on the hub: ORG/NAME or ORG/NAME@REVISION
    "#);
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    assert_snapshot!(tag("empty"), @r#"
    exit 2
    --- stderr
    error: empty: no config.json here; a model directory holds config.json, tokenizer.json and model.safetensors
    "#);

    let config = String::from_utf8(sandbox.read("tiny/config.json")).unwrap();
    sandbox.write("tiny/config.json", config.replace("id2label", "id2name"));
    assert_snapshot!(tag("tiny"), @r#"
    exit 2
    --- stderr
    error: tiny/config.json: the labels are placeholders (LABEL_0, LABEL_1), so nobody knows what the model finds; name every output under id2label, such as "0": "O", "1": "B-PER"
    "#);

    sandbox.write("tiny/config.json", config.replace("\"O\"", "\"X\""));
    assert_snapshot!(tag("tiny"), @r#"
    exit 2
    --- stderr
    error: the model's labels are no entity tags: no tag "O" among the labels ["X", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    hint: --aggregation simple takes any labels
    "#);

    sandbox.write("tiny/config.json", config);
    let weights = sandbox.read("tiny/model.safetensors");
    sandbox.write("tiny/model.safetensors", "cut");
    assert_snapshot!(tag("tiny"), @r#"
    exit 2
    --- stderr
    error: tiny/model.safetensors: the file is truncated: 3 bytes, not even a header; fetch it again
    "#);

    sandbox.write("tiny/model.safetensors", weights);

    std::fs::remove_file(sandbox.path("tiny/tokenizer.json")).unwrap();
    assert_snapshot!(tag("tiny"), @r#"
    exit 2
    --- stderr
    error: tiny/tokenizer.json: no such file; a model needs its tokenizer
    "#);
}

#[test]
fn settings_of_a_model_that_are_not_understood() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    sandbox.write(
        "tiny/vestnik.json",
        r#"{"format_version":2,"window":{"tokens":30,"context":4}}"#,
    );
    assert_snapshot!(sandbox.tag("news.jsonl"), @r#"
    exit 2
    --- stderr
    error: vestnik.json has format_version 2, this version reads 1
    "#);
    sandbox.write(
        "tiny/vestnik.json",
        r#"{"format_version":1,"window":{"tokens":300,"context":4}}"#,
    );
    assert_snapshot!(sandbox.tag("news.jsonl"), @r#"
    exit 2
    --- stderr
    error: windows of 300 tokens with 4 of context on each side do not fit: the model has room for 38
    "#);
}

#[cfg(not(feature = "embedded-model"))]
#[test]
fn program_without_a_model() {
    let sandbox = Sandbox::new();
    sandbox.write("news.jsonl", r#"{"text":"Sofia"}"#);
    assert_snapshot!(sandbox.run("tag news.jsonl"), @r#"
    exit 2
    --- stderr
    error: this build of vestnik has no model in it
    hint: name a model directory
    "#);
}

#[test]
fn an_output_that_is_an_input_or_another_output_is_refused() {
    let sandbox = Sandbox::with_model();
    let news = "{\"text\":\"Sofia\"}\nBROKEN\n";
    let refused = |name: &str, args: &str| {
        sandbox.write("news.jsonl", news);
        sandbox.write("news.csv", "text\nSofia\n");
        sandbox.write("tagged.jsonl", "");
        let ran = sandbox.run(args);
        assert_eq!(ran.code, 2, "{args}: {ran}");
        assert!(
            ran.stderr.starts_with(&format!("error: {name} is ")),
            "{args}: {ran}"
        );
        assert_eq!(sandbox.read("news.jsonl"), news.as_bytes(), "{args}");
        assert_eq!(
            sandbox.names(),
            ["news.csv", "news.jsonl", "tagged.jsonl"],
            "{args}"
        );
    };
    let tag = "tag --model tiny --device cpu --force";
    for (name, args) in [
        ("news.jsonl", "news.jsonl -o news.jsonl"),
        ("./news.jsonl", "news.jsonl -o ./news.jsonl --limit 1"),
        ("news.jsonl", "news.jsonl --errors news.jsonl"),
        (
            "news.csv",
            "news.csv -o tagged.jsonl --entities-table news.csv",
        ),
        (
            "tagged.jsonl",
            "news.jsonl -o tagged.jsonl --errors tagged.jsonl",
        ),
        (
            "tagged.jsonl",
            "news.jsonl -o tagged.jsonl --entities-table tagged.jsonl",
        ),
    ] {
        refused(name, &format!("{tag} {args}"));
    }
    for args in [
        "evaluate --model tiny --data news.jsonl --predictions news.jsonl",
        "show news.jsonl -o news.jsonl",
        "data convert news.jsonl -o news.jsonl",
        "tokenizer train news.jsonl -o news.jsonl",
        "classify news.csv --few-shot news.jsonl -o news.jsonl",
        "classify news.csv --few-shot news.jsonl --save-head news.jsonl",
        "merge news.jsonl -o news.jsonl",
    ] {
        refused("news.jsonl", &format!("{args} --force"));
    }
}

#[test]
fn outputs_in_the_folder_of_the_inputs_are_not_read() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news/a.jsonl", "{\"text\":\"Sofia\"}\nBROKEN\n");
    for force in ["", "--force", "--force"] {
        let places = "-o news/out.jsonl --errors news/errors.jsonl --entities-table news/t.csv";
        let ran = sandbox.tag(&format!("news {places} {force}"));
        assert_eq!(ran.code, 1, "{ran}");
        assert_eq!(sandbox.records("news/out.jsonl").len(), 1, "{ran}");
        assert_eq!(sandbox.records("news/errors.jsonl").len(), 1, "{ran}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_standard_output_is_sent_to_is_not_read() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news/a.jsonl", "{\"text\":\"Sofia\"}\n");
    let tag = |inputs: &str| {
        let out = std::fs::File::create(sandbox.path("news/out.jsonl")).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vestnik"));
        let command = command
            .current_dir(sandbox.path("news"))
            .args(["tag", inputs, "--model", "../tiny", "--device", "cpu"]);
        command.stdout(out).output().unwrap()
    };
    assert_eq!(tag(".").status.code(), Some(0));
    assert_eq!(sandbox.records("news/out.jsonl").len(), 1);
    let refused = tag("out.jsonl");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains("is an input and an output"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_pipe_that_is_named_is_read_once() {
    let sandbox = Sandbox::with_model();
    let script = "mkfifo pipe.jsonl && (echo '{\"text\":\"Sofia\"}' > pipe.jsonl &) && exec \"$0\" tag pipe.jsonl \
                  --model tiny --device cpu -o out.jsonl";
    let ran = std::process::Command::new("sh")
        .current_dir(sandbox.path(""))
        .args(["-c", script, env!("CARGO_BIN_EXE_vestnik")])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{message}");
    assert_eq!(sandbox.records("out.jsonl").len(), 1);
}
