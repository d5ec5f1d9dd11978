//! What is frozen costs nothing, and what learns gets the gradients that it has in the whole.

use std::collections::BTreeSet;

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use vestnik_model::{Adaptation, Freeze, Mode, Parameters, Place, TrainingPass};

use crate::support::{Model, training_case};

/// For the embeddings, the embeddings and a layer, a layer without the embeddings below it, and the whole encoder: a
/// backward pass leaves the gradients of what learns and nothing else, and they are those of the whole, bit for bit.
pub(crate) fn check_cost(folder: &str) {
    let (model, _) = Model::load(folder);
    let (nodes_of_all, all) = backward(&model, folder);
    for freeze in [
        Freeze {
            embeddings: Some(true),
            ..Freeze::default()
        },
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
    ] {
        let adaptation = adaptation(freeze);
        let adapted = model.adapted(&adaptation);
        let (nodes, gradients) = backward(&adapted, folder);
        check_partition(adapted.parameters(), freeze);
        for (name, var) in adapted.parameters().trainable() {
            assert_eq!(
                values(gradients.get(var).unwrap()),
                values(all.get(var).unwrap()),
                "{name} under {freeze:?}"
            );
        }
        // Constants that candle's own operations compute a gradient for: one, the zeros around DeBERTa's convolution.
        let constants = all.get_ids().count() - model.parameters().len();
        assert!(constants <= 1);
        let others = gradients.get_ids().count() - adapted.parameters().trainable().count();
        assert!(others <= constants, "{others} others under {freeze:?}");
        if freeze.embeddings() {
            assert!(nodes < nodes_of_all, "{nodes} of {nodes_of_all} nodes");
        }
    }
}

fn adaptation(freeze: Freeze) -> Adaptation {
    Adaptation {
        freeze,
        ..Adaptation::default()
    }
}

/// The nodes of the graph and the gradients that a backward pass leaves.
fn backward(model: &Model, folder: &str) -> (usize, GradStore) {
    let pass = TrainingPass::new(11, 4);
    let loss = model.loss(&training_case(folder), Mode::Training(&pass));
    (loss.sorted_nodes().len(), loss.backward().unwrap())
}

/// Every tensor either learns or is frozen, by its place.
fn check_partition(parameters: &Parameters, freeze: Freeze) {
    let frozen: BTreeSet<&str> = parameters.frozen().map(|(name, _)| name).collect();
    let learns: BTreeSet<&str> = parameters.trainable().map(|(name, _)| name).collect();
    assert!(!learns.is_empty() && learns.is_disjoint(&frozen));
    assert_eq!(learns.len() + frozen.len(), parameters.len());
    for (name, _) in parameters.iter() {
        let covered = freeze.covers(Place::of(name));
        assert_eq!(frozen.contains(name), covered, "{name} under {freeze:?}");
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Nothing below the lowest tensor that learns is tracked.
#[test]
fn a_frozen_encoder_records_no_graph() {
    for folder in crate::FOLDERS {
        let freeze = Freeze {
            encoder: true,
            ..Freeze::default()
        };
        let (model, _) = Model::load(folder);
        let pass = TrainingPass::new(11, 4);
        let batch = training_case(folder).batch();
        let adapted = model.adapted(&adaptation(freeze));
        let states = adapted.states(&batch, Mode::Training(&pass));
        assert!(!states.track_op(), "{folder}");
        assert!(
            model.states(&batch, Mode::Training(&pass)).track_op(),
            "{folder}"
        );
    }
}

/// Dropout stays on in frozen layers: the loss of a pass does not depend on what learns.
#[test]
fn freezing_does_not_change_the_loss() {
    let (model, _) = Model::load("bert");
    let case = training_case("bert");
    let loss = |model: &Model| {
        let pass = TrainingPass::new(11, 4);
        let loss = model.loss(&case, Mode::Training(&pass));
        loss.to_scalar::<f32>().unwrap()
    };
    let freeze = Freeze {
        encoder: true,
        ..Freeze::default()
    };
    assert_eq!(loss(&model), loss(&model.adapted(&adaptation(freeze))));
}
