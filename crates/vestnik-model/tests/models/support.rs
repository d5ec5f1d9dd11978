//! The committed tiny models and what transformers answers for them.
//!
//! `scripts/make_fixtures.py` made them; the reference computes in f64, so its digits are exact to those shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vestnik_model::{
    Adaptation, DType, Device, LoadReport, MaskedLm, Mode, ModelConfig, ModelDir, Parameters,
    ProblemType, SequenceClassifier, TokenClassifier, losses,
};
use vestnik_text::Batch;

/// Answers of the reference for one directory.
#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) cases: Vec<Case>,
}

/// A padded batch and its answers, `[sequences][tokens][…]`, or `[sequences][…]` where a sequence has one answer.
#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) input_ids: Vec<Vec<u32>>,
    pub(crate) attention_mask: Vec<Vec<u32>>,
    #[serde(default)]
    pub(crate) token_type_ids: Option<Vec<Vec<u32>>>,
    last_hidden_state: Vec<Vec<Vec<f32>>>,
    logits: Value,
    #[serde(default)]
    labels: Option<Value>,
    #[serde(default)]
    pub(crate) loss: Option<f32>,
    #[serde(default)]
    pub(crate) gradient_norms: BTreeMap<String, f32>,
}

impl Case {
    /// The lengths of the sequences without their padding.
    fn lengths(&self) -> Vec<usize> {
        self.attention_mask
            .iter()
            .map(|mask| mask.iter().sum::<u32>() as usize)
            .collect()
    }

    /// The values of all real tokens, end to end.
    fn packed<T: Clone>(&self, padded: &[Vec<T>]) -> Vec<T> {
        padded
            .iter()
            .zip(self.lengths())
            .flat_map(|(row, length)| row[..length].to_vec())
            .collect()
    }

    /// The real tokens of all sequences as a packed batch.
    pub(crate) fn batch(&self) -> Batch {
        let lengths = self.lengths();
        let ids = self.packed(&self.input_ids);
        let mut cumulative_lengths = vec![0];
        for length in &lengths {
            cumulative_lengths.push(cumulative_lengths.last().unwrap() + length);
        }
        Batch {
            position_ids: lengths
                .iter()
                .flat_map(|length| 0..*length as u32)
                .collect(),
            type_ids: self
                .token_type_ids
                .as_ref()
                .map_or(vec![0; ids.len()], |types| self.packed(types)),
            origins: (0..lengths.len()).map(|sequence| (sequence, 0)).collect(),
            ids,
            cumulative_lengths,
            ..Batch::default()
        }
    }

    /// Each sequence as a batch of its own.
    pub(crate) fn singles(&self) -> Vec<Batch> {
        let whole = self.batch();
        let part = |range: std::ops::Range<usize>| Batch {
            ids: whole.ids[range.clone()].to_vec(),
            position_ids: whole.position_ids[range.clone()].to_vec(),
            type_ids: whole.type_ids[range.clone()].to_vec(),
            cumulative_lengths: vec![0, range.len()],
            origins: vec![(0, 0)],
            ..Batch::default()
        };
        whole.sequences().map(part).collect()
    }

    /// Hidden states of all real tokens, end to end.
    pub(crate) fn hidden_states(&self) -> Vec<Vec<f32>> {
        self.packed(&self.last_hidden_state)
    }

    /// Logits of all real tokens, end to end, or of all sequences.
    pub(crate) fn logits(&self) -> Vec<Vec<f32>> {
        match serde_json::from_value::<Vec<Vec<Vec<f32>>>>(self.logits.clone()) {
            Ok(padded) => self.packed(&padded),
            Err(_) => typed(&self.logits),
        }
    }
}

fn typed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// A fixture directory.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A fixture directory, opened.
pub(crate) fn open(name: &str) -> ModelDir {
    ModelDir::open(&path(name)).unwrap()
}

