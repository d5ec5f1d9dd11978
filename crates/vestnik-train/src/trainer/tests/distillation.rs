//! What a teacher says, and what a run makes of it.

use super::*;
use vestnik_core::LabelSet;
use vestnik_model::Mode;

use crate::ner::Teacher;
use crate::run::Task;

/// A tagger with other weights and the same tags.
fn teacher() -> Teacher {
    let model = testing::tagger(0.0);
    let bias = model.parameters().get("classifier.bias").unwrap();
    let values = candle_core::Tensor::new(&[0.5_f32, -0.5, 1.0, 0.0, 2.0], bias.device()).unwrap();
    bias.set(&values).unwrap();
    Teacher {
        model,
        tokenizer: testing::tokenizer(),
        sha256: "1".to_owned(),
    }
}

fn taught(overrides: &[&str], out: &Path) -> Trainer {
    let mut all = vec!["distillation.teacher=teacher", "max_steps=6"];
    all.extend(overrides);
    let data = TrainingData {
        teacher: Some(teacher()),
        ..data(0..20, 20..24)
    };
    trainer(0.1, data, &config(&all), out)
}

#[test]
fn soft_labels_are_the_teachers_distributions() {
    let out = tempfile::tempdir().unwrap();
    let trainer = taught(&[], out.path());
    let (task, collator) = (trainer.run.task.entities(), &trainer.run.task.collator);
    let teacher = teacher().model;
    // One window alone is what the teacher read: texts are shorter than a window.
    for example in [0, 7, 19] {
        let example = std::slice::from_ref(&task.examples.examples[example]);
        let batch = collator.batch(example);
        let logits = teacher.forward(&batch, Mode::Inference).unwrap();
        let logits = logits.to_vec2::<f32>().unwrap();
        let rows = task
            .soft
            .as_ref()
            .unwrap()
            .1
            .of(&batch, &task.examples.examples);
        let labels = batch.labels.as_ref().unwrap();
        assert!(labels.iter().any(|&label| label >= 0));
        for (token, row) in rows.chunks_exact(5).enumerate() {
            if labels[token] < 0 {
                assert_eq!(row, [0.0; 5]);
                continue;
            }
            let sum: f32 = row.iter().map(|log| log.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-5);
            for (a, b) in row.iter().zip(&logits[token]) {
                let difference = (a - row[0]) - (b - logits[token][0]);
                assert!(difference.abs() < 1e-4, "{row:?} {:?}", logits[token]);
            }
        }
    }
}

#[test]
fn a_run_that_is_taught_nothing_is_the_run_without_a_teacher() {
    let [taught_out, plain_out, half_out] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let weights = |mut trainer: Trainer| {
        run(&mut trainer);
        testing::weights(trainer.model().parameters())
    };
    let nothing = weights(taught(&["distillation.weight=0"], taught_out.path()));
    let config = config(&["max_steps=6"]);
    let plain = weights(trainer(0.1, data(0..20, 20..24), &config, plain_out.path()));
    assert_eq!(nothing, plain);
    assert_ne!(weights(taught(&[], half_out.path())), plain);
}

#[test]
fn a_student_comes_to_say_what_its_teacher_says() {
    let out = tempfile::tempdir().unwrap();
    let overrides = [
        "distillation.weight=1",
        "max_steps=80",
        "epochs=80",
        "optimizer.learning_rate=1e-2",
    ];
    let (_, events) = run(&mut taught(&overrides, out.path()));
    let losses: Vec<f64> = steps(&events).iter().map(|step| step.loss).collect();
    assert!(losses[losses.len() - 1] < losses[0] / 3.0, "{losses:?}");
}

#[test]
fn what_a_teacher_said_is_kept() {
    let out = tempfile::tempdir().unwrap();
    let rows = out.path().join("teacher/rows");
    taught(&[], out.path());
    let written = std::fs::metadata(&rows).unwrap().modified().unwrap();
    let again = taught(&[], out.path());
    assert_eq!(
        std::fs::metadata(&rows).unwrap().modified().unwrap(),
        written
    );
    let digest = |trainer: &Trainer| trainer.run.task.digest();
    let expected = digest(&again);
    // Damaged, it is asked again.
    std::fs::write(&rows, "no rows").unwrap();
    assert_eq!(digest(&taught(&[], out.path())), expected);
}

#[test]
fn tags_are_matched_by_name() {
    let out = tempfile::tempdir().unwrap();
    let labels = LabelSet::new(["O", "B-LOC", "I-LOC", "B-EVT", "I-EVT"]).unwrap();
    let mut other = teacher();
    other.model = testing::tagger_with(&labels);
    let data = TrainingData {
        teacher: Some(other),
        ..data(0..5, 0..0)
    };
    let config = config(&["distillation.teacher=teacher"]);
    let (model, tokenizer) = (testing::tagger(0.0), testing::tokenizer());
    let error = Trainer::new(model, tokenizer, data, &config, out.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the teacher has no label B-PER, I-PER; it has O, B-LOC, I-LOC, B-EVT, I-EVT"
    );
    // Tags that the student lacks count as outside.
    let labels = ["B-EVT", "O", "I-LOC", "B-LOC", "I-PER", "B-PER", "I-EVT"];
    let mut larger = teacher();
    larger.model = testing::tagger_with(&LabelSet::new(labels).unwrap());
    let data = TrainingData {
        teacher: Some(larger.clone()),
        ..self::data(0..5, 0..0)
    };
    let trainer = trainer(0.0, data, &config, out.path());
    let task = trainer.run.task.entities();
    let batch = trainer
        .run
        .task
        .collator
        .batch(std::slice::from_ref(&task.examples.examples[0]));
    let rows = task
        .soft
        .as_ref()
        .unwrap()
        .1
        .of(&batch, &task.examples.examples);
    let logits = larger.model.forward(&batch, Mode::Inference).unwrap();
    let first = batch
        .labels
        .as_ref()
        .unwrap()
        .iter()
        .position(|&label| label >= 0)
        .unwrap();
    let exp: Vec<f32> = logits.to_vec2::<f32>().unwrap()[first]
        .iter()
        .map(|x| x.exp())
        .collect();
    let sum: f32 = exp.iter().sum();
    // O, B-PER, I-PER, B-LOC, I-LOC
    let expected = [exp[1] + exp[0] + exp[6], exp[5], exp[4], exp[3], exp[2]];
    for (found, expected) in rows[first * 5..].iter().zip(expected) {
        assert!((found.exp() - expected / sum).abs() < 1e-5);
    }
}
