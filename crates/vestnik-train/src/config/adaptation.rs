//! Which part of the model a run file lets learn.

use vestnik_model::{Adaptation, EncoderConfig, Freeze, Lora};

use crate::config::{at_least, refused, within};
use crate::error::Result;

/// Refuses settings of `[freeze]` and `[lora]` that are out of range or contradict each other.
pub(super) fn check(freeze: &Freeze, lora: Option<&Lora>) -> Result<()> {
    check_freeze(freeze)?;
    lora.map_or(Ok(()), |lora| check_lora(lora, freeze))
}

fn check_freeze(freeze: &Freeze) -> Result<()> {
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

fn check_lora(lora: &Lora, freeze: &Freeze) -> Result<()> {
    at_least("lora.rank", lora.rank, 1)?;
    within("lora.alpha", lora.alpha, 1e-6..=1e6)?;
    within("lora.dropout", lora.dropout, 0.0..=0.9)?;
    at_least("lora.targets (number of them)", lora.targets.len(), 1)?;
    if freeze.encoder {
        let expected = "false beside [lora], which adapts the encoder";
        return Err(refused("freeze.encoder", &true, expected));
    }
    if lora.embeddings && freeze.embeddings() {
        let expected = "false where [freeze] freezes the embeddings";
        return Err(refused("lora.embeddings", &true, expected));
    }
    Ok(())
}

/// What of a model with this encoder learns.
pub(super) fn adaptation(
    freeze: Freeze,
    lora: Option<&Lora>,
    encoder: &EncoderConfig,
) -> Result<Adaptation> {
    let n_layers = encoder.num_hidden_layers;
    if freeze.layers > n_layers {
        let expected = format!("at most {n_layers}, the layers of the model");
        return Err(refused("freeze.layers", &freeze.layers, expected));
    }
    if let Some(lora) = lora {
        check_fit(lora, freeze, encoder)?;
    }
    Ok(Adaptation {
        freeze,
        lora: lora.cloned(),
    })
}

fn check_fit(lora: &Lora, freeze: Freeze, encoder: &EncoderConfig) -> Result<()> {
    let (n_layers, width) = (encoder.num_hidden_layers, encoder.hidden_size);
    if freeze.layers == n_layers {
        let expected = format!("below {n_layers} beside [lora], which adapts the layers above");
        return Err(refused("freeze.layers", &freeze.layers, expected));
    }
    if lora.rank > width {
        let expected = format!("at most {width}, the width of the model");
        return Err(refused("lora.rank", &lora.rank, expected));
    }
    Ok(())
}
