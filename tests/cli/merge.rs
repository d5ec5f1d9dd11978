//! Shards and their merging.

use insta::assert_snapshot;
use serde_json::json;

use crate::sandbox::Sandbox;

/// A dump, tagged whole and in three shards.
fn shards() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let line =
        |id: usize| json!({"id": id, "text": "Kyiv waits. ".repeat(1 + id % 4)}).to_string() + "\n";
    sandbox.write("news.jsonl", (0..300).map(line).collect::<String>());
    assert_eq!(sandbox.tag("news.jsonl -o whole.jsonl").code, 0);
    for shard in 1..=3 {
        let ran = sandbox.tag(&format!("news.jsonl -o {shard}.jsonl --shard {shard}/3"));
        assert_eq!(ran.code, 0, "{ran}");
    }
    sandbox
}

#[test]
fn merged_shards_are_the_whole_in_its_order() {
    let sandbox = shards();
    let sizes = [1, 2, 3].map(|shard| sandbox.records(&format!("{shard}.jsonl")).len());
    assert!(
        sizes.iter().sum::<usize>() == 300 && sizes.iter().all(|&size| size > 60),
        "{sizes:?}"
    );
    assert_snapshot!(sandbox.run("merge 3.jsonl 1.jsonl 2.jsonl -o merged.jsonl"), @r#"
    exit 0
    --- stderr
    300 articles of 3 shards
    "#);
    assert!(sandbox.read("merged.jsonl") == sandbox.read("whole.jsonl"));
}

#[test]
fn merged_tables_are_the_whole_in_its_order() {
    let sandbox = Sandbox::with_model();
    let line = |id: usize| {
        let text = ["Kyiv waits. ", "waits. "][id % 5 / 3].repeat(1 + id % 4);
        json!({"id": id, "n": [1, 2], "text": text}).to_string() + "\n"
    };
    // More rows than are written at a time.
    sandbox.write("news.jsonl", (0..2500).map(line).collect::<String>());
    let tag = |name: &str, shard: &str| {
        let args = format!("-o {name}.parquet --entities-table {name}-mentions.parquet {shard}");
        assert_eq!(sandbox.tag(&format!("news.jsonl {args}")).code, 0);
        let args = format!("-o {name}.jsonl --entities-table {name}-mentions.csv {shard}");
        assert_eq!(sandbox.tag(&format!("news.jsonl {args}")).code, 0);
    };
    tag("whole", "");
    (1..=3).for_each(|shard| tag(&shard.to_string(), &format!("--shard {shard}/3")));
    for file in [".parquet", "-mentions.parquet", ".jsonl", "-mentions.csv"] {
        let ran = sandbox.run(&format!("merge 2{file} 1{file} 3{file} -o merged{file}"));
        assert_eq!(ran.code, 0, "{ran}");
        assert!(ran.stderr.contains("2500 articles of 3 shards"), "{ran}");
        assert!(
            sandbox.read(&format!("merged{file}")) == sandbox.read(&format!("whole{file}")),
            "{file} differs"
        );
    }
}

#[test]
fn rows_of_parquet_keep_their_types_when_they_are_merged() {
    let sandbox = Sandbox::with_model();
    let line = |id: usize| json!({"id": id, "text": "Kyiv waits. "}).to_string() + "\n";
    sandbox.write("news.jsonl", (0..300).map(line).collect::<String>());
    assert_eq!(sandbox.tag("news.jsonl -o first.parquet").code, 0);
    assert_eq!(sandbox.tag("first.parquet -o whole.parquet").code, 0);
    for shard in 1..=2 {
        let ran = sandbox.tag(&format!(
            "first.parquet -o {shard}.parquet --shard {shard}/2"
        ));
        assert_eq!(ran.code, 0, "{ran}");
    }
    assert_eq!(
        sandbox
            .run("merge 1.parquet 2.parquet -o merged.parquet")
            .code,
        0
    );
    let rows = |file: &str| {
        sandbox
            .run(&format!("tag --dry-run --progress none {file}"))
            .records()
    };
    assert_eq!(rows("merged.parquet"), rows("whole.parquet"));
}

#[test]
fn tables_that_do_not_fit_are_not_merged() {
    let sandbox = shards();
    let merge = |args: &str| sandbox.run(&format!("merge {args}"));
    assert_snapshot!(merge("1.jsonl 2.jsonl 3.jsonl -o merged.parquet"), @r#"
    exit 2
    --- stderr
    error: 1.jsonl cannot become merged.parquet
    hint: merging keeps the format of the shards
    "#);
    let news = String::from_utf8(sandbox.read("news.jsonl")).unwrap();
    sandbox.write(
        "news.jsonl",
        news + "{\"id\":\"text\",\"text\":\"Sofia\"}\n",
    );
    for shard in 1..=3 {
        let args = format!("--shard {shard}/3 --output-format brat");
        assert_eq!(
            sandbox.tag(&format!("news.jsonl -o b{shard} {args}")).code,
            0
        );
        let ran = sandbox.tag(&format!("news.jsonl -o {shard}.parquet --shard {shard}/3"));
        assert_eq!(ran.code, 0, "{ran}");
    }
    assert_snapshot!(merge("1.parquet 2.parquet 3.parquet"), @r#"
    exit 2
    --- stderr
    error: a table cannot be written to standard output
    hint: name a file with -o
    "#);
    let ran = merge("1.parquet 2.parquet 3.parquet -o merged.parquet");
    // The shard with the text among its numbers decides which of the others it is compared with.
    assert!(
        ran.code == 2
            && ran
                .stderr
                .starts_with("error: the column \"id\" is not the same in "),
        "{ran}"
    );
    assert!(
        ran.stderr
            .ends_with("tag the shards to JSON lines, and merge those\n"),
        "{ran}"
    );
    let ran = merge("1.parquet 2.jsonl 3.parquet -o merged.parquet");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (2, "error: 1.parquet and 2.jsonl hold different things\n")
    );
    assert_snapshot!(merge("b1 b2 b3 -o merged"), @r#"
    exit 2
    --- stderr
    error: b1 is of a format that cannot be merged
    hint: tag the shards to JSON lines, Parquet or CSV
    "#);
    assert!(!sandbox.path("merged.parquet").exists());
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let sandbox = shards();
    let merge = |args: &str| sandbox.run(&format!("merge {args} -o merged.jsonl"));
    assert_snapshot!(merge("1.jsonl 3.jsonl"), @r#"
    exit 2
    --- stderr
    error: missing: shard 2/3
    hint: name the outputs of all shards
    "#);
    assert_snapshot!(merge("1.jsonl 2.jsonl 1.jsonl 3.jsonl"), @r#"
    exit 2
    --- stderr
    error: 1.jsonl and 1.jsonl are both shard 1/3
    "#);
    assert_snapshot!(merge("whole.jsonl"), @r#"
    exit 2
    --- stderr
    error: whole.jsonl.shard.json: no such file
    hint: whole.jsonl must come from a run with --shard that has ended
    "#);
    sandbox.tag("news.jsonl -o 2.jsonl --shard 2/3 --offset-unit byte --force");
    assert_snapshot!(merge("1.jsonl 2.jsonl 3.jsonl"), @r#"
    exit 2
    --- stderr
    error: 1.jsonl and 2.jsonl are not of the same run: --offset-unit was "char", now "byte"
    "#);
    sandbox.tag("news.jsonl -o 2.jsonl --shard 2/3 --force");
    let cut = sandbox.read("2.jsonl");
    let end = cut[..cut.len() - 1]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap();
    sandbox.write("2.jsonl", &cut[..=end]);
    let ran = merge("1.jsonl 2.jsonl 3.jsonl");
    assert!(
        ran.code == 2 && ran.stderr.contains("2.jsonl has not the "),
        "{ran}"
    );
    assert!(!sandbox.path("merged.jsonl").exists());
    assert_eq!(sandbox.tag("news.jsonl --shard 0/3").code, 2);
}

#[test]
fn a_shard_may_be_empty() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\n{\"text\":\"Rome\"}\n");
    for shard in 1..=5 {
        let ran = sandbox.tag(&format!("news.jsonl -o {shard}.jsonl --shard {shard}/5"));
        assert_eq!(ran.code, 0, "{ran}");
    }
    let shards = "1.jsonl 2.jsonl 3.jsonl 4.jsonl 5.jsonl";
    let ran = sandbox.run(&format!("merge {shards} -o all.jsonl"));
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(sandbox.records("all.jsonl").len(), 2);
}
