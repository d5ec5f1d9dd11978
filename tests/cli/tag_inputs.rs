//! What `tag` reads: JSON lines, compressed or not, text files, folders, standard input.

use std::io::Write;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const NEWS: &str = "{\"id\":\"a\",\"text\":\"Президент прибыл в Софию.\"}\n{\"id\":\"b\",\"text\":\"Kyiv waits.\"}\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_compressed_files_and_pipes_say_the_same() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", NEWS);
    sandbox.write("news.jsonl.gz", gzip(NEWS.as_bytes()));
    sandbox.write(
        "news.jsonl.zst",
        zstd::encode_all(NEWS.as_bytes(), 3).unwrap(),
    );
    let expected = sandbox.tag("news.jsonl").stdout;
    assert_eq!(expected.lines().count(), 2);
    for args in ["news.jsonl.gz", "news.jsonl.zst"] {
        assert_eq!(sandbox.tag(args).stdout, expected, "{args}");
    }
    for args in ["", "-"] {
        let args = format!("tag --model tiny --device cpu --progress none {args}");
        for stdin in [NEWS.as_bytes().to_vec(), gzip(NEWS.as_bytes())] {
            let ran = sandbox.run_with_stdin(&args, stdin);
            assert_eq!(ran.stdout, expected, "{ran}");
        }
    }
}

#[test]
fn outputs_are_compressed_by_their_names() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", NEWS);
    let expected = sandbox.tag("news.jsonl").stdout;
    for name in ["out.jsonl.gz", "out.jsonl.zst"] {
        let ran = sandbox.tag(&format!("news.jsonl -o {name}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran}");
    }
    let packed = sandbox.read("out.jsonl.gz");
    let unpacked = std::io::read_to_string(flate2::read::GzDecoder::new(&packed[..])).unwrap();
    assert_eq!(unpacked, expected);
    let unpacked = zstd::decode_all(&sandbox.read("out.jsonl.zst")[..]).unwrap();
    assert_eq!(unpacked, expected.as_bytes());
}

#[test]
fn folders_give_an_article_for_each_text_file() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news/b.txt", "Kyiv waits.");
    sandbox.write("news/a/2.txt", "Sofia waits.");
    sandbox.write("news/c.jsonl", NEWS);
    sandbox.write("news/notes.md", "Not an article.");
    let records = sandbox.tag("news news/b.txt").records();
    let ids: Vec<&Value> = records.iter().map(|record| &record["id"]).collect();
    assert_eq!(ids, ["a/2.txt", "b.txt", "a", "b", "b.txt"]);
    assert_eq!(records[0]["text"], "Sofia waits.");
}

#[test]
fn other_fields_can_be_named() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "news.jsonl",
        r#"{"key":7,"body":"Sofia","text":"not this"}"#,
    );
    let ran = sandbox.tag("news.jsonl --text-field body --id-field key");
    let tokens = &ran.records()[0]["vestnik"]["tokens"];
    sandbox.write("body.jsonl", r#"{"text":"Sofia"}"#);
    assert_eq!(
        tokens,
        &sandbox.tag("body.jsonl").records()[0]["vestnik"]["tokens"]
    );
}

#[test]
fn the_limit_counts_articles() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", NEWS);
    assert_eq!(sandbox.tag("news.jsonl --limit 1").records().len(), 1);
    assert_eq!(sandbox.tag("news.jsonl --limit 9").records().len(), 2);
}

#[test]
fn order_is_kept_over_many_records() {
    let sandbox = Sandbox::with_model();
    let mut dump = String::new();
    for id in 0..1500_usize {
        let text = "Sofia waits. ".repeat(1 + id * 7 % 5);
        dump.push_str(&json!({"id": id, "text": text}).to_string());
        dump.push('\n');
    }
    sandbox.write("dump.jsonl", dump);
    let records = sandbox.tag("dump.jsonl").records();
    assert!(
        records
            .iter()
            .map(|record| record["id"].as_u64())
            .eq((0..1500).map(Some))
    );
}

#[test]
fn a_line_of_five_megabytes_is_read_whole() {
    let sandbox = Sandbox::with_model();
    // Mostly blanks: a test of length, not of speed.
    let text = format!("Президент прибыл в Софию.{}", " ".repeat(1000)).repeat(5000);
    assert!(text.len() > 5_000_000);
    sandbox.write("news.jsonl", json!({"text": text}).to_string());
    let ran = sandbox.tag("news.jsonl");
    let record = &ran.records()[0];
    assert!(record["vestnik"]["tokens"].as_u64().unwrap() >= 20_000);
    assert_eq!(record["text"], text);
}

#[test]
fn strange_characters_are_kept() {
    let sandbox = Sandbox::with_model();
    let texts = [
        "\u{0}Sofia\u{0}",
        "\u{feff}Sofia",
        "🇺🇦 Kyiv 👩‍👩‍👧",
        "e\u{301}te\u{301} \u{202e}سوريا\u{202c}",
        "\n\n\u{3000}東京",
    ];
    let dump: Vec<String> = texts
        .iter()
        .map(|text| json!({"text": text}).to_string())
        .collect();
    sandbox.write("news.jsonl", dump.join("\n"));
    let records = sandbox.tag("news.jsonl").records();
    assert!(
        records
            .iter()
            .map(|record| &record["text"])
            .eq(texts.iter())
    );
}
