//! Fine-tunes a model for named entities on CoNLL files, and tags with the result:
//! `cargo run --release --example fine_tune BASE TRAIN.conll DEV.conll OUT`, where BASE is a model directory such as
//! `models/vestnik-news`.

use std::error::Error;
use std::path::{Path, PathBuf};

use vestnik::{LabelSet, Vestnik};
use vestnik_core::{TagScheme, TagSet};
use vestnik_model::{Device, ModelDir, TokenClassifier};
use vestnik_train::{Event, RunConfig, Trainer, TrainingCorpus, TrainingData};

/// What `vestnik train` would be given as a file.
const RUN: &str = r#"
epochs = 2
[model]
base = "base"
labels = ["PER", "LOC"]
[optimizer]
learning_rate = 3e-4
[windows]
max_tokens = 30
context = 4
[[train]]
path = "train.conll"
[[dev]]
path = "dev.conll"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [base, train, dev, out] = arguments.as_slice() else {
        return Err("expected BASE TRAIN DEV OUT".into());
    };
    let config = RunConfig::parse(RUN, &[])?;
    let data = TrainingData {
        train: vec![TrainingCorpus {
            documents: read(train)?,
            weight: 1.0,
        }],
        dev: read(dev)?,
        ..TrainingData::default()
    };
    let base = ModelDir::open(base)?;
    let tags = TagSet::new(TagScheme::Bio, &LabelSet::new(&config.model.labels)?);
    let labels = LabelSet::new(tags.labels())?;
    let (model, _) = TokenClassifier::with_fresh_head(&base, &labels, config.seed, &Device::Cpu)?;
    let trainer = Trainer::new(model, base.tokenizer()?, data, &config, out)?;
    // Dropped before its end, the iterator ends the run after a checkpoint, from which `Trainer::resume` goes on.
    let mut events = trainer.events()?;
    for event in &mut events {
        tell(&event);
    }
    events.finish()?;
    let vestnik = Vestnik::from_dir(out.join("model"))?;
    let found = vestnik
        .analyze("Maria Smith lives in Bath.")?
        .entities
        .len();
    print_line(&format!("the new model finds {found} names"));
    Ok(())
}

/// The documents of a corpus; a defect is an error here.
fn read(path: &Path) -> Result<Vec<vestnik::Document>, Box<dyn Error>> {
    let corpus = vestnik_data::read_ner(path)?;
    match corpus.issues.first() {
        Some(issue) => Err(issue.to_string().into()),
        None => Ok(corpus.documents),
    }
}

fn tell(event: &Event) {
    match event {
        Event::Step(step) => print_line(&format!("step {}, loss {:.4}", step.step, step.loss)),
        Event::Evaluation(evaluation) => {
            print_line(&format!("evaluated after step {}", evaluation.step));
        }
        _ => {}
    }
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn print_line(line: &str) {
    println!("{line}");
}
