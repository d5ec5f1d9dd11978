//! Parameters that are no encoder's.

use vestnik_engine::{Engine, EngineOptions};
use vestnik_model::{Device, EncoderModel, ModelDir, Parameters, Tensor, Var};

use crate::fixtures::fixtures;

/// What an engine says of the parameters of the tiny BERT when `change` was made to them.
fn refusal(change: impl FnOnce(&mut Parameters)) -> String {
    let path = fixtures().into_iter().find(|path| path.ends_with("bert"));
    let dir = ModelDir::open(&path.unwrap()).unwrap();
    let (model, _) = EncoderModel::load_frozen(&dir, &Device::Cpu).unwrap();
    let mut parameters = model.parameters().clone();
    change(&mut parameters);
    let options = EngineOptions::default();
    let engine = Engine::new(&model.config().encoder, &parameters, &options);
    engine.unwrap_err().to_string()
}

#[test]
fn a_tensor_that_is_missing_or_no_matrix_is_named() {
    for name in [
        "bert.embeddings.word_embeddings.weight",
        "bert.encoder.layer.1.output.dense.weight",
    ] {
        let missing = refusal(|parameters| drop(parameters.take(name)));
        assert!(missing.contains(&format!("the tensor {name}")), "{missing}");
        let flat = refusal(|parameters| {
            let number = Tensor::new(1f32, parameters.device()).unwrap();
            parameters.insert(name, Var::from_tensor(&number).unwrap());
        });
        let expected = format!("expected the matrix {name}, got the shape []");
        assert!(flat.contains(&expected), "{flat}");
    }
}
