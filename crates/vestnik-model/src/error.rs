//! What can go wrong while a model is read, built, run or written.

use std::path::PathBuf;

use crate::PickleProblem;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of a model directory could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is no directory at the path.
    #[error("{}: {found}", path.display())]
    NoDirectory {
        /// The path.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// A directory without `config.json`.
    #[error("{}: no config.json here{hint}", dir.display())]
    NoConfig {
        /// The directory.
        dir: PathBuf,
        /// What to do; begins with a separator, or is empty.
        hint: String,
    },
    /// A model directory has no weights that can be read.
    #[error("{}: no model.safetensors here{hint}", dir.display())]
    NoWeights {
        /// The directory.
        dir: PathBuf,
        /// What to do, where a cause is known; begins with a separator, or is empty.
        hint: String,
    },
    /// `config.json` is not JSON, or a key that is needed is missing or of the wrong type.
    #[error("{}: {problem}", path.display())]
    Config {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// `config.json` asks for something that would change the computation and is not implemented.
    #[error("{}: {key} = {value} is not supported; supported: {supported}", path.display())]
    Unsupported {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// The value found.
        value: String,
        /// The values that are implemented.
        supported: &'static str,
    },
    /// A weights file, or the index of its shards, is truncated, not in its format, or does not keep what it promises.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// A tensor that the model needs holds other numbers than floating-point ones.
    #[error("{}: tensor {name} holds {dtype} numbers, expected f32, f16, bf16 or f64; save the model without quantization", path.display())]
    TensorDtype {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its number type, as the file names it.
        dtype: String,
    },
    /// A tensor that the model needs holds NaN or infinite numbers: the training that made it diverged, or the numbers
    /// did not fit the type that they were saved in.
    #[error("{}: tensor {name} holds NaN or infinite numbers; the model cannot be used, save it again", path.display())]
    NotFinite {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor holds numbers that the type it is to be saved in cannot hold.
    #[error("{}: tensor {name} holds numbers beyond the range of {dtype}; take bf16 or f32", path.display())]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The number type that was asked for.
        dtype: String,
    },
    /// A PyTorch file holds something else than weights, or its pickle is broken. Nothing of it was run.
    #[error("{}: {source}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        #[source]
        source: PickleProblem,
    },
    /// Tensors that the model needs are not in the file.
    #[error("{}: {} of the model's tensors are missing, the first: {}", path.display(), names.len(), names.first().map_or("", String::as_str))]
    MissingTensors {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// Their names.
        names: Vec<String>,
        /// Tensors of the file that the model has no use for: misspelt names are among them.
        unused: Vec<String>,
    },
    /// A tensor of the file has another shape than `config.json` demands.
    #[error("{}: tensor {name} has shape {found:?}, config.json demands {expected:?}", path.display())]
    TensorShape {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration gives.
        expected: Vec<usize>,
    },
    /// The model directory has no label map, so nobody could say what its outputs mean.
    #[error("{}: {problem}; expected id2label with a name for every output", path.display())]
    Labels {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The names of the outputs are `LABEL_0`, `LABEL_1`, …: the defaults, which say nothing.
    #[error("{}: the labels are placeholders ({}), so nobody knows what the model finds; name every output under id2label, such as \"0\": \"O\", \"1\": \"B-PER\"", path.display(), labels.join(", "))]
    PlaceholderLabels {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// The labels.
        labels: Vec<String>,
    },
    /// The files of the tokenizer are missing, or do not fit the model or each other.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// `tokenizer.json` is broken.
    #[error("{}", path.display())]
    TokenizerFile {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: vestnik_text::Error,
    },
    /// What was to be written is there already.
    #[error("{} exists; name another directory", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The model has another head than the one that is needed.
    #[error("{}: the model is a {class}, expected one for {expected}", path.display())]
    Head {
        /// The file, or the name of what stands for it.
        path: PathBuf,
        /// The reference's name for models with its head.
        class: String,
        /// What is needed.
        expected: &'static str,
    },
    /// A sequence has more tokens than the model has positions.
    #[error("a sequence of {tokens} tokens is longer than the model's {limit} positions")]
    TooLong {
        /// Tokens of the sequence, special tokens included.
        tokens: usize,
        /// Positions of the model.
        limit: usize,
    },
    /// A token id is not in the model's vocabulary: the tokenizer belongs to another model.
    #[error(
        "token id {id} is outside the model's vocabulary of {vocab_size}: is the tokenizer from another model?"
    )]
    TokenId {
        /// The id.
        id: u32,
        /// Rows of the embedding table.
        vocab_size: usize,
    },
    /// The caller passed values that do not fit together.
    #[error("{what}: expected {expected}, got {got}")]
    Argument {
        /// Which argument.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What was passed.
        got: String,
    },
    /// A tensor operation failed.
    #[error("{doing}: {source}")]
    Tensor {
        /// What was being done.
        doing: &'static str,
        /// What candle said.
        #[source]
        source: candle_core::Error,
    },
    /// The tokenizer could not be read.
    #[error(transparent)]
    Text(#[from] vestnik_text::Error),
}

impl From<candle_core::Error> for Error {
    fn from(source: candle_core::Error) -> Self {
        Self::Tensor {
            doing: "tensor operation",
            source,
        }
    }
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
