//! AdamW against numbers computed by hand and against its own composed path.

use candle_core::{Device, Tensor, Var};

use super::*;

fn config() -> AdamWConfig {
    AdamWConfig {
        learning_rate: 0.1,
        weight_decay: 0.1,
        ..AdamWConfig::default()
    }
}

/// Gradients as a backward pass would leave them: the gradient of Σ g·w is g.
fn gradients(var: &Var, name: &str, values: &[f32]) -> Gradients {
    let g = Tensor::from_slice(values, var.shape(), &Device::Cpu).unwrap();
    let mut store = (var.as_tensor() * g)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let mut gradients = Gradients::default();
    gradients.add([(name, var)], &[], &mut store, 1.0).unwrap();
    gradients
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-6,
            "{found} {expected}"
        );
    }
}

/// The textbook update of one number, in f64.
fn by_hand(mut weight: f64, gradients: &[f64], decay: f64, lr: f64) -> f64 {
    let (mut m, mut v) = (0.0, 0.0);
    for (t, g) in (1..).zip(gradients) {
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        weight = weight - lr * decay * weight - lr * m_hat / (v_hat.sqrt() + 1e-8);
    }
    weight
}

#[test]
fn first_step_moves_by_the_learning_rate() {
    // After one step m̂ = g and v̂ = g², so the move is lr·sign(g): 1 − 0.1·0.1·1 − 0.1 = 0.89 and −2 + 0.02 + 0.1 = −1.88.
    let var = Var::new(&[[1f32, -2.0]], &Device::Cpu).unwrap();
    let mut adamw = AdamW::new([("w", &var)], config()).unwrap();
    adamw
        .step(&gradients(&var, "w", &[0.5, -3.0]), 0.1, 1.0)
        .unwrap();
    assert_close(&values(&var), &[0.89, -1.88]);
}

#[test]
fn three_steps_equal_the_textbook() {
    let var = Var::new(&[[1f32, -2.0]], &Device::Cpu).unwrap();
    let mut adamw = AdamW::new([("w", &var)], config()).unwrap();
    for g in [[0.5, -3.0], [0.1, 2.0], [-0.4, 0.0]] {
        adamw.step(&gradients(&var, "w", &g), 0.1, 1.0).unwrap();
    }
    let expected = [
        by_hand(1.0, &[0.5, 0.1, -0.4], 0.1, 0.1),
        by_hand(-2.0, &[-3.0, 2.0, 0.0], 0.1, 0.1),
    ];
    assert_close(&values(&var), &expected);
    assert_eq!(adamw.steps(), 3);
}

#[test]
fn biases_and_norms_do_not_decay() {
    let bias = Var::new(&[1f32], &Device::Cpu).unwrap();
    let mut adamw = AdamW::new([("encoder.LayerNorm.weight", &bias)], config()).unwrap();
    adamw
        .step(
            &gradients(&bias, "encoder.LayerNorm.weight", &[0.0]),
            0.1,
            1.0,
        )
        .unwrap();
    assert_eq!(values(&bias), [1.0]);
}

#[test]
fn head_has_its_own_rate() {
    let head = Var::new(&[[1f32]], &Device::Cpu).unwrap();
    let config = AdamWConfig {
        head_lr_factor: 2.0,
        weight_decay: 0.0,
        ..config()
    };
    let mut adamw = AdamW::new([("classifier.weight", &head)], config).unwrap();
    adamw
        .step(&gradients(&head, "classifier.weight", &[1.0]), 0.1, 1.0)
        .unwrap();
    assert_close(&values(&head), &[0.8]);
}

#[test]
fn scale_acts_as_a_scaled_gradient() {
    let [a, b] = [(); 2].map(|()| Var::new(&[[1f32]], &Device::Cpu).unwrap());
    let mut of_a = AdamW::new([("w", &a)], config()).unwrap();
    let mut of_b = AdamW::new([("w", &b)], config()).unwrap();
    for g in [3.0, -1.0] {
        of_a.step(&gradients(&a, "w", &[g]), 0.1, 0.5).unwrap();
        of_b.step(&gradients(&b, "w", &[g * 0.5]), 0.1, 1.0)
            .unwrap();
    }
    assert_eq!(values(&a), values(&b));
}

