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
