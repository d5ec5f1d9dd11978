//! How fast the engine reads sequences of given lengths; `scripts/bench_peers.py` talks to it.
//!
//! `throughput MODEL_DIR LENGTHS.json [f32|int8] [THREADS] [BATCH_TOKENS]` opens the encoder and prints a line of JSON; for
//! each line on standard input it reads all sequences once and prints how long that took, until the input ends. Ids are
//! `5 + 7919 i mod (vocabulary - 5)` for the token `i`.

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use vestnik_engine::{Engine, EngineDtype, EngineOptions};
use vestnik_model::{EncoderModel, ModelDir};
use vestnik_text::Batch;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| {
        arguments
            .get(index)
            .map_or(default, String::as_str)
            .to_owned()
    };
    let threads = argument(3, "2").parse()?;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let start = Instant::now();
    let dir = ModelDir::open(Path::new(&argument(0, "models/vestnik-news")))?;
    let encoder = EncoderModel::stored(&dir)?;
    let dtype: EngineDtype = argument(2, "int8").parse()?;
    let config = &dir.config().encoder;
    let options = EngineOptions::default().with_dtype(dtype);
    let engine = Engine::new(config, &encoder, &options)?;
    let lengths: Vec<usize> = serde_json::from_slice(&std::fs::read(argument(1, "lengths.json"))?)?;
    let batches = batches(lengths, argument(4, "4096").parse()?, config.vocab_size);
    let load = start.elapsed();
    print(&json!({
        "dtype": dtype.to_string(),
        "kernels": engine.kernels(),
        "threads": threads,
        "load_seconds": load.as_secs_f64(),
    }));
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        let mut tokens = 0;
        for batch in &batches {
            tokens += engine.states(batch)?.len() / config.hidden_size;
        }
        print(&json!({"seconds": start.elapsed().as_secs_f64(), "tokens": tokens}));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the example is for")]
fn print(value: &serde_json::Value) {
    println!("{value}");
}

/// Longest first, at most `budget` tokens each.
fn batches(mut lengths: Vec<usize>, budget: usize, vocabulary: usize) -> Vec<Batch> {
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let mut batches: Vec<Batch> = vec![];
    for length in lengths {
        match batches.last_mut() {
            Some(batch) if batch.ids.len() + length <= budget => push(batch, length, vocabulary),
            _ => {
                let mut batch = Batch {
                    cumulative_lengths: vec![0],
                    ..Batch::default()
                };
                push(&mut batch, length, vocabulary);
                batches.push(batch);
            }
        }
    }
    batches
}

fn push(batch: &mut Batch, length: usize, vocabulary: usize) {
    let start = batch.ids.len();
    batch
        .ids
        .extend((start..start + length).map(|i| (5 + i * 7919 % (vocabulary - 5)) as u32));
    batch.position_ids.extend(0..length as u32);
    batch.type_ids.resize(batch.ids.len(), 0);
    batch.cumulative_lengths.push(batch.ids.len());
    batch.origins.push((batch.origins.len(), 0));
}
