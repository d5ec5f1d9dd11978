//! `[loss]`: what a classifier's loss does beyond plain cross-entropy.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vestnik_model::losses::CrossEntropyOptions;

use crate::config::{MOST_WEIGHT, refused, within};
use crate::error::{Error, Result};

/// The largest focus that makes sense: (1 - p)^10 is next to nothing for every p above a half.
const MOST_GAMMA: f64 = 10.0;

/// `[loss]`: the cross-entropy of a classifier; the formulas are those of [`CrossEntropyOptions`]. A CRF has a loss of its
/// own, which knows none of these.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Share of the target that is spread over all labels, 0 to 1. Default 0.
    pub label_smoothing: f64,
    /// How much labels weigh: `"balanced"`, or a table of weights. Default: all alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// How much examples that are right already count less, 0 to 10. Default 0: not at all.
    pub focal_gamma: f64,
}

/// How much labels weigh.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// `"balanced"`: the inverse of how often each occurs in an epoch, scaled so that all examples weigh 1 on average.
    Balanced,
    /// A weight for each label, 0 to 1000; those that are not named weigh 1.
    ByLabel(BTreeMap<String, f64>),
}

impl LossConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("loss.label_smoothing", self.label_smoothing, 0.0..=1.0)?;
        within("loss.focal_gamma", self.focal_gamma, 0.0..=MOST_GAMMA)?;
        match &self.class_weights {
            Some(ClassWeights::ByLabel(weights)) => weights
                .values()
                .try_for_each(|&weight| within("loss.class_weights", weight, 0.0..=MOST_WEIGHT)),
            _ => Ok(()),
        }
    }

    /// Refuses what the likelihood of whole sequences of tags does not know.
    pub(crate) fn check_crf(&self) -> Result<()> {
        let expected = "none: the model has a CRF, whose loss is the likelihood of whole texts";
        let Self {
            label_smoothing,
            class_weights,
            focal_gamma,
        } = self;
        if *label_smoothing != 0.0 {
            return Err(refused("loss.label_smoothing", label_smoothing, expected));
        }
        if *focal_gamma != 0.0 {
            return Err(refused("loss.focal_gamma", focal_gamma, expected));
        }
        match class_weights {
            None => Ok(()),
            Some(_) => Err(refused("loss.class_weights", &"set", expected)),
        }
    }

    /// The options of the loss of a model whose outputs are of these `classes`, as the run file calls them; several outputs
    /// may be of one class. `counts` say how often each output is the label in an epoch.
    ///
    /// # Errors
    /// [`Error::Setting`] for a weight of a class that the model does not have, and for weights that are all 0.
    pub(crate) fn options(&self, classes: &[&str], counts: &[f64]) -> Result<CrossEntropyOptions> {
        let class_weights = match &self.class_weights {
            None => Vec::new(),
            Some(ClassWeights::Balanced) => balanced(classes, counts),
            Some(ClassWeights::ByLabel(weights)) => by_label(weights, classes)?,
        };
        Ok(CrossEntropyOptions {
            label_smoothing: self.label_smoothing,
            class_weights,
            focal_gamma: self.focal_gamma,
        })
    }
}

fn by_label(weights: &BTreeMap<String, f64>, classes: &[&str]) -> Result<Vec<f32>> {
    match weights.keys().find(|label| !classes.contains(&&***label)) {
        Some(label) => Err(unknown(label, classes)),
        None => {
            let weight = |class: &&str| weights.get(*class).map_or(1.0, |&weight| weight as f32);
            let weights: Vec<f32> = classes.iter().map(weight).collect();
            match weights.iter().all(|&weight| weight == 0.0) {
                true => Err(refused(
                    "loss.class_weights",
                    &"0 for every label",
                    "one above 0",
                )),
                false => Ok(weights),
            }
        }
    }
}

fn unknown(label: &str, classes: &[&str]) -> Error {
    let mut known: Vec<&str> = Vec::new();
    for class in classes {
        if !known.contains(class) {
            known.push(class);
        }
    }
    let expected = format!("labels of the model: {}", known.join(", "));
    refused("loss.class_weights", &format!("for {label:?}"), expected)
}

