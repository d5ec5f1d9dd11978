//! Operations on a GPU equal those on the CPU, outputs and gradients; whole models, too. Without a GPU every test says
//! so and passes.

#![cfg(feature = "cuda")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[expect(dead_code, reason = "tests of the CPU use the rest")]
mod twins;

use std::path::{Path, PathBuf};

use candle_core::{Device, Result, Tensor, Var};
use twins::{values, var};
use vestnik_model::Precision::{self, Bf16, F32, Tf32};
use vestnik_model::ops::{self, AttentionOptions};
use vestnik_model::{MaskedLm, Mode, ModelDir, TokenClassifier, TrainingPass, losses};
use vestnik_text::Batch;

/// The GPU, if there is one.
fn gpu() -> Option<Device> {
    match Device::new_cuda(0) {
        Ok(device) => {
            ops::cuda::prepare(&device).unwrap();
            Some(device)
        }
        Err(error) => {
            eprintln!("skipped: no GPU ({error})");
            None
        }
    }
}

/// What a norm counts as at least: a gradient that is zero (of a query with a single key, say) comes out as rounding errors.
const LEAST_NORM: f64 = 1e-2;

/// `|a - b| / |b|` over all elements (Euclidean), after both came to the CPU.
fn relative_difference(a: &Tensor, b: &Tensor) -> f64 {
    let cpu = |x: &Tensor| {
        let x = x.to_device(&Device::Cpu).unwrap().flatten_all().unwrap();
        x.to_vec1::<f32>().unwrap()
    };
    let (a, b) = (cpu(a), cpu(b));
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(&b).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut b.iter().map(|&b| f64::from(b))).max(LEAST_NORM)
}

/// Weighs every output differently.
fn weighed(output: &Tensor) -> Tensor {
    let weights = Tensor::from_vec(values(output.elem_count(), 99), output.dims(), &Device::Cpu);
    let weights = weights.unwrap().to_device(output.device()).unwrap();
    (output * weights).unwrap().sum_all().unwrap()
}

/// Output and gradients of an operation on both devices agree.
fn check(inputs: &[Var], tolerance: f64, operation: impl Fn(&[Var]) -> Result<Tensor>) {
    let Some(gpu) = gpu() else { return };
    let there = inputs
        .iter()
        .map(|input| Var::from_tensor(&input.as_tensor().to_device(&gpu).unwrap()).unwrap());
    let there: Vec<Var> = there.collect();
    let (here, result) = (operation(inputs).unwrap(), operation(&there).unwrap());
    let difference = relative_difference(&result, &here);
    assert!(difference <= tolerance, "outputs differ by {difference}");
    let (expected, got) = (
        weighed(&here).backward().unwrap(),
        weighed(&result).backward().unwrap(),
    );
    for (index, (input, there)) in inputs.iter().zip(&there).enumerate() {
        let (expected, got) = (expected.get(input).unwrap(), got.get(there).unwrap());
        let difference = relative_difference(got, expected);
        assert!(
            difference <= tolerance,
            "gradient {index} differs by {difference}"
        );
    }
}

fn tolerance(precision: Precision) -> f64 {
    match precision {
        F32 => 2e-5,
        Tf32 => 2e-3,
        Bf16 => 2e-2,
    }
}

#[test]
fn linear() {
    for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (300, 96, 130), (33, 384, 1536)] {
        let tensors = [
            var(&[rows, inputs], 1),
            var(&[outputs, inputs], 2),
            var(&[outputs], 3),
        ];
        for precision in [F32, Tf32, Bf16] {
            check(&tensors, tolerance(precision), |v| {
                ops::linear(&v[0], &v[1], &v[2], precision)
            });
        }
    }
}

#[test]
fn layer_norm() {
    for (rows, width) in [(1, 3), (9, 32), (1000, 384), (5, 1025)] {
        let tensors = [var(&[rows, width], 1), var(&[width], 2), var(&[width], 3)];
        check(&tensors, 5e-5, |v| {
            ops::layer_norm(&v[0], &v[1], &v[2], 1e-5)
        });
    }
}

