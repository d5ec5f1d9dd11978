//! How fast candle-transformers reads padded batches of sequences of given lengths; `scripts/bench_peers.py` talks to it as
//! to `throughput`.
//!
//! `candle_transformers MODEL_DIR LENGTHS.json [THREADS]`: batches of 32 sequences, longest first.

use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use serde_json::json;

#[path = "../tests/support/peer.rs"]
mod peer;

const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, lengths, ..] = arguments.as_slice() else {
        return Err("MODEL_DIR and LENGTHS.json are needed".into());
    };
    let threads = arguments.get(2).map_or(Ok(2), |threads| threads.parse())?;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let start = Instant::now();
    let peer = peer::Peer::open(Path::new(model))?;
    let mut lengths: Vec<usize> = serde_json::from_slice(&std::fs::read(lengths)?)?;
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let batches = lengths.chunks(BATCH).map(batch);
    let batches = batches.collect::<candle_core::Result<Vec<_>>>()?;
    print(&json!({"load_seconds": start.elapsed().as_secs_f64()}));
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        for (ids, mask) in &batches {
            peer.states(ids, mask)?;
        }
        let tokens: usize = lengths.iter().sum();
        print(&json!({"seconds": start.elapsed().as_secs_f64(), "tokens": tokens}));
    }
    Ok(())
}

/// Ids and the mask of sequences, padded to the longest, which is the first.
fn batch(lengths: &[usize]) -> candle_core::Result<(Tensor, Tensor)> {
    let longest = lengths.first().copied().unwrap_or_default();
    let id = |place: usize, length: usize| match place < length {
        true => 5 + place as u32 * 7919 % 20_000,
        false => 1,
    };
    let each = |f: &dyn Fn(usize, usize) -> u32| -> candle_core::Result<Tensor> {
        let numbers = lengths
            .iter()
            .flat_map(|&length| (0..longest).map(move |place| f(place, length)));
        let numbers: Vec<u32> = numbers.collect();
        Tensor::from_vec(numbers, (lengths.len(), longest), &Device::Cpu)
    };
    Ok((
        each(&id)?,
        each(&|place, length| u32::from(place < length))?,
    ))
}

#[expect(clippy::print_stdout, reason = "what the example is for")]
fn print(value: &serde_json::Value) {
    println!("{value}");
}