/// What the reference answers for it.
pub(crate) fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(path(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The case with labels, a loss and gradients.
pub(crate) fn training_case(name: &str) -> Case {
    let cases = expected(name).cases;
    cases.into_iter().find(|case| case.loss.is_some()).unwrap()
}

/// A model with whatever head its class name says.
pub(crate) enum Model {
    Token(TokenClassifier),
    Sequence(SequenceClassifier),
    Masked(MaskedLm),
}

impl Model {
    pub(crate) fn load(name: &str) -> (Self, LoadReport) {
        Self::load_dir(&open(name))
    }

    pub(crate) fn load_dir(dir: &ModelDir) -> (Self, LoadReport) {
        let class = dir.config().class_names()[0].to_owned();
        if class.ends_with("ForTokenClassification") {
            let (model, report) = TokenClassifier::load(dir, &Device::Cpu).unwrap();
            (Self::Token(model), report)
        } else if class.ends_with("ForSequenceClassification") {
            let (model, report) = SequenceClassifier::load(dir, &Device::Cpu).unwrap();
            (Self::Sequence(model), report)
        } else {
            assert!(class.ends_with("ForMaskedLM"), "{class}");
            let (model, report) = MaskedLm::load(dir, 0, &Device::Cpu).unwrap();
            (Self::Masked(model), report)
        }
    }

    /// `[tokens, outputs]`, or `[sequences, outputs]` of a sequence classifier.
    pub(crate) fn logits(&self, batch: &Batch, mode: Mode<'_>) -> Tensor {
        match self {
            Self::Token(model) => model.forward(batch, mode),
            Self::Sequence(model) => model.forward(batch, mode),
            Self::Masked(model) => {
                let everywhere: Vec<u32> = (0..batch.ids.len() as u32).collect();
                model.logits(batch, &everywhere, mode)
            }
        }
        .unwrap()
    }

    /// `[tokens, hidden]`.
    pub(crate) fn hidden_states(&self, batch: &Batch) -> Tensor {
        self.states(batch, Mode::Inference)
    }

    /// `[tokens, hidden]`.
    pub(crate) fn states(&self, batch: &Batch, mode: Mode<'_>) -> Tensor {
        let encoder = match self {
            Self::Token(model) => model.encoder(),
            Self::Sequence(model) => model.encoder(),
            Self::Masked(model) => model.encoder(),
        };
        encoder.forward(batch, mode).unwrap()
    }

    /// The loss that the reference has for this head.
    pub(crate) fn loss(&self, case: &Case, mode: Mode<'_>) -> Tensor {
        let logits = self.logits(&case.batch(), mode);
        let labels = case.labels.as_ref().unwrap();
        match self {
            Self::Sequence(model) if model.problem_type() == ProblemType::MultiLabel => {
                let targets = typed::<Vec<Vec<f32>>>(labels).concat();
                losses::binary_cross_entropy(&logits, &targets)
            }
            Self::Sequence(_) => losses::cross_entropy(&logits, &typed::<Vec<i64>>(labels)),
            _ => losses::cross_entropy(&logits, &case.packed(&typed::<Vec<Vec<i64>>>(labels))),
        }
        .unwrap()
    }

    /// The same model, of which `adaptation` says what learns.
    pub(crate) fn adapted(&self, adaptation: &Adaptation) -> Self {
        match self {
            Self::Token(model) => Self::Token(model.clone().adapted(adaptation, 3).unwrap()),
            Self::Sequence(model) => Self::Sequence(model.clone().adapted(adaptation, 3).unwrap()),
            Self::Masked(model) => Self::Masked(model.clone().adapted(adaptation, 3).unwrap()),
        }
    }

    /// Writes it in the Hugging Face layout.
    pub(crate) fn save(&self, folder: &Path) {
        match self {
            Self::Token(model) => model.save(folder, DType::F32),
            Self::Sequence(model) => model.save(folder, DType::F32),
            Self::Masked(model) => model.save(folder, DType::F32),
        }
        .unwrap();
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        match self {
            Self::Token(model) => model.parameters(),
            Self::Sequence(model) => model.parameters(),
            Self::Masked(model) => model.parameters(),
        }
    }

    pub(crate) fn config(&self) -> &ModelConfig {
        match self {
            Self::Token(model) => model.config(),
            Self::Sequence(model) => model.config(),
            Self::Masked(model) => model.config(),
        }
    }
}

/// The name under which we hold a tensor that the reference holds under several.
pub(crate) fn own_name(parameters: &Parameters, name: &str) -> String {
    if parameters.get(name).is_some() {
        return name.to_owned();
    }
    let shared = match name {
        "lm_head.decoder.bias" => "lm_head.bias",
        "cls.predictions.decoder.bias" => "cls.predictions.bias",
        "cls.predictions.decoder.weight" | "lm_head.decoder.weight" => "word_embeddings.weight",
        "vocab_projector.weight" | "generator_lm_head.weight" => "word_embeddings.weight",
        "decoder.weight" => "tok_embeddings.weight",
        other => panic!("the model has no {other}"),
    };
    let found = parameters.iter().find(|(name, _)| name.ends_with(shared));
    found.unwrap().0.to_owned()
}

/// Euclidean norm.
pub(crate) fn norm(tensor: &Tensor) -> f32 {
    let squares = tensor.sqr().unwrap().sum_all().unwrap();
    squares.sqrt().unwrap().to_scalar().unwrap()
}