#[test]
fn gelu() {
    check(&[var(&[13, 7], 1)], 2e-5, |v| {
        ops::gelu(&(v[0].as_tensor() * 4.0)?)
    });
}

#[test]
fn dropout_drops_what_the_cpu_drops() {
    for n in [1, 3, 4, 1001] {
        let tensors = [var(&[n, 3], 1), var(&[n, 3], 2)];
        check(&tensors, 1e-6, |v| {
            let pass = TrainingPass::new(5, 6);
            let x = ops::dropout(&v[0], 0.3, Mode::Training(&pass))?;
            ops::dropout_add(&x, &v[1], 0.2, Mode::Training(&pass))
        });
    }
}

#[test]
fn attention() {
    let lengths: [&[usize]; 4] = [&[0, 1], &[0, 5, 12, 13], &[0, 70, 70, 200], &[0, 33, 66]];
    for cumulative_lengths in lengths {
        let tokens = *cumulative_lengths.last().unwrap();
        let tensors = [1, 2, 3].map(|seed| var(&[tokens, 64], seed));
        for (window, dropout) in [(None, 0.0), (None, 0.25), (Some(3), 0.0), (Some(100), 0.0)] {
            for precision in [F32, Bf16] {
                let options = AttentionOptions {
                    cumulative_lengths,
                    n_heads: 4,
                    dropout,
                    window,
                };
                check(&tensors, tolerance(precision), |v| {
                    let pass = TrainingPass::new(1, 2).with_precision(precision);
                    ops::attention(&v[0], &v[1], &v[2], options, Mode::Training(&pass))
                });
            }
        }
    }
}

#[test]
fn rows_of_tables() {
    let often: Vec<u32> = (0..700)
        .map(|i| if i % 3 == 0 { 4 } else { i % 11 })
        .collect();
    for indices in [vec![0], vec![2, 0, 2, 9], often] {
        check(&[var(&[11, 37], 1)], 2e-6, |v| {
            ops::gather_rows(&v[0], &indices)
        });
    }
}

#[test]
fn means_of_ranges() {
    let ranges = [0..1, 3..20, 0..30, 29..30, 5..9];
    check(&[var(&[30, 70], 1)], 2e-6, |v| {
        ops::range_means(&v[0], &ranges)
    });
}

#[test]
fn cross_entropy() {
    let labels = [3, -100, 0, 1030, 7];
    check(&[var(&[5, 1031], 1)], 2e-5, |v| {
        let loss = losses::cross_entropy(&(v[0].as_tensor() * 5.0)?, &labels);
        loss.map_err(candle_core::Error::wrap)
    });
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.json").is_file())
        .collect();
    folders.sort();
    folders
}

/// A copy of a fixture; DeBERTa drops other weights of its attention on a GPU than on the CPU, so that nothing is dropped there.
fn without_attention_dropout(fixture: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(fixture).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let path = copy.path().join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    if config["model_type"] == "deberta-v2" {
        config["attention_probs_dropout_prob"] = 0.0.into();
    }
    std::fs::write(&path, config.to_string()).unwrap();
    copy
}

/// Sequences of different lengths, of ids from the middle of a small vocabulary.
fn batch(vocabulary: usize) -> Batch {
    let lengths = [9, 1, 20, 14];
    let mut cumulative_lengths = vec![0];
    for length in lengths {
        cumulative_lengths.push(cumulative_lengths.last().unwrap() + length);
    }
    let tokens = *cumulative_lengths.last().unwrap() as u32;
    Batch {
        ids: (0..tokens)
            .map(|i| 5 + i * 7 % (vocabulary as u32 - 6))
            .collect(),
        position_ids: lengths
            .iter()
            .flat_map(|length| 0..*length as u32)
            .collect(),
        type_ids: vec![0; tokens as usize],
        origins: (0..lengths.len()).map(|sequence| (sequence, 0)).collect(),
        cumulative_lengths,
        ..Batch::default()
    }
}

