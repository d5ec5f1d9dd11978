//! Layers that go back on their own, with a tape or by gradient checkpointing: the gradients of the plain pass, from a
//! smaller graph.

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use vestnik_model::{Adaptation, Freeze, Mode, Place, TrainingPass};

use crate::low_rank::after_some_steps;
use crate::support::{Model, norm, training_case};

/// The ways in which layers go back on their own.
const WAYS: [fn(TrainingPass) -> TrainingPass; 2] = [
    TrainingPass::with_tape,
    TrainingPass::with_gradient_checkpointing,
];

/// Of the whole model, above and below frozen layers, and of low-rank updates.
pub(crate) fn check_gradients(folder: &str) {
    let (model, _) = Model::load(folder);
    let freezes = [
        Freeze::default(),
        Freeze {
            layers: 1,
            ..Freeze::default()
        },
        Freeze {
            layers: 1,
            embeddings: Some(false),
            ..Freeze::default()
        },
        Freeze {
            encoder: true,
            ..Freeze::default()
        },
    ];
    for freeze in freezes {
        let adaptation = Adaptation {
            freeze,
            ..Adaptation::default()
        };
        check_pass(&model.adapted(&adaptation), folder);
    }
    check_pass(&after_some_steps(folder), folder);
}

fn check_pass(model: &Model, folder: &str) {
    let (loss, plain) = backward(model, folder, &TrainingPass::new(11, 4));
    for way in WAYS {
        let (loss_of_parts, of_parts) = backward(model, folder, &way(TrainingPass::new(11, 4)));
        assert_eq!(loss, loss_of_parts);
        for (name, var) in model.parameters().trainable() {
            let [expected, found] = [&plain, &of_parts].map(|store| store.get(var).unwrap());
            if name.starts_with("deberta.") && Place::of(name) == Place::Embeddings {
                // What layers share gets one sum a layer, and what is below the convolution one a part.
                let difference = norm(&(expected - found).unwrap());
                assert!(difference <= 1e-6 * norm(expected), "{name}: {difference}");
            } else {
                assert_eq!(values(expected), values(found), "{name}");
            }
        }
        for (name, var) in model.parameters().frozen() {
            assert!(of_parts.get(var).is_none(), "{name}");
        }
    }
}

fn backward(model: &Model, folder: &str, pass: &TrainingPass) -> (f32, GradStore) {
    let loss = model.loss(&training_case(folder), Mode::Training(pass));
    let gradients = pass.backward(&loss).unwrap();
    (loss.to_scalar().unwrap(), gradients)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The graph holds one node for a layer, not one for every operation inside.
#[test]
fn the_graph_has_no_insides_of_layers() {
    for folder in ["bert", "deberta_v2", "modernbert"] {
        let (model, _) = Model::load(folder);
        let batch = training_case(folder).batch();
        let nodes = |pass: TrainingPass| {
            let states = model.states(&batch, Mode::Training(&pass));
            states.sorted_nodes().len()
        };
        let plain = nodes(TrainingPass::new(11, 4));
        for way in WAYS {
            let of_parts = nodes(way(TrainingPass::new(11, 4)));
            assert!(3 * of_parts < plain, "{folder}: {of_parts} of {plain}");
        }
    }
}

/// A pass can be taken backward again, and gradients do not add up over passes.
#[test]
fn gradients_are_taken_once() {
    let (model, _) = Model::load("bert");
    for way in WAYS {
        let pass = way(TrainingPass::new(11, 4));
        let loss = model.loss(&training_case("bert"), Mode::Training(&pass));
        let [first, second] = [(); 2].map(|()| pass.backward(&loss).unwrap());
        for (name, var) in model.parameters().trainable() {
            let [a, b] = [&first, &second].map(|store| values(store.get(var).unwrap()));
            assert_eq!(a, b, "{name}");
        }
    }
}
