//! A reader of the pickles that `torch.save` writes for a state dict, which runs no code.
//!
//! A pickle is a program for a stack machine, and Python's machine may call any function that the program names. This
//! one knows only the instructions that a state dict needs (protocol 2) and a short list of names
//! ([`globals`]), each of which stands for a value of its own; everything else is refused by its name. Objects live in
//! an arena and refer to each other by number, so that neither deep nesting nor cycles cost stack, and each instruction
//! makes at most one object, so that memory is bounded by the length of the file, which is limited too.
//!
//! Instructions: Python's `Lib/pickletools.py`.

use std::collections::BTreeMap;

mod bytes;
mod globals;
mod problem;
mod state_dict;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use globals::Global;
pub(crate) use globals::{Storage, StoredNumbers, StoredTensor};
pub use problem::PickleProblem;
pub(crate) use state_dict::read_state_dict;

/// The longest pickle that is read, in bytes; that of a model with a thousand tensors has a few hundred thousand.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// The most objects of one pickle.
const MAX_OBJECTS: usize = 1 << 20;

type Result<T> = std::result::Result<T, PickleProblem>;

/// Number of an object in the arena.
type Id = usize;

/// A value that a pickle describes.
#[derive(Clone, Debug, PartialEq)]
enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(StoredTensor),
}

/// The stack machine.
#[derive(Default)]
struct Machine {
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack at the marks that are open.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl Machine {
    /// Runs a pickle to its end and gives the object that is left.
    fn run(&mut self, pickle: &[u8]) -> Result<Id> {
        if pickle.len() > MAX_BYTES {
            return Err(PickleProblem::TooLarge { limit: MAX_BYTES });
        }
        let mut bytes = Bytes::new(pickle);
        loop {
            let opcode = bytes.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            if !self.value(opcode, &mut bytes)? && !self.container(opcode)? {
                self.other(opcode, &mut bytes)?;
            }
        }
    }

    /// Instructions that push a plain value.
    fn value(&mut self, opcode: u8, bytes: &mut Bytes<'_>) -> Result<bool> {
        let object = match opcode {
            b'N' => Object::None,
            0x88 => Object::Bool(true),
            0x89 => Object::Bool(false),
            b'J' => Object::Int(i32::from_le_bytes(bytes.array()?).into()),
            b'K' => Object::Int(bytes.byte()?.into()),
            b'M' => Object::Int(u16::from_le_bytes(bytes.array()?).into()),
            0x8a => Object::Int(bytes.long()?),
            b'G' => {
                let _: [u8; 8] = bytes.array()?;
                Object::Float
            }
            b'X' => Object::Text(bytes.text()?),
            b'c' => Object::Global(Global::find(bytes.line()?, bytes.line()?)?),
            _ => return Ok(false),
        };
        self.push(object)?;
        Ok(true)
    }

    /// Instructions that make containers out of what is on the stack.
    fn container(&mut self, opcode: u8) -> Result<bool> {
        let object = match opcode {
            b')' => Object::Tuple(vec![]),
            b']' => Object::List(vec![]),
            b'}' => Object::Dict(vec![]),
            b't' => Object::Tuple(self.pop_to_mark()?),
            0x85 => Object::Tuple(self.pop_n(1)?),
            0x86 => Object::Tuple(self.pop_n(2)?),
            0x87 => Object::Tuple(self.pop_n(3)?),
            _ => return Ok(false),
        };
        self.push(object)?;
        Ok(true)
    }

    /// Instructions about the memo, the stack and objects that are there.
    fn other(&mut self, opcode: u8, bytes: &mut Bytes<'_>) -> Result<()> {
        match opcode {
            0x80 => check_protocol(bytes.byte()?),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'q' => self.memorize(bytes.byte()?.into()),
            b'r' => self.memorize(u32::from_le_bytes(bytes.array()?)),
            b'h' => self.recall(bytes.byte()?.into()),
            b'j' => self.recall(u32::from_le_bytes(bytes.array()?)),
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            b's' => {
                let items = self.pop_n(2)?;
                self.set_items(&items)
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)
            }
            b'b' => self.build(),
            b'Q' => self.persistent(),
            b'R' => self.reduce(),
            opcode => Err(PickleProblem::Opcode {
                opcode,
                position: bytes.position() - 1,
            }),
        }
    }

    fn push(&mut self, object: Object) -> Result<()> {
        if self.objects.len() == MAX_OBJECTS {
            return Err(PickleProblem::TooManyObjects { limit: MAX_OBJECTS });
        }
        self.stack.push(self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let below = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= below {
            return Err(PickleProblem::Malformed);
        }
        self.stack.pop().ok_or(PickleProblem::Malformed)
    }

    fn pop_n(&mut self, n: usize) -> Result<Vec<Id>> {
        let below = self.marks.last().copied().unwrap_or(0);
        let start = self
            .stack
            .len()
            .checked_sub(n)
            .filter(|start| *start >= below);
        Ok(self.stack.split_off(start.ok_or(PickleProblem::Malformed)?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let start = self.marks.pop().ok_or(PickleProblem::Malformed)?;
        Ok(self.stack.split_off(start))
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or(PickleProblem::Malformed)
    }

    fn memorize(&mut self, key: u32) -> Result<()> {
        let id = self.top()?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let id = self.memo.get(&key).ok_or(PickleProblem::Malformed)?;
        self.stack.push(*id);
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<()> {
        let id = self.top()?;
        match &mut self.objects[id] {
            Object::List(list) => list.extend(items),
            _ => return Err(PickleProblem::Malformed),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<()> {
        let id = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.objects[id] {
            Object::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
            }
            _ => return Err(PickleProblem::Malformed),
        }
        Ok(())
    }

    /// Attributes of a dictionary: `torch.save` writes the versions of modules there, which nobody needs.
    fn build(&mut self) -> Result<()> {
        let _attributes = self.pop()?;
        match self.objects[self.top()?] {
            Object::Dict(_) => Ok(()),
            _ => Err(PickleProblem::Malformed),
        }
    }

    /// A reference to an entry of the archive: `("storage", type, key, device, numbers)`.
    fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        let parts = self.few(id)?;
        let storage = Storage::from_parts(&self.resolve(parts))?;
        self.push(Object::Storage(storage))
    }

    /// A call; only of the functions in [`globals`], which are carried out there.
    fn reduce(&mut self) -> Result<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Object::Global(global) = &self.objects[callee] else {
            return Err(PickleProblem::Malformed);
        };
        let arguments = self.resolve(self.few(arguments)?);
        let object = global.call(&arguments, |ids| self.resolve(ids))?;
        self.push(object)
    }

    /// The arguments of a call: `torch.save` writes eight at the most.
    fn few(&self, id: Id) -> Result<&[Id]> {
        const MOST: usize = 8;
        let items = self.tuple(id)?;
        if items.len() > MOST {
            return Err(PickleProblem::Malformed);
        }
        Ok(items)
    }

    fn tuple(&self, id: Id) -> Result<&[Id]> {
        match &self.objects[id] {
            Object::Tuple(items) => Ok(items),
            _ => Err(PickleProblem::Malformed),
        }
    }

    fn resolve(&self, ids: &[Id]) -> Vec<&Object> {
        ids.iter().map(|id| &self.objects[*id]).collect()
    }
}

fn check_protocol(version: u8) -> Result<()> {
    if version == 2 {
        Ok(())
    } else {
        Err(PickleProblem::Protocol { version })
    }
}