/// Loss and gradient norms of a training pass on a device, in a precision.
fn taggers_gradients(
    dir: &ModelDir,
    device: &Device,
    precision: Precision,
) -> (f32, Vec<(String, Tensor)>) {
    let (model, _) = TokenClassifier::load(dir, device).unwrap();
    let batch = batch(dir.config().encoder.vocab_size);
    let pass = TrainingPass::new(3, 4)
        .with_precision(precision)
        .with_tape();
    let logits = model.forward(&batch, Mode::Training(&pass)).unwrap();
    let n_labels = model.labels().len() as i64;
    let labels: Vec<i64> = (0..batch.ids.len() as i64).map(|i| i % n_labels).collect();
    let loss = losses::cross_entropy(&logits, &labels).unwrap();
    let gradients = pass.backward(&loss).unwrap();
    let named = model
        .parameters()
        .trainable()
        .filter_map(|(name, var)| Some((name.to_owned(), gradients.get(var)?.clone())));
    let named = named.collect();
    (loss.to_scalar().unwrap(), named)
}

#[test]
fn taggers_of_every_architecture_learn_what_they_learn_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let mut checked = 0;
    for folder in fixtures() {
        let copy = without_attention_dropout(&folder);
        let dir = ModelDir::open(copy.path()).unwrap();
        if TokenClassifier::load(&dir, &Device::Cpu).is_err() {
            continue;
        }
        let (expected_loss, expected) = taggers_gradients(&dir, &Device::Cpu, F32);
        for (precision, tolerance) in [(F32, 1e-3), (Bf16, 0.1)] {
            let (loss, got) = taggers_gradients(&dir, &gpu, precision);
            let difference = (loss - expected_loss).abs() / expected_loss;
            assert!(
                f64::from(difference) <= tolerance,
                "{folder:?}: {difference}"
            );
            assert_eq!(got.len(), expected.len(), "{folder:?}");
            let all = |gradients: &[(String, Tensor)]| {
                let flat = gradients.iter().map(|(_, gradient)| {
                    gradient
                        .to_device(&Device::Cpu)
                        .unwrap()
                        .flatten_all()
                        .unwrap()
                });
                Tensor::cat(&flat.collect::<Vec<_>>(), 0).unwrap()
            };
            let difference = relative_difference(&all(&got), &all(&expected));
            eprintln!(
                "{}: {precision:?} gradients differ by {difference:.1e}",
                folder.display()
            );
            assert!(difference <= tolerance, "{folder:?}: {difference}");
        }
        checked += 1;
    }
    assert!(checked >= 8, "{checked} architectures");
}

#[test]
fn masked_language_models_give_the_logits_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    for folder in fixtures() {
        let dir = ModelDir::open(&folder).unwrap();
        let Ok((here, _)) = MaskedLm::load(&dir, 1, &Device::Cpu) else {
            continue;
        };
        let (there, _) = MaskedLm::load(&dir, 1, &gpu).unwrap();
        let batch = batch(dir.config().encoder.vocab_size);
        let logits = |model: &MaskedLm| {
            model
                .logits(&batch, &[0, 9, 12, 43], Mode::Inference)
                .unwrap()
        };
        let difference = relative_difference(&logits(&there), &logits(&here));
        assert!(difference <= 1e-3, "{folder:?}: {difference}");
    }
}

#[test]
fn sequences_do_not_see_their_batch_mates() {
    let Some(gpu) = gpu() else { return };
    let cumulative = [0, 40, 57, 100];
    let all = [1, 2, 3].map(|seed| var(&[100, 64], seed).as_tensor().to_device(&gpu).unwrap());
    let run = |tensors: &[Tensor], cumulative_lengths: &[usize]| {
        let options = AttentionOptions {
            cumulative_lengths,
            n_heads: 2,
            dropout: 0.0,
            window: None,
        };
        ops::attention(
            &tensors[0],
            &tensors[1],
            &tensors[2],
            options,
            Mode::Inference,
        )
        .unwrap()
    };
    let together = run(&all, &cumulative);
    let part: Vec<Tensor> = all.iter().map(|x| x.narrow(0, 40, 17).unwrap()).collect();
    let alone = run(&part, &[0, 17]);
    let difference = relative_difference(&together.narrow(0, 40, 17).unwrap(), &alone);
    assert!(difference <= 1e-5, "{difference}");
}
