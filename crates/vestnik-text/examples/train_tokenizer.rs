//! Trains a tokenizer on the texts of standard input, one a line, and writes it as `tokenizer.json`.
//!
//! ```text
//! python3 scripts/sample_texts.py FOLDER | cargo run --release -p vestnik-text --example train_tokenizer -- tokenizer.json
//! ```

use std::io::BufRead;
use std::path::Path;

use vestnik_text::TokenizerTraining;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let output = arguments
        .next()
        .ok_or("usage: train_tokenizer OUTPUT [VOCAB_SIZE] < TEXTS")?;
    let mut training = TokenizerTraining::default();
    if let Some(size) = arguments.next() {
        training.vocab_size = size.parse()?;
    }
    let texts: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    training.train(texts)?.save(Path::new(&output))?;
    Ok(())
}