#[test]
fn composed_and_in_place_updates_agree() {
    let n = 2 * kernels::CHUNK + 3;
    let start: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
    let g: Vec<f32> = (0..n).map(|i| (i as f32 * 0.11).cos()).collect();
    let [a, b] = [(); 2].map(|()| Var::from_slice(&start, (1, n), &Device::Cpu).unwrap());
    let config = config();
    let groups = Groups::new(["w"], &config);
    let mut in_place = Slot::new("w", &a, &groups).unwrap();
    let mut composed = Slot::new("w", &b, &groups).unwrap();
    for step in 1..4 {
        in_place.step = step;
        let update = Update::new(&config, &in_place, 0.1, 0.7);
        let g = Tensor::from_slice(&g, (1, n), &Device::Cpu).unwrap();
        in_place.apply(&g, &config, &update).unwrap();
        composed.apply_composed(&g, &config, &update).unwrap();
    }
    for (a, b) in values(&a).iter().zip(values(&b)) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn saved_state_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optimizer.safetensors");
    let var = Var::new(&[[0.3f32, -0.7], [0.1, 0.9]], &Device::Cpu).unwrap();
    let mut adamw = AdamW::new([("w", &var)], config()).unwrap();
    adamw
        .step(&gradients(&var, "w", &[0.5, -3.0, 0.2, 0.7]), 0.1, 1.0)
        .unwrap();
    adamw.save(&path).unwrap();

    let copy = Var::from_tensor(&var.as_detached_tensor().copy().unwrap()).unwrap();
    let mut restored = AdamW::new([("w", &copy)], config()).unwrap();
    restored.load(&path).unwrap();
    for (adamw, var) in [(&mut adamw, &var), (&mut restored, &copy)] {
        adamw
            .step(&gradients(var, "w", &[0.1, 0.2, -0.3, 0.4]), 0.05, 1.0)
            .unwrap();
    }
    assert_eq!(values(&var), values(&copy));
    assert_eq!(restored.steps(), 2);
}

#[test]
fn state_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optimizer.safetensors");
    let var = Var::new(&[[0.3f32, -0.7]], &Device::Cpu).unwrap();
    AdamW::new([("w", &var)], config())
        .unwrap()
        .save(&path)
        .unwrap();
    let other = Var::new(&[[0.3f32]], &Device::Cpu).unwrap();
    for (name, var) in [("w", &other), ("x", &var)] {
        let error = AdamW::new([(name, var)], config())
            .unwrap()
            .load(&path)
            .unwrap_err();
        assert!(matches!(error, Error::CheckpointMismatch { .. }), "{error}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    for bad in [f64::NAN, -1.0, f64::INFINITY] {
        let config = AdamWConfig {
            learning_rate: bad,
            ..config()
        };
        assert!(matches!(config.check(), Err(Error::Setting { .. })));
    }
}

#[test]
fn rows_of_a_table_give_the_bits_of_the_whole_gradient() {
    let whole: Vec<f32> = [[0.0; 3], [0.5, -2.0, 0.25], [0.0; 3], [1.0, 0.0, -0.125]].concat();
    let start: Vec<f32> = (0..12).map(|i| i as f32 / 7.0).collect();
    let by_rows = |as_rows: bool| {
        let var = Var::from_vec(start.clone(), (4, 3), &Device::Cpu).unwrap();
        let mut optimizer = AdamW::new([("table", &var)], config()).unwrap();
        for _ in 0..3 {
            let gradients = if as_rows {
                rows(&var, &[1, 3], &[&whole[3..6], &whole[9..]].concat())
            } else {
                gradients(&var, "table", &whole)
            };
            optimizer.step(&gradients, 0.1, 0.7).unwrap();
        }
        values(var.as_tensor())
    };
    assert_eq!(by_rows(true), by_rows(false));
}

/// Gradients of some rows, as a backward pass through looked-up rows would leave them.
fn rows(var: &Var, indices: &[u32], values: &[f32]) -> Gradients {
    let pass = vestnik_model::TrainingPass::new(0, 0).with_lookups();
    let found = vestnik_model::ops::embed(
        var.as_tensor(),
        indices,
        vestnik_model::Mode::Training(&pass),
    );
    let g = Tensor::from_slice(values, (indices.len(), 3), &Device::Cpu).unwrap();
    let loss = (found.unwrap() * g).unwrap().sum_all().unwrap();
    let mut gradients = Gradients::default();
    let mut store = loss.backward().unwrap();
    gradients
        .add([("table", var)], &pass.take_lookups(), &mut store, 1.0)
        .unwrap();
    assert!(gradients.get("table").is_none());
    gradients
}

#[test]
fn steps_without_a_gradient_do_not_count() {
    let vars = [0.0f32, 0.0].map(|x| Var::new(&[[x]], &Device::Cpu).unwrap());
    let of_both = |sometimes: bool| {
        let mut both = gradients(&vars[0], "often", &[0.5]);
        if sometimes {
            let g = (vars[1].as_tensor() * 0.5).unwrap();
            let mut store = g.sum_all().unwrap().backward().unwrap();
            both.add([("seldom", &vars[1])], &[], &mut store, 1.0)
                .unwrap();
        }
        both
    };
    let parameters = [("often", &vars[0]), ("seldom", &vars[1])];
    let mut adamw = AdamW::new(parameters, config()).unwrap();
    for step in 0..7 {
        adamw.step(&of_both(step % 3 == 0), 0.1, 1.0).unwrap();
    }
    let expected = [7, 3].map(|n| by_hand(0.0, &vec![0.5; n], 0.1, 0.1));
    let found = vars.each_ref().map(|var| values(var.as_tensor())[0]);
    assert_close(&found, &expected);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adamw.safetensors");
    adamw.save(&path).unwrap();
    let mut loaded = AdamW::new(parameters, config()).unwrap();
    loaded.load(&path).unwrap();
    let steps = |adamw: &AdamW| adamw.slots.iter().map(|slot| slot.step).collect::<Vec<_>>();
    assert_eq!(steps(&loaded), [7, 3]);
    assert_eq!((loaded.steps(), steps(&adamw)), (7, steps(&loaded)));
}
