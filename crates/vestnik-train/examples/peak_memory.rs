//! Peak memory and time of updates of a twelve-layer encoder, plain or with gradient checkpointing.
//!
//! ```sh
//! cargo run --release -p vestnik-train --example peak_memory -- plain
//! cargo run --release -p vestnik-train --example peak_memory -- checkpointed
//! ```
//!
//! Add `lora` for low-rank updates. Peak memory (`VmHWM`) is that of the process, so each has one of its own; it is read
//! from `/proc`, which only Linux has.

#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]
#![allow(clippy::print_stdout, reason = "its result")]

mod shape;

use std::time::Instant;

use shape::{Shape, Step};
use vestnik_model::{Adaptation, Lora};

const SHAPE: Shape = Shape {
    layers: 12,
    hidden: 384,
    vocabulary: 8000,
};
const TOKENS: usize = 4096;
const UPDATES: u32 = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let adaptation = Adaptation {
        lora: has("lora").then(Lora::default),
        ..Adaptation::default()
    };
    let mut step = Step::new(SHAPE, &adaptation, TOKENS, has("checkpointed"));
    step.run();
    let start = Instant::now();
    (0..UPDATES).for_each(|_| step.run());
    let seconds = start.elapsed().as_secs_f64() / f64::from(UPDATES);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("{words:?}: {peak}, {seconds:.2} s an update of {TOKENS} tokens");
}
