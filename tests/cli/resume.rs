//! Runs that are killed, whose disk is full, whose checkpoints are damaged: what `--resume` makes of them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::Value;

use crate::sandbox::Sandbox;
use crate::train::{document, sandbox, train};

const KILLS: usize = 10;

/// About a hundred updates with checkpoints and evaluations all along.
const LONG: &str =
    "--set epochs=40 --set checkpoint_every=2 --set evaluate_every=7 --set keep_checkpoints=3";

/// [`LONG`] with low-rank updates above a frozen layer.
const LORA: &str = "--set epochs=40 --set checkpoint_every=2 --set evaluate_every=7 --set keep_checkpoints=3 \
     --set lora.rank=2 --set lora.dropout=0.1 --set freeze.layers=1 --set gradient_checkpointing=true";

const WEIGHTS: [&str; 3] = [
    "model/model.safetensors",
    "checkpoint/model.safetensors",
    "checkpoint/optimizer.safetensors",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % n
    }
}

#[track_caller]
fn assert_same_weights(sandbox: &Sandbox, a: &str, b: &str) {
    for file in WEIGHTS {
        let same = sandbox.read(&format!("{a}/{file}")) == sandbox.read(&format!("{b}/{file}"));
        assert!(same, "{file} differs");
    }
}

#[test]
fn ten_kills_leave_no_trace() {
    let sandbox = check_kills(LONG, KILLS);
    assert_same_weights(&sandbox, "whole", "killed");
}

#[test]
fn kills_leave_no_trace_in_low_rank_updates() {
    let sandbox = check_kills(LORA, 3);
    for file in [
        "model/model.safetensors",
        "checkpoint/trainable.safetensors",
        "checkpoint/optimizer.safetensors",
    ] {
        let bytes = |run: &str| sandbox.read(&format!("{run}/{file}"));
        assert!(bytes("whole") == bytes("killed"), "{file} differs");
    }
}

/// A run in one go, and one that is killed again and again: both leave the same files and tell the same.
fn check_kills(settings: &str, kills: usize) -> Sandbox {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, &format!("-o whole {settings}")).code, 0);
    let mut random = Random(11);
    for kill in 0..kills {
        kill_once(&sandbox, settings, kill > 0, &mut random);
    }
    let ran = train(&sandbox, &format!("-o killed --resume {settings}"));
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(told(&sandbox, "whole"), told(&sandbox, "killed"));
    assert_eq!(
        tensorboard_steps(&sandbox.path("whole")),
        tensorboard_steps(&sandbox.path("killed"))
    );
    let names = |name: &str| -> Vec<String> {
        let entries = std::fs::read_dir(sandbox.path(name)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("whole"), names("killed"));
    sandbox
}

/// Kills a run some lines of its log after it began or went on, and up to 15 ms later: in an update, in an evaluation,
/// or while a checkpoint or a model is written.
fn kill_once(sandbox: &Sandbox, settings: &str, resume: bool, random: &mut Random) {
    let resume = if resume { "--resume" } else { "" };
    let args =
        format!("train runs/ner.toml --device cpu --progress json -o killed {settings} {resume}");
    let mut run = Command::new(env!("CARGO_BIN_EXE_vestnik"))
        .args(args.split_whitespace())
        .current_dir(sandbox.path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = sandbox.path("killed/log.jsonl");
    wait_for_start(&mut run);
    let lines = 1 + random.below(6);
    let begun = n_lines(&log);
    while n_lines(&log) < begun + lines as usize {
        assert!(run.try_wait().unwrap().is_none(), "the run ended by itself");
        std::thread::sleep(Duration::from_micros(200));
    }
    std::thread::sleep(Duration::from_micros(random.below(15_000)));
    run.kill().unwrap();
    assert!(
        !run.wait().unwrap().success(),
        "the run was killed before its end"
    );
}

fn wait_for_start(run: &mut Child) {
    let lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let mut told = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if line.contains("\"event\":\"start\"") {
            return;
        }
        told.push(line);
    }
    panic!("the run did not begin: {told:?}");
}

