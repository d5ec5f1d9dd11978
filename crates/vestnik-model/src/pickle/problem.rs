//! Why a pickle is refused.

/// Why a pickle is refused. Nothing of it was run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleProblem {
    /// It names a function or a class that weights do not need.
    #[error(
        "asks to run {module}.{name}, which weights do not need: refused, nothing was run; \
         get the model from a source you trust, as safetensors"
    )]
    Forbidden {
        /// The Python module.
        module: String,
        /// The function or class.
        name: String,
    },
    /// An instruction that no state dict needs.
    #[error(
        "the pickle has the instruction 0x{opcode:02x} at byte {position}, which no state dict needs; \
         save it again: torch.save(model.state_dict(), …)"
    )]
    Opcode {
        /// The instruction.
        opcode: u8,
        /// Where it stands, in bytes.
        position: usize,
    },
    /// Another protocol than the one of `torch.save`.
    #[error(
        "the pickle is of protocol {version}, expected 2, which torch.save writes; \
         save it again: torch.save(model.state_dict(), …)"
    )]
    Protocol {
        /// The protocol found.
        version: u8,
    },
    /// It ends too early.
    #[error("the pickle is truncated; fetch the file again")]
    Truncated,
    /// Its instructions do not fit together.
    #[error("the pickle is malformed; fetch the file again")]
    Malformed,
    /// It is longer than a state dict can be.
    #[error("the pickle is longer than {limit} bytes, more than any state dict needs")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It makes more objects than a state dict can have.
    #[error("the pickle makes more than {limit} objects, more than any state dict needs")]
    TooManyObjects {
        /// The limit.
        limit: usize,
    },
    /// The object is no dictionary, or one of its keys is no text.
    #[error(
        "no state dict: expected tensors by name; save it again: torch.save(model.state_dict(), …)"
    )]
    NoStateDict,
    /// A value of the dictionary is no tensor, as in checkpoints of training.
    #[error(
        "the entry {key:?} is {found}, expected a tensor: perhaps a checkpoint of training; \
         save the weights alone: torch.save(model.state_dict(), …)"
    )]
    NoTensor {
        /// The entry.
        key: String,
        /// What it is.
        found: &'static str,
    },
    /// A tensor is described in a way that is not understood.
    #[error("the pickle describes a tensor in a way that is not understood ({what})")]
    Tensor {
        /// Which part.
        what: &'static str,
    },
}
