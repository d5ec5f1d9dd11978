//! What of a model learns.

use serde::{Deserialize, Serialize};

use crate::{Lora, LoraTarget, Place};

/// What of a pretrained model learns; everything by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adaptation {
    /// What keeps its values.
    pub freeze: Freeze,
    /// Low-rank updates in the layers that are not frozen, in place of their own weights.
    pub lora: Option<Lora>,
}

/// Parts of the encoder that keep their values.
///
/// No gradient is computed for them, and below the lowest part that learns none is passed down either. Dropout stays on
/// in them, as in PyTorch's train mode: whether a tensor learns does not change what the model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freeze {
    /// The whole encoder: a head learns on its features. Default false.
    pub encoder: bool,
    /// The lowest layers, this many. Default 0.
    pub layers: usize,
    /// The embeddings: tables of words, positions, segments and distances with their norms and projections. Default: as
    /// soon as a layer is frozen, since the gradient would have to pass through all frozen layers to reach them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<bool>,
}

impl Freeze {
    /// Whether the embeddings keep their values.
    #[must_use]
    pub fn embeddings(&self) -> bool {
        self.encoder || self.embeddings.unwrap_or(self.layers > 0)
    }

    /// Whether a parameter at this place keeps its value.
    #[must_use]
    pub fn covers(&self, place: Place) -> bool {
        match place {
            Place::Embeddings => self.embeddings(),
            Place::Layer(layer) => self.encoder || layer < self.layers,
            Place::Top => self.encoder,
            Place::Head => false,
        }
    }
}

impl Adaptation {
    /// Whether the parameter of this Hugging Face name learns.
    #[must_use]
    pub fn trains(&self, name: &str) -> bool {
        let place = Place::of(name);
        match &self.lora {
            _ if self.freeze.covers(place) => false,
            Some(lora) if place != Place::Head => lora.trains(name, place),
            _ => true,
        }
    }

    /// The settings of the update that the affine layer of this name gets, if it gets one.
    pub(crate) fn lora_at(&self, layer: &str, target: LoraTarget) -> Option<&Lora> {
        let lora = self.lora.as_ref()?;
        let asked = lora.targets.contains(&target) && !self.freeze.covers(Place::of(layer));
        asked.then_some(lora)
    }
}
