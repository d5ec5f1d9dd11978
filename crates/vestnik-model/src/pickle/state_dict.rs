//! From the object of a pickle to tensors by name.

use std::collections::BTreeMap;

use crate::pickle::{Machine, Object, PickleProblem, Result, StoredTensor};

/// The tensors of a state dict in their order.
///
/// # Errors
/// The pickle is malformed, or asks for more than a state dict needs, or is something else.
pub(crate) fn read_state_dict(pickle: &[u8]) -> Result<Vec<(String, StoredTensor)>> {
    let mut machine = Machine::default();
    let id = machine.run(pickle)?;
    let Object::Dict(items) = &machine.objects[id] else {
        return Err(PickleProblem::NoStateDict);
    };
    let mut tensors: Vec<(String, StoredTensor)> = Vec::with_capacity(items.len());
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, value) in items {
        let Object::Text(name) = &machine.objects[*key] else {
            return Err(PickleProblem::NoStateDict);
        };
        let tensor = tensor(name, &machine.objects[*value])?;
        // As in Python, the last one of two equal keys holds.
        match places.get(name.as_str()) {
            Some(place) => tensors[*place].1 = tensor,
            None => {
                places.insert(name, tensors.len());
                tensors.push((name.clone(), tensor));
            }
        }
    }
    Ok(tensors)
}

fn tensor(key: &str, object: &Object) -> Result<StoredTensor> {
    let found = match object {
        Object::Tensor(tensor) => return Ok(tensor.clone()),
        Object::Dict(_) => "a dictionary",
        Object::List(_) | Object::Tuple(_) => "a list",
        Object::Text(_) => "a text",
        Object::Int(_) | Object::Float | Object::Bool(_) => "a number",
        Object::None => "None",
        Object::Global(_) | Object::Storage(_) => "no value",
    };
    Err(PickleProblem::NoTensor {
        key: key.to_owned(),
        found,
    })
}
