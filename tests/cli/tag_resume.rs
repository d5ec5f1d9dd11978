//! Runs that are broken off and resumed: nothing is lost, nothing is there twice, and changed runs are refused.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

/// A dump with a bad record now and then.
fn dump(n_records: usize) -> String {
    let mut dump = String::new();
    for id in 0..n_records {
        let text = "Президент прибыл в Софию. Kyiv waits. ".repeat(1 + id * 7 % 9);
        match id % 50 {
            7 => writeln!(dump, "{{\"id\":{id}}}"),
            8 => writeln!(dump, "no json {id}"),
            _ => writeln!(dump, "{}", json!({"id": id, "n": 1.50, "text": text})),
        }
        .unwrap();
    }
    dump
}

const ARGS: &str =
    "tag --model tiny --device cpu --threads 1 --progress none news.jsonl --errors aside.jsonl -o";

fn start(sandbox: &Sandbox, args: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_vestnik"))
        .args(args.split_whitespace())
        .current_dir(sandbox.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Small pseudo-random numbers, the same at every run of the test.
fn random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    *state >> 40
}

/// A run that is killed at random moments and resumed must make the files of an unbroken one; `args` may name the table
/// `mentions{name}` as well.
fn kill_and_resume(name: &str, dump: &str, args: &str, table: Option<&str>) {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", dump);
    let made = |folder: &str| {
        let table = table.map(|table| format!("--entities-table {folder}{table}"));
        let table = table.unwrap_or_default();
        format!("{ARGS} {folder}out{name} {args} {table}")
            .trim()
            .to_owned()
    };
    std::fs::create_dir(sandbox.path("whole")).unwrap();
    assert_eq!(sandbox.run(&made("whole/")).code, 1);
    std::fs::rename(
        sandbox.path("aside.jsonl"),
        sandbox.path("whole-aside.jsonl"),
    )
    .unwrap();
    let resumed = made("") + " --resume";
    let (output, parts) = (format!("out{name}"), format!("out{name}.parts"));
    let (mut state, mut kills) = (7, 0);
    loop {
        let mut child = start(&sandbox, &resumed);
        std::thread::sleep(Duration::from_millis(
            50 + random(&mut state) % 900 + 30 * kills,
        ));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        if let Some(code) = ended.status.code() {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(code, 1, "after {kills} kills: {stderr}");
            break;
        }
        kills += 1;
        let manifest = sandbox.path(&format!("{parts}/manifest.json"));
        if sandbox.path(&output).exists() && !manifest.exists() {
            // The kill came when all was done: there is nothing to resume, and nothing is done again.
            assert_eq!(sandbox.run(&resumed).code, 2);
            break;
        }
    }
    for file in [&output, table.unwrap_or_default()] {
        assert!(
            file.is_empty() || sandbox.read(file) == sandbox.read(&format!("whole/{file}")),
            "{file} differs after {kills} kills"
        );
    }
    assert!(
        sandbox.read("aside.jsonl") == sandbox.read("whole-aside.jsonl"),
        "the errors differ after {kills} kills"
    );
    assert!(!sandbox.names().contains(&parts));
}

#[test]
fn a_killed_run_ends_with_the_same_bytes() {
    kill_and_resume(".jsonl", &dump(2000), "", None);
}

#[test]
fn a_killed_run_ends_with_the_same_compressed_bytes() {
    kill_and_resume(".jsonl.gz", &dump(1000), "", None);
    kill_and_resume(".jsonl.zst", &dump(500), "", None);
}

#[test]
fn a_killed_run_ends_with_the_same_tables() {
    kill_and_resume(
        ".parquet",
        &dump(1000),
        "--output-format parquet",
        Some("mentions.csv"),
    );
}

#[test]
fn a_killed_run_stops_at_the_same_article() {
    // A tenth of the articles are passed over, and count for the limit all the same.
    let dump = dump(2000).replace("1,\"n\"", "1,\"lang\":\"bg\",\"n\"");
    kill_and_resume(".jsonl", &dump, "--limit 1500 --only-lang ru", None);
}

/// A dump in which most stories are printed again, near by and far away, some with a few words more.
fn dump_with_reprints(n_records: usize) -> String {
    let story = |n: usize| {
        let words = (0..40).map(|word| format!("w{}", word * 7 + n * 1000));
        let words = words.collect::<Vec<_>>().join(" ");
        format!("Президент прибыл в Софию. {words} Kyiv waits.")
    };
    let mut dump = String::new();
    for id in 0..n_records {
        // Stories 0, 1, 2, … are each followed by some that were there before.
        let number = match id % 3 {
            0 => id / 3,
            1 => id / 6,
            _ => id / 3 - id % 7 % (id / 3 + 1),
        };
        let mut text = story(number);
        if id % 5 == 0 {
            text = format!("({id}) {text}");
        }
        match id % 50 {
            7 => writeln!(dump, "{{\"id\":{id}}}"),
            _ => writeln!(dump, "{}", json!({"id": id, "text": text})),
        }
        .unwrap();
    }
    dump
}

#[test]
fn a_killed_run_knows_the_reprints_of_what_was_tagged_before() {
    let dump = dump_with_reprints(2500);
    kill_and_resume(".jsonl", &dump, "--dedup", None);
    kill_and_resume(
        ".parquet",
        &dump_with_reprints(1000),
        "--dedup=0.9",
        Some("mentions.parquet"),
    );
}

/// Tags until some articles are safe, then ends the process with a signal.
#[cfg(unix)]
fn interrupt(sandbox: &Sandbox, child: Child, signal: &str) -> Ran {
    let manifest = sandbox.path("out.jsonl.parts/manifest.json");
    let begun = || {
        let manifest = std::fs::read(&manifest).ok();
        let manifest = manifest.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        manifest.is_some_and(|manifest| manifest["position"]["records"].as_u64() > Some(0))
    };
    while !begun() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &id])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The first process stops in the middle: the dump is long enough for several commits.
