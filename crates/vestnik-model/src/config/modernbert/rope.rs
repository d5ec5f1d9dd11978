//! The bases of rotary positions, which differ by kind of layer and are written in several ways.

use serde_json::Value;

use crate::Result;
use crate::config::Reader;

/// The bases of global and of local layers: in `rope_parameters` by kind of layer (transformers 5), else under keys of
/// their own (transformers 4), where a local base of null meant the global one.
pub(super) fn bases(reader: &Reader<'_>) -> Result<[f64; 2]> {
    check_kind(reader, reader.value("rope_scaling"))?;
    let [global, local] = by_layers(reader)?;
    let global = match base(reader, global)? {
        Some(base) => base,
        None => reader.number("global_rope_theta", 160_000.0)?,
    };
    let local = match base(reader, local)? {
        Some(base) => base,
        None if reader.raw.get("local_rope_theta") == Some(&Value::Null) => global,
        None => reader.number("local_rope_theta", 10_000.0)?,
    };
    for base in [global, local] {
        if base <= 0.0 {
            let problem = format!("a rope_theta is {base}, expected a positive number");
            return Err(reader.problem(problem));
        }
    }
    Ok([global, local])
}

const LAYERS: [&str; 2] = ["full_attention", "sliding_attention"];

/// What `rope_parameters` says of global and of local layers.
fn by_layers<'a>(reader: &'a Reader<'_>) -> Result<[Option<&'a Value>; 2]> {
    let Some(parameters) = reader.value("rope_parameters") else {
        return Ok([None, None]);
    };
    let keys = parameters.as_object().map(|object| object.keys());
    if !keys.is_some_and(|mut keys| keys.all(|key| LAYERS.contains(&key.as_str()))) {
        let problem =
            format!("rope_parameters is {parameters}, expected {LAYERS:?} with each its own");
        return Err(reader.problem(problem));
    }
    let by_layers = LAYERS.map(|layers| parameters.get(layers).filter(|own| !own.is_null()));
    for parameters in by_layers {
        check_kind(reader, parameters)?;
    }
    Ok(by_layers)
}

/// Refuses angles that are not simply positions times frequencies.
fn check_kind(reader: &Reader<'_>, parameters: Option<&Value>) -> Result<()> {
    let Some(parameters) = parameters else {
        return Ok(());
    };
    if !parameters.is_object() {
        let problem = format!("rotary parameters are {parameters}, expected an object");
        return Err(reader.problem(problem));
    }
    for key in ["rope_type", "type"] {
        match parameters.get(key).and_then(Value::as_str) {
            None | Some("default") => {}
            Some(other) => return Err(reader.unsupported("rope_type", other, "default")),
        }
    }
    Ok(())
}

fn base(reader: &Reader<'_>, parameters: Option<&Value>) -> Result<Option<f64>> {
    let base = parameters.and_then(|own| own.get("rope_theta"));
    let Some(base) = base.filter(|base| !base.is_null()) else {
        return Ok(None);
    };
    let number = base.as_f64().filter(|base| base.is_finite());
    number
        .map(Some)
        .ok_or_else(|| reader.problem(format!("rope_theta is {base}, expected a number")))
}
