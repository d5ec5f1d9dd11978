//! Which learning rate and which decay a parameter has, by its name.

use vestnik_model::Place;

use super::AdamWConfig;

/// The groups of a model's parameters.
pub(super) struct Groups<'a> {
    config: &'a AdamWConfig,
    n_layers: usize,
}

impl<'a> Groups<'a> {
    /// The groups of the model that has parameters of these names.
    pub(super) fn new<'n>(
        names: impl IntoIterator<Item = &'n str>,
        config: &'a AdamWConfig,
    ) -> Self {
        let n_layers = |name| match Place::of(name) {
            Place::Layer(layer) => layer + 1,
            _ => 0,
        };
        Self {
            config,
            n_layers: names.into_iter().map(n_layers).max().unwrap_or(0),
        }
    }

    /// The factor on the learning rate: smaller for each layer further down (discriminative fine-tuning, Howard & Ruder
    /// 2018), and that of the head.
    pub(super) fn lr_factor(&self, name: &str) -> f64 {
        let layers_above = match Place::of(name) {
            Place::Top | Place::Head => 0,
            Place::Layer(layer) => self.n_layers - layer,
            Place::Embeddings => self.n_layers + 1,
        };
        let by_layer = self.config.layer_lr_decay.powi(layers_above as i32);
        if name.starts_with("classifier") || name.starts_with("crf.") {
            by_layer * self.config.head_lr_factor
        } else {
            by_layer
        }
    }

    /// Weight matrices and embeddings decay, biases and norms do not.
    pub(super) fn weight_decay(&self, name: &str, rank: usize) -> f64 {
        if rank > 1 && !name.ends_with(".bias") {
            self.config.weight_decay
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_layer_by_layer() {
        let config = AdamWConfig {
            layer_lr_decay: 0.5,
            head_lr_factor: 4.0,
            ..AdamWConfig::default()
        };
        let names = [
            "bert.embeddings.LayerNorm.weight",
            "bert.encoder.layer.0.output.dense.weight",
            "bert.encoder.layer.1.output.dense.weight",
            "classifier.weight",
            "crf.transitions",
        ];
        let groups = Groups::new(names, &config);
        let factors = names.map(|name| groups.lr_factor(name));
        assert_eq!(factors, [0.125, 0.25, 0.5, 4.0, 4.0]);
        assert_eq!(groups.weight_decay("classifier.weight", 2), 0.01);
        assert_eq!(groups.weight_decay("classifier.bias", 1), 0.0);
    }
}
