//! Which part of the model a run file lets learn.

use vestnik_model::{Adaptation, EncoderConfig, Freeze};

use crate::config::refused;
use crate::error::Result;

/// Refuses settings of `[freeze]` that say two things.
pub(super) fn check_freeze(freeze: &Freeze) -> Result<()> {
    if !freeze.encoder {
        return Ok(());
    }
    let expected = "nothing beside freeze.encoder, which freezes all of them";
    match (freeze.layers, freeze.embeddings) {
        (0, None | Some(true)) => Ok(()),
        (0, Some(false)) => Err(refused("freeze.embeddings", &false, expected)),
        (layers, _) => Err(refused("freeze.layers", &layers, expected)),
    }
}

/// What of a model with this encoder learns.
pub(super) fn adaptation(freeze: Freeze, encoder: &EncoderConfig) -> Result<Adaptation> {
    let n_layers = encoder.num_hidden_layers;
    if freeze.layers > n_layers {
        let expected = format!("at most {n_layers}, the layers of the model");
        return Err(refused("freeze.layers", &freeze.layers, expected));
    }
    Ok(Adaptation { freeze })
}
