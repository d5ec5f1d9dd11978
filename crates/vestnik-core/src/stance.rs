//! How a text stands towards something that it names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stances that a text can take towards a target.
///
/// As text and in JSON: `against`, `neutral`, `favour`.
///
/// ```
/// use vestnik_core::StanceLabel;
///
/// assert_eq!(StanceLabel::of_output("NEGATIVE"), Some(StanceLabel::Against));
/// assert_eq!(StanceLabel::Neutral.to_string(), "neutral");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StanceLabel {
    /// The text speaks against the target: it criticises, blames, mocks or rejects it.
    Against,
    /// The text reports, does not take sides, or says both.
    Neutral,
    /// The text speaks for the target: it praises, defends or supports it.
    Favour,
}

impl StanceLabel {
    /// All of them, from against to favour.
    pub const ALL: [Self; 3] = [Self::Against, Self::Neutral, Self::Favour];

    /// The name: `against`, `neutral` or `favour`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Against => "against",
            Self::Neutral => "neutral",
            Self::Favour => "favour",
        }
    }

    /// The stance that an output of some model means, by its name in any case: `against`, `con` and `negative` are
    /// one, `favour`, `favor`, `pro` and `positive` another, `neutral` and `none` the third. `None` for other names.
    #[must_use]
    pub fn of_output(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "against" | "con" | "negative" => Some(Self::Against),
            "neutral" | "none" => Some(Self::Neutral),
            "favour" | "favor" | "pro" | "positive" => Some(Self::Favour),
            _ => None,
        }
    }
}

/// Shows the name: `against`, `neutral` or `favour`.
impl fmt::Display for StanceLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The stance of a text towards one mention in it, as a model sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stance {
    /// The stance.
    pub label: StanceLabel,
    /// The probability of the label, 0 to 1.
    pub score: f32,
    /// The probability of `favour` less that of `against`: from -1 to 1, and 0 where neither prevails.
    pub polarity: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for label in StanceLabel::ALL {
            assert_eq!(StanceLabel::of_output(label.as_str()), Some(label));
            let json = serde_json::to_string(&label).unwrap();
            assert_eq!(json, format!("\"{label}\""));
        }
    }

    #[test]
    fn outputs_of_other_models_have_other_names() {
        use StanceLabel::{Against, Favour, Neutral};
        for (name, label) in [
            ("FAVOR", Some(Favour)),
            (" Positive", Some(Favour)),
            ("CON", Some(Against)),
            ("Neutral", Some(Neutral)),
            ("NONE", Some(Neutral)),
            ("LABEL_0", None),
            ("", None),
        ] {
            assert_eq!(StanceLabel::of_output(name), label, "{name:?}");
        }
    }
}
