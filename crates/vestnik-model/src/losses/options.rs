//! How a cross-entropy weighs classes and rows.

use crate::{Error, Result};

/// What a cross-entropy does beyond the plain one. The default is the plain one.
///
/// With classes `c` of probability `p(c)`, `K` of them, and a row whose label is `y`, the loss of the row is
///
/// ```text
/// a(A) m(p(A)) + Σ a(c) m(p(c)) over the classes c outside of A
///
/// A     the classes that the annotation leaves possible: y alone, or a set; p(A) is their total probability
/// a(A)  = (1 - label_smoothing) w(y) + label_smoothing / K · Σ w(c) over the classes of A
/// a(c)  = label_smoothing / K · w(c)
/// m(p)  = -(1 - p)^focal_gamma · log p
/// ```
///
/// and the loss of all rows is the sum divided by `Σ w(y)`. For `A = {y}` and `focal_gamma = 0` this is
/// `torch.nn.CrossEntropyLoss` with `weight` and `label_smoothing`; for `label_smoothing = 0` the focal loss of Lin et al.
/// 2017 with `α = w`; for both the `CategoricalFocalCrossentropy` of Keras. Under partial annotation a set counts as one
/// class which has the smoothed mass of all its members: nothing is said about how they share it, and a row for which
/// every class is possible has no loss and no gradient, as without options.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropyOptions {
    /// Share of the target that is spread over all classes, 0 to 1 (Szegedy et al. 2016).
    pub label_smoothing: f64,
    /// A weight for each class, 0 or more; none at all means 1 for each.
    pub class_weights: Vec<f32>,
    /// How much rows that are right already count less; 0: not at all.
    pub focal_gamma: f64,
}

impl CrossEntropyOptions {
    /// The sum of the weights of the rows that count: what the loss is divided by.
    #[must_use]
    pub fn total_weight(&self, labels: &[i64]) -> f64 {
        labels
            .iter()
            .map(|&label| f64::from(self.weight(label)))
            .sum()
    }

    /// Whether rows have weights at most: neither smoothing nor focus.
    #[cfg(feature = "cuda")]
    pub(super) fn is_plain(&self) -> bool {
        self.label_smoothing == 0.0 && self.focal_gamma == 0.0
    }

    /// The weight of a row with this label; 0 for one that does not count.
    pub(super) fn weight(&self, label: i64) -> f32 {
        match usize::try_from(label) {
            Err(_) => 0.0,
            Ok(label) => self.class_weights.get(label).copied().unwrap_or(1.0),
        }
    }

    /// What smoothing asks for each of `classes` classes; nothing at all without smoothing.
    pub(super) fn shares(&self, classes: usize) -> Vec<f32> {
        if self.label_smoothing == 0.0 {
            return Vec::new();
        }
        let share = (self.label_smoothing / classes as f64) as f32;
        let weights = (0..classes as i64).map(|class| self.weight(class));
        weights.map(|weight| share * weight).collect()
    }

    pub(super) fn check(&self, classes: usize) -> Result<()> {
        let argument = |what, expected: String, got: String| {
            Err(Error::Argument {
                what,
                expected,
                got,
            })
        };
        let (smoothing, gamma) = (self.label_smoothing, self.focal_gamma);
        if !(0.0..=1.0).contains(&smoothing) {
            return argument("label smoothing", "0 to 1".into(), smoothing.to_string());
        }
        if !(0.0..f64::INFINITY).contains(&gamma) {
            return argument("focal gamma", "0 or more".into(), gamma.to_string());
        }
        let weights = &self.class_weights;
        if !weights.is_empty() && weights.len() != classes {
            let expected = format!("none, or one for each of {classes} classes");
            return argument("class weights", expected, weights.len().to_string());
        }
        let allowed = |weight: &&f32| !(0.0..f32::INFINITY).contains(*weight);
        match weights.iter().find(allowed) {
            Some(weight) => argument("class weight", "0 or more".into(), weight.to_string()),
            None => Ok(()),
        }
    }
}