fn n_lines(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

/// The log without what depends on the clock, and without its starts: a run that was resumed has several.
fn told(sandbox: &Sandbox, run: &str) -> Vec<Value> {
    let mut events = sandbox.records(&format!("{run}/log.jsonl"));
    events.retain(|event| event["event"] != "start");
    for event in &mut events {
        let fields = event.as_object_mut().unwrap();
        for clock in ["time", "tokens_per_second", "eta_seconds"] {
            fields.shift_remove(clock);
        }
    }
    events
}

/// The steps of the records in the event file: framed by 12 bytes before and 4 behind, `wall_time` and `step` first.
fn tensorboard_steps(run: &Path) -> Vec<u64> {
    let bytes = std::fs::read(run.join("tensorboard/events.out.tfevents.0.vestnik")).unwrap();
    let (mut rest, mut steps) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let record = &rest[12..12 + length];
        if record[0] == 0x09 {
            assert_eq!(record[9], 0x10);
            let varint = record[10..].iter().enumerate();
            let last = varint
                .clone()
                .position(|(_, byte)| byte & 0x80 == 0)
                .unwrap();
            steps.push(
                varint
                    .take(last + 1)
                    .map(|(place, byte)| u64::from(byte & 0x7F) << (7 * place))
                    .sum(),
            );
        }
        rest = &rest[12 + length + 4..];
    }
    steps
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_again() {
    let sandbox = sandbox();
    sandbox.write(
        "killed/log.jsonl",
        "{\"event\":\"start\",\"step\":0}\n{\"ev",
    );
    assert_eq!(train(&sandbox, "-o killed --resume").code, 0);
    assert_eq!(train(&sandbox, "-o whole").code, 0);
    assert_same_weights(&sandbox, "whole", "killed");
    assert_eq!(told(&sandbox, "whole"), told(&sandbox, "killed"));
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "-o whole").code, 0);
    assert_eq!(train(&sandbox, "-o run --set max_steps=3").code, 0);
    let mut weights = sandbox.read("run/checkpoint/model.safetensors");
    let last = weights.len() - 1;
    weights[last] ^= 1;
    sandbox.write("run/checkpoint/model.safetensors", weights);
    // The schedule ends with the run, so the weights are those of a run of three updates that goes on from the second.
    let ran = train(&sandbox, "-o run --resume --set max_steps=3");
    assert_snapshot!(ran, @r#"
    exit 0
    --- stderr
    run/checkpoint is damaged: model.safetensors is not as it was written (its SHA-256 differs); going on from update 2
    device: cpu
    the model is in run/model
    the report is in run/report.html
    "#);
    assert!(sandbox.path("run/checkpoint.damaged").is_dir());
    assert_eq!(train(&sandbox, "-o three --set max_steps=3").code, 0);
    assert_same_weights(&sandbox, "three", "run");

    for folder in ["checkpoint", "checkpoint-2"] {
        sandbox.write(&format!("run/{folder}/trainer_state.json"), "{");
    }
    assert_snapshot!(train(&sandbox, "-o run --resume --set max_steps=3"), @r#"
    exit 2
    --- stderr
    error: checkpoint run/checkpoint is damaged: trainer_state.json is not as it was written (its SHA-256 differs)
    hint: begin anew with -o
    "#);
}

#[test]
fn as_many_checkpoints_are_kept_as_asked_for() {
    let sandbox = sandbox();
    let kept = |run: &str| {
        let steps = (1..=9).map(|step| format!("checkpoint-{step}"));
        let names = std::iter::once("checkpoint".to_owned()).chain(steps);
        let there = |name: &String| sandbox.path(&format!("{run}/{name}")).exists();
        names.filter(there).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        train(&sandbox, "-o a --set epochs=9 --set max_steps=4").code,
        0
    );
    assert_eq!(kept("a"), "checkpoint checkpoint-3");
    assert_eq!(
        train(
            &sandbox,
            "-o a --set epochs=9 --set max_steps=6 --set keep_checkpoints=3 --resume"
        )
        .code,
        0
    );
    assert_eq!(kept("a"), "checkpoint checkpoint-4 checkpoint-5");
    assert_eq!(
        train(
            &sandbox,
            "-o a --set epochs=9 --set max_steps=7 --set keep_checkpoints=1 --resume"
        )
        .code,
        0
    );
    assert_eq!(kept("a"), "checkpoint");
    assert_snapshot!(train(&sandbox, "-o b --set keep_checkpoints=0"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `keep_checkpoints` is 0, expected 1 to 1000
    "#);
}

#[test]
fn changed_data_are_named() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "-o run --set max_steps=1").code, 0);
    let dev = sandbox.read("runs/dev.jsonl");
    sandbox.write("runs/dev.jsonl", document(3));
    assert_snapshot!(train(&sandbox, "-o run --resume --set max_steps=2"), @r#"
    exit 2
    --- stderr
    error: dev.jsonl changed since the checkpoint run/checkpoint was written
    hint: put back what changed, or begin anew with -o
    "#);
    sandbox.write("runs/dev.jsonl", dev);
    let mut data = sandbox.read("runs/train.jsonl");
    data.extend_from_slice(format!("\n{}", document(40)).as_bytes());
    sandbox.write("runs/train.jsonl", data);
    assert_snapshot!(train(&sandbox, "-o run --resume --set max_steps=2"), @r#"
    exit 2
    --- stderr
    error: train.jsonl changed since the checkpoint run/checkpoint was written
    hint: put back what changed, or begin anew with -o
    "#);
}

#[test]
fn a_loss_that_is_no_number_stops_the_run() {
    let sandbox = sandbox();
    let mut weights = sandbox.read("tiny/model.safetensors");
    let header = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    for number in weights[8 + header..].chunks_exact_mut(4).step_by(50) {
        number.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    sandbox.write("tiny/model.safetensors", weights);
    let ran = train(&sandbox, "-o run --set batch.accumulate=1");
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    device: cpu
    error: loss is NaN in step 1 at learning rate 3e-4; the batch holds 5 (window 0), 6 (window 0), 7 (window 0), 8 (window 0), 9 (window 0)
    hint: a smaller optimizer.learning_rate or optimizer.max_grad_norm, or a longer schedule.warmup, may help; begin anew with -o, since settings of a run stay
    "#);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_first() {
    let sandbox = sandbox();
    assert_snapshot!(train(&sandbox, "-o /dev/null/run"), @r#"
    exit 2
    --- stderr
    error: cannot write to /dev/null: Not a directory (os error 20)
    hint: name a folder with -o
    "#);
    assert_snapshot!(train(&sandbox, "-o /proc/run"), @r#"
    exit 2
    --- stderr
    error: cannot write to /proc: No such file or directory (os error 2)
    hint: name a folder with -o
    "#);
}

/// A limit on the size of files stands in for a full disk: both fail a write in its midst.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "-o whole").code, 0);
    assert_eq!(train(&sandbox, "-o first --set max_steps=2").code, 0);
    let script = |args: &str| {
        // Blocks of 512 bytes: less than the weights, more than everything else.
        format!(
            "trap '' XFSZ; ulimit -f 16; exec \"$VESTNIK\" train runs/ner.toml --device cpu --progress none {args}"
        )
    };
    let limited = |args: &str| {
        let mut command = assert_cmd::Command::new("sh");
        command
            .current_dir(sandbox.path(""))
            .env("VESTNIK", env!("CARGO_BIN_EXE_vestnik"))
            .args(["-c", &script(args)]);
        crate::sandbox::Ran::of(&mut command)
    };
    assert_snapshot!(limited("-o full"), @r#"
    exit 2
    --- stderr
    device: cpu
    error: full/checkpoint.partial/model.safetensors: File too large (os error 27)
    "#);
    assert!(!sandbox.path("full/checkpoint").exists());
    assert!(!sandbox.path("full/checkpoint.partial").exists());

    let before = sandbox.read("first/checkpoint/model.safetensors");
    assert_snapshot!(limited("-o first --resume"), @r#"
    exit 2
    --- stderr
    device: cpu
    error: first/checkpoint.partial/model.safetensors: File too large (os error 27)
    hint: what was saved before is whole: --resume goes on from it
    "#);
    assert!(sandbox.read("first/checkpoint/model.safetensors") == before);
    assert_eq!(train(&sandbox, "-o full --resume").code, 0);
    assert_same_weights(&sandbox, "whole", "full");
}
