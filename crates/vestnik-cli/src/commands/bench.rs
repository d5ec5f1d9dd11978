//! `vestnik bench`: how fast a model reads articles.

mod memory;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use vestnik_infer::{Task, Times, Vestnik};

use crate::Outcome;
use crate::model::{EntityArgs, ModelArgs, TaskOptions};
use crate::output::print;
use crate::texts::TextArgs;
use crate::threads::parse_count;

/// Arguments of `vestnik bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    texts: TextArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    entities: EntityArgs,
    /// What to tag, separated by commas: ner, topic, stance [default: all that the model can]
    #[arg(long, value_delimiter = ',', value_name = "TASK,…")]
    tasks: Option<Vec<Task>>,
    /// Read all articles N times after a first time that does not count; the fastest counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = parse_count)]
    rounds: usize,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured. The parts of the time on the clock are those of the time that the threads spent.
#[derive(Debug, Serialize)]
struct Measured {
    documents: usize,
    tokens: usize,
    seconds: f64,
    compute_seconds: f64,
    tokenize_seconds: f64,
    decode_seconds: f64,
    tokens_per_second: f64,
    documents_per_second: f64,
    /// Of the process, since it began; `null` where the system does not tell.
    peak_memory_bytes: Option<u64>,
    device: String,
    dtype: String,
    threads: usize,
}

/// One time through all articles.
#[derive(Clone, Copy)]
struct Round {
    tokens: usize,
    seconds: Duration,
    times: Times,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let texts = args.texts.read()?;
    let tasks = TaskOptions {
        tasks: args.tasks.clone(),
        min_topic_score: None,
    };
    let vestnik = args.model.open(&args.entities, &tasks)?;
    args.model.tell_device(vestnik.device());
    // Memory and code are warm after the first time.
    read(&vestnik, &texts)?;
    let rounds = (0..args.rounds)
        .map(|_| read(&vestnik, &texts))
        .collect::<Result<Vec<Round>>>()?;
    if let Some(round) = rounds.into_iter().min_by_key(|round| round.seconds) {
        let measured = measured(&vestnik, texts.len(), round);
        print(&if args.json {
            serde_json::to_string(&measured)?
        } else {
            table(&measured)
        })?;
    }
    Ok(Outcome::Done)
}

fn read(vestnik: &Vestnik, texts: &[String]) -> Result<Round> {
    let (start, before) = (Instant::now(), vestnik.times());
    let mut tokens = 0;
    // As `vestnik tag` does.
    for chunk in texts.chunks(vestnik.portion().texts) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let analyses = vestnik.analyze_batch(&chunk)?;
        tokens += analyses
            .iter()
            .map(|analysis| analysis.tokens)
            .sum::<usize>();
    }
    let times = vestnik.times();
    Ok(Round {
        tokens,
        seconds: start.elapsed(),
        times: times.since(before),
    })
}

fn measured(vestnik: &Vestnik, documents: usize, round: Round) -> Measured {
    let Round {
        tokens,
        seconds,
        times,
    } = round;
    let seconds = seconds.as_secs_f64();
    let spent = (times.tokenize + times.compute + times.decode).as_secs_f64();
    let part = |part: Duration| seconds * part.as_secs_f64() / spent.max(f64::MIN_POSITIVE);
    Measured {
        documents,
        tokens,
        seconds,
        compute_seconds: part(times.compute),
        tokenize_seconds: part(times.tokenize),
        decode_seconds: part(times.decode),
        tokens_per_second: tokens as f64 / seconds,
        documents_per_second: documents as f64 / seconds,
        peak_memory_bytes: memory::peak(),
        device: vestnik_infer::device_name(vestnik.device()),
        dtype: vestnik.dtype().to_string(),
        threads: vestnik_infer::threads(),
    }
}

fn table(measured: &Measured) -> String {
    let part = |seconds: f64| {
        format!(
            "{seconds:.3} s ({:.0} %)",
            100.0 * seconds / measured.seconds
        )
    };
    let memory = measured.peak_memory_bytes.map_or_else(
        || "unknown".to_owned(),
        |bytes| format!("{:.0} MB", bytes as f64 / 1e6),
    );
    [
        ("documents", measured.documents.to_string()),
        ("tokens", measured.tokens.to_string()),
        ("time", format!("{:.3} s", measured.seconds)),
        ("  tokenizing", part(measured.tokenize_seconds)),
        ("  computing", part(measured.compute_seconds)),
        ("  decoding", part(measured.decode_seconds)),
        (
            "tokens per second",
            format!("{:.0}", measured.tokens_per_second),
        ),
        (
            "documents per second",
            format!("{:.1}", measured.documents_per_second),
        ),
        ("peak memory", memory),
        ("device", measured.device.clone()),
        ("dtype", measured.dtype.clone()),
        ("threads", measured.threads.to_string()),
    ]
    .map(|(name, value)| format!("{name:<22}{value}"))
    .join("\n")
}
