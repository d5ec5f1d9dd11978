//! The names that a state dict may use, and what they stand for here. There is no way from a name to a function of
//! anybody else's.

use crate::pickle::{Id, Object, PickleProblem, Result};

/// More dimensions than any tensor of a model.
const MAX_DIMENSIONS: usize = 16;
/// More letters than any key of a storage.
const MAX_KEY: usize = 64;

/// A name on the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    /// `torch._utils._rebuild_tensor_v2`, of version 2 or 3.
    RebuildTensor { version: u8 },
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch.FloatStorage` and its like.
    Storage(StoredNumbers),
    /// `torch.storage.UntypedStorage`: the number type comes with the tensor.
    UntypedStorage,
    /// `torch.float32` and its like.
    Dtype(StoredNumbers),
}

/// Number types of storages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredNumbers {
    F32,
    F16,
    Bf16,
    F64,
    /// Integers and truth values, of so many bytes.
    Whole(usize),
}

impl StoredNumbers {
    /// Bytes of one number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F64 => 8,
            Self::Whole(size) => size,
        }
    }
}

/// A block of numbers in the archive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Storage {
    /// Name of its entry.
    pub(crate) key: String,
    /// `None` for bytes whose type comes with the tensor.
    pub(crate) numbers: Option<StoredNumbers>,
    /// How many numbers, or bytes where there is no type.
    pub(crate) len: usize,
}

/// A view into a storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredTensor {
    pub(crate) storage: Storage,
    pub(crate) numbers: StoredNumbers,
    /// Numbers of the storage before the first one of the tensor.
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    /// Numbers of the storage from one to the next in each dimension.
    pub(crate) stride: Vec<usize>,
}

impl Global {
    /// The global of this name, if weights need it.
    pub(super) fn find(module: &str, name: &str) -> Result<Self> {
        let found = match (module, name) {
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor { version: 2 }),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Self::RebuildTensor { version: 3 }),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch.storage" | "torch", "UntypedStorage") => Some(Self::UntypedStorage),
            ("torch", name) => storage(name)
                .map(Self::Storage)
                .or_else(|| dtype(name).map(Self::Dtype)),
            _ => None,
        };
        found.ok_or_else(|| PickleProblem::Forbidden {
            module: module.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Does what the function of this name would do; `resolve` looks up the parts of tuples.
    pub(super) fn call<'a>(
        self,
        arguments: &[&'a Object],
        resolve: impl Fn(&'a [Id]) -> Vec<&'a Object>,
    ) -> Result<Object> {
        match (self, arguments) {
            (Self::OrderedDict, []) => Ok(Object::Dict(vec![])),
            (Self::RebuildParameter, [Object::Tensor(tensor), _, _]) => {
                Ok(Object::Tensor(tensor.clone()))
            }
            (Self::RebuildTensor { version }, arguments) => {
                let numbers = |id: &'a Object| match id {
                    Object::Tuple(ids) if ids.len() <= MAX_DIMENSIONS => counts(&resolve(ids)),
                    _ => Err(PickleProblem::Tensor { what: "shape" }),
                };
                rebuild(version, arguments, numbers).map(Object::Tensor)
            }
            _ => Err(PickleProblem::Malformed),
        }
    }
}

/// `(storage, offset, shape, stride, requires_grad, hooks[, dtype][, metadata])`.
fn rebuild<'a>(
    version: u8,
    arguments: &[&'a Object],
    numbers: impl Fn(&'a Object) -> Result<Vec<usize>>,
) -> Result<StoredTensor> {
    let [
        Object::Storage(storage),
        offset,
        shape,
        stride,
        _,
        _,
        rest @ ..,
    ] = arguments
    else {
        return Err(PickleProblem::Tensor { what: "arguments" });
    };
    let (given, metadata) = match (version, rest) {
        (3, [Object::Global(Global::Dtype(dtype)), metadata @ ..]) => (Some(*dtype), metadata),
        (3, _) => {
            return Err(PickleProblem::Tensor {
                what: "number type",
            });
        }
        (_, metadata) => (None, metadata),
    };
    // Marks a view that is conjugated or negated.
    let plain =
        |object: &&Object| matches!(object, Object::None) || **object == Object::Dict(vec![]);
    if !metadata.iter().all(plain) {
        return Err(PickleProblem::Tensor { what: "metadata" });
    }
    let [offset] = counts(&[offset])?[..] else {
        return Err(PickleProblem::Tensor { what: "offset" });
    };
    let numbers_of = given.or(storage.numbers);
    let (shape, stride) = (numbers(shape)?, numbers(stride)?);
    if shape.len() != stride.len() {
        return Err(PickleProblem::Tensor { what: "strides" });
    }
    Ok(StoredTensor {
        numbers: numbers_of.ok_or(PickleProblem::Tensor {
            what: "number type",
        })?,
        storage: storage.clone(),
        offset,
        shape,
        stride,
    })
}

impl Storage {
    /// From the parts of a persistent id: `("storage", type, key, device, numbers)`.
    pub(super) fn from_parts(parts: &[&Object]) -> Result<Self> {
        let [
            Object::Text(kind),
            Object::Global(global),
            Object::Text(key),
            _,
            Object::Int(len),
        ] = parts
        else {
            return Err(PickleProblem::Tensor { what: "storage" });
        };
        let numbers = match global {
            Global::Storage(numbers) => Some(*numbers),
            Global::UntypedStorage => None,
            _ => return Err(PickleProblem::Tensor { what: "storage" }),
        };
        if kind != "storage" || key.len() > MAX_KEY {
            return Err(PickleProblem::Tensor { what: "storage" });
        }
        Ok(Self {
            key: key.clone(),
            numbers,
            len: usize::try_from(*len).map_err(|_| PickleProblem::Tensor { what: "storage" })?,
        })
    }
}

fn counts(objects: &[&Object]) -> Result<Vec<usize>> {
    let count = |object: &&Object| match object {
        Object::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let counts: Option<Vec<usize>> = objects.iter().map(count).collect();
    counts.ok_or(PickleProblem::Tensor { what: "sizes" })
}

fn storage(name: &str) -> Option<StoredNumbers> {
    Some(match name {
        "FloatStorage" => StoredNumbers::F32,
        "HalfStorage" => StoredNumbers::F16,
        "BFloat16Storage" => StoredNumbers::Bf16,
        "DoubleStorage" => StoredNumbers::F64,
        "LongStorage" => StoredNumbers::Whole(8),
        "IntStorage" => StoredNumbers::Whole(4),
        "ShortStorage" => StoredNumbers::Whole(2),
        "CharStorage" | "ByteStorage" | "BoolStorage" => StoredNumbers::Whole(1),
        _ => return None,
    })
}

fn dtype(name: &str) -> Option<StoredNumbers> {
    Some(match name {
        "float32" => StoredNumbers::F32,
        "float16" => StoredNumbers::F16,
        "bfloat16" => StoredNumbers::Bf16,
        "float64" => StoredNumbers::F64,
        "int64" | "uint64" => StoredNumbers::Whole(8),
        "int32" | "uint32" => StoredNumbers::Whole(4),
        "int16" | "uint16" => StoredNumbers::Whole(2),
        "int8" | "uint8" | "bool" => StoredNumbers::Whole(1),
        _ => return None,
    })
}