/// `N / (C n)` for a class that is `n` of `N` labels, where `C` classes occur at all; 1 for others.
fn balanced(classes: &[&str], counts: &[f64]) -> Vec<f32> {
    let mut by_class: BTreeMap<&str, f64> = BTreeMap::new();
    for (&class, count) in classes.iter().zip(counts) {
        *by_class.entry(class).or_default() += count;
    }
    let total: f64 = by_class.values().sum();
    let occurring = by_class.values().filter(|&&count| count > 0.0).count();
    let weight = |class: &&str| match by_class[*class] {
        0.0 => 1.0,
        count => (total / (occurring as f64 * count)) as f32,
    };
    classes.iter().map(weight).collect()
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => serializer.serialize_str("balanced"),
            Self::ByLabel(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Expected)
    }
}

struct Expected;

impl<'de> Visitor<'de> for Expected {
    type Value = ClassWeights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"balanced\", or a table of labels and their weights")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
        match text {
            "balanced" => Ok(ClassWeights::Balanced),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
        let weights = BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(ClassWeights::ByLabel(weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [&str; 5] = ["O", "PER", "PER", "LOC", "LOC"];

    fn parsed(text: &str) -> std::result::Result<LossConfig, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    fn weights(text: &str, counts: &[f64]) -> Result<Vec<f32>> {
        Ok(parsed(text)
            .unwrap()
            .options(&CLASSES, counts)?
            .class_weights)
    }

    #[test]
    fn tags_weigh_what_their_type_weighs() {
        let counts = [0.0; 5];
        assert_eq!(weights("", &counts).unwrap(), [0.0; 0]);
        let text = "class_weights = {O = 0.5, LOC = 3}";
        assert_eq!(weights(text, &counts).unwrap(), [0.5, 1.0, 1.0, 3.0, 3.0]);
        let error = weights("class_weights = {SHIP = 2}", &counts).unwrap_err();
        assert_eq!(
            error.to_string(),
            "setting `loss.class_weights` is for \"SHIP\", expected labels of the model: O, PER, LOC"
        );
        let error = weights("class_weights = {O = 0, PER = 0, LOC = 0}", &counts).unwrap_err();
        assert_eq!(
            error.to_string(),
            "setting `loss.class_weights` is 0 for every label, expected one above 0"
        );
        assert!(weights("class_weights = {O = 0, PER = 0}", &counts).is_ok());
    }

    #[test]
    fn balanced_weights_are_those_of_inverse_frequency() {
        let text = "class_weights = \"balanced\"";
        let found = weights(text, &[60.0, 20.0, 10.0, 8.0, 2.0]).unwrap();
        let expected = [60.0, 30.0, 30.0, 10.0, 10.0].map(|n: f32| 100.0 / (3.0 * n));
        assert_eq!(found, expected);
        let never = weights(text, &[60.0, 0.0, 0.0, 20.0, 0.0]).unwrap();
        assert_eq!(never, [80.0 / 120.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn settings_read_back_and_mistakes_are_named() {
        for text in [
            "",
            "class_weights = \"balanced\"\nfocal_gamma = 2",
            "class_weights = {O = 0.5}",
        ] {
            let config = parsed(text).unwrap();
            assert_eq!(parsed(&toml::to_string(&config).unwrap()).unwrap(), config);
        }
        let expected = "expected \"balanced\", or a table of labels and their weights";
        for wrong in ["\"even\"", "3"] {
            let message = parsed(&format!("class_weights = {wrong}")).unwrap_err();
            assert!(message.ends_with(expected), "{message}");
        }
        for text in [
            "label_smoothing = 1.5",
            "focal_gamma = -1",
            "class_weights = {O = -1}",
        ] {
            assert!(parsed(text).unwrap().check().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_of_it_goes_with_a_crf() {
        assert!(parsed("").unwrap().check_crf().is_ok());
        for text in [
            "label_smoothing = 0.1",
            "focal_gamma = 1",
            "class_weights = \"balanced\"",
        ] {
            let message = parsed(text).unwrap().check_crf().unwrap_err().to_string();
            assert!(message.contains("the model has a CRF"), "{message}");
        }
    }
}