#[cfg(unix)]
fn interrupted(signal: &str) -> (Sandbox, Ran) {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", dump(40_000));
    let child = start(&sandbox, &format!("{ARGS} out.jsonl"));
    let ran = interrupt(&sandbox, child, signal);
    (sandbox, ran)
}

#[cfg(unix)]
#[test]
fn signals_finish_the_batch_and_say_how_to_go_on() {
    for signal in ["-INT", "-TERM"] {
        let (sandbox, ran) = interrupted(signal);
        assert_eq!(ran.code, 2, "{ran}");
        let message = ran.stderr.lines().nth(1).unwrap();
        assert!(
            message.starts_with("error: interrupted, ")
                && message.ends_with(" articles are safe in out.jsonl.parts"),
            "{ran}"
        );
        assert!(
            ran.stderr
                .ends_with("hint: the same command with --resume goes on\n"),
            "{ran}"
        );
        assert_eq!(sandbox.names(), ["news.jsonl", "out.jsonl.parts"]);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_was_not_ended_is_not_overwritten_and_not_mixed() {
    let (sandbox, _) = interrupted("-INT");
    let tag = |args: &str| {
        let ran = sandbox.run(&format!("{ARGS} out.jsonl {args}"));
        let shown = ran.to_string();
        // The number of articles depends on the speed of the machine.
        let words = shown.split(' ').map(|word| {
            if word.parse::<u64>().is_ok_and(|n| n > 9) {
                "N"
            } else {
                word
            }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    assert_snapshot!(tag(""), @r#"
    exit 2
    --- stderr
    error: out.jsonl.parts holds a run that was not ended, N articles are done
    hint: --resume goes on with it, --force starts again
    "#);
    assert_snapshot!(tag("--resume --offset-unit byte --text-field body"), @r#"
    exit 2
    --- stderr
    error: out.jsonl.parts: not the same run: --offset-unit was "char", now "byte"; --text-field was "text", now "body"
    hint: give what the run was started with, or start again with --force
    "#);
    let dump = sandbox.read("news.jsonl");
    sandbox.write("news.jsonl", &dump[..dump.len() - 10]);
    let refused = tag("--resume");
    assert!(
        refused.contains("not the same run: input news.jsonl was {\"bytes\":"),
        "{refused}"
    );
    sandbox.write("news.jsonl", dump);
    let config = String::from_utf8(sandbox.read("tiny/config.json")).unwrap();
    sandbox.write("tiny/config.json", format!("{config} "));
    let refused = tag("--resume");
    assert!(
        refused.contains("not the same run: model sha256 was "),
        "{refused}"
    );
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\n");
    assert_eq!(sandbox.run(&format!("{ARGS} out.jsonl --force")).code, 0);
    assert_eq!(sandbox.records("out.jsonl").len(), 1);
    assert_eq!(sandbox.names(), ["aside.jsonl", "news.jsonl", "out.jsonl"]);
}

#[cfg(unix)]
#[test]
fn standard_input_is_known_again_by_its_records() {
    let sandbox = Sandbox::with_model();
    let news = dump(40_000);
    sandbox.write("news.jsonl", &news);
    let args = "tag --model tiny --device cpu --threads 1 --progress none -o out.jsonl -";
    let child = |sandbox: &Sandbox| {
        Command::new(env!("CARGO_BIN_EXE_vestnik"))
            .args(args.split(' '))
            .current_dir(sandbox.path(""))
            .stdin(std::fs::File::open(sandbox.path("news.jsonl")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    assert_eq!(interrupt(&sandbox, child(&sandbox), "-INT").code, 2);
    let resumed = |stdin: &str| sandbox.run_with_stdin(&format!("{args} --resume"), stdin);
    let ran = resumed(&news.replacen("Kyiv", "Киев", 1));
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.stderr.contains("the input has changed: its first "),
        "{ran}"
    );
    let ran = resumed(&dump(20));
    assert!(
        ran.stderr
            .contains("the input has changed: it ends after 20 records"),
        "{ran}"
    );
}

#[test]
fn resuming_what_never_began_begins_and_what_is_done_is_done() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\n");
    assert_eq!(sandbox.tag("news.jsonl -o out.jsonl --resume").code, 0);
    assert_eq!(sandbox.names(), ["news.jsonl", "out.jsonl"]);
    assert_snapshot!(sandbox.tag("news.jsonl -o out.jsonl --resume"), @r#"
    exit 2
    --- stderr
    error: out.jsonl exists, and no run of it is left to resume
    hint: it is complete if a run made it: they appear whole or not at all; --force makes it again
    "#);
    // What is left when the kill comes while the folder of a run that is done is being removed.
    std::fs::create_dir(sandbox.path("out.jsonl.parts")).unwrap();
    sandbox.write("out.jsonl.parts/errors.jsonl", "");
    assert_eq!(sandbox.tag("news.jsonl -o out.jsonl --resume").code, 2);
    assert_eq!(sandbox.names(), ["news.jsonl", "out.jsonl"]);
    assert_snapshot!(sandbox.tag("news.jsonl --resume"), @r#"
    exit 2
    --- stderr
    error: --resume needs an output
    hint: what goes to standard output cannot be continued: name a file with -o
    "#);
}

/// A limit for the size of files stands for a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_nothing() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", dump(3000));
    sandbox.run(&format!("{ARGS} whole.jsonl"));
    let expected = (sandbox.read("whole.jsonl"), sandbox.read("aside.jsonl"));
    std::fs::remove_file(sandbox.path("aside.jsonl")).unwrap();
    let script = format!("trap '' XFSZ; ulimit -f 600; exec \"$0\" {ARGS} out.jsonl");
    let mut full = Command::new("sh");
    full.args(["-c", &script, env!("CARGO_BIN_EXE_vestnik")])
        .current_dir(sandbox.path(""));
    let output = full.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("error: cannot write out.jsonl.parts/part-000000.jsonl: "),
        "{stderr}"
    );
    assert!(!sandbox.path("out.jsonl").exists());
    assert_eq!(sandbox.run(&format!("{ARGS} out.jsonl --resume")).code, 1);
    assert!(sandbox.read("out.jsonl") == expected.0);
    assert!(sandbox.read("aside.jsonl") == expected.1);
}
