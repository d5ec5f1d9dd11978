//! Which outputs of a classifier of text pairs say that the one follows from the other, and that it does not.

use vestnik_core::LabelSet;

use crate::error::{Error, Result};

/// Two outputs of a natural-language-inference model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entailment {
    pub(super) follows: usize,
    pub(super) contradicts: usize,
}

impl Entailment {
    /// By name, as the zero-shot pipeline of transformers does: `entail…` is the one, `contradict…` or `not_entail…` the
    /// other; of two outputs, the other one is the other.
    pub(super) fn find(labels: &LabelSet) -> Result<Self> {
        let named = |beginnings: &[&str]| {
            labels.iter().position(|label| {
                let label = label.to_lowercase();
                beginnings
                    .iter()
                    .any(|beginning| label.starts_with(beginning))
            })
        };
        let follows = named(&["entail"]);
        let other = follows
            .filter(|_| labels.len() == 2)
            .map(|follows| 1 - follows);
        let contradicts =
            named(&["contradict", "not_entail", "not entail", "non_entail"]).or(other);
        let Some((follows, contradicts)) = follows.zip(contradicts) else {
            return Err(Error::NoEntailment {
                labels: labels.iter().map(str::to_owned).collect(),
            });
        };
        Ok(Self {
            follows,
            contradicts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[&str], expected: Option<[usize; 2]>) {
        let found = Entailment::find(&LabelSet::new(labels.to_vec()).unwrap());
        let found = found.ok().map(|found| [found.follows, found.contradicts]);
        assert_eq!(found, expected, "{labels:?}");
    }

    #[test]
    fn outputs_are_found_by_name() {
        check(&["entailment", "neutral", "contradiction"], Some([0, 2]));
        check(&["CONTRADICTION", "NEUTRAL", "ENTAILMENT"], Some([2, 0]));
        check(&["not_entailment", "entailment"], Some([1, 0]));
        check(&["entailment", "other"], Some([0, 1]));
        check(&["entailment", "neutral", "other"], None);
        check(&["LABEL_0", "LABEL_1", "LABEL_2"], None);
        check(&["not_entailment", "neutral"], None);
        check(&["entailment"], None);
    }
}
