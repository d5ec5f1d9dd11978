//! The architectures that can be loaded.

use super::HeadKind;

/// The architectures that can be loaded, by their `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Architecture {
    /// BERT (Devlin et al. 2019).
    Bert,
    /// RoBERTa (Liu et al. 2019).
    Roberta,
    /// XLM-RoBERTa (Conneau et al. 2020).
    XlmRoberta,
    /// CamemBERT (Martin et al. 2020).
    Camembert,
    /// DistilBERT (Sanh et al. 2019).
    DistilBert,
    /// ELECTRA (Clark et al. 2020).
    Electra,
    /// DeBERTa-v2 and v3, mDeBERTa among them (He et al. 2021).
    DebertaV2,
    /// ModernBERT (Warner et al. 2024), mmBERT among them.
    ModernBert,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Bert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::Camembert,
        Self::DistilBert,
        Self::Electra,
        Self::DebertaV2,
        Self::ModernBert,
    ];
    /// The values of `model_type`, for messages.
    pub(crate) const MODEL_TYPES: &str =
        "bert, roberta, xlm-roberta, camembert, distilbert, electra, deberta-v2, modernbert";

    /// The architecture with this `model_type`.
    #[must_use]
    pub fn from_model_type(model_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.model_type() == model_type)
    }

    /// The value of `model_type`.
    #[must_use]
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Camembert => "camembert",
            Self::DistilBert => "distilbert",
            Self::Electra => "electra",
            Self::DebertaV2 => "deberta-v2",
            Self::ModernBert => "modernbert",
        }
    }

    /// The prefix of the encoder's tensors in a checkpoint with a head.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta | Self::XlmRoberta | Self::Camembert => "roberta.",
            Self::DistilBert => "distilbert.",
            Self::Electra => "electra.",
            Self::DebertaV2 => "deberta.",
            Self::ModernBert => "model.",
        }
    }

    /// The reference's class name for this encoder with a head, such as `BertForTokenClassification`, or without one
    /// (`BertModel`).
    pub(crate) fn class_name(self, head: Option<HeadKind>) -> String {
        let family = match self {
            Self::Bert => "Bert",
            Self::Roberta => "Roberta",
            Self::XlmRoberta => "XLMRoberta",
            Self::Camembert => "Camembert",
            Self::DistilBert => "DistilBert",
            Self::Electra => "Electra",
            Self::DebertaV2 => "DebertaV2",
            Self::ModernBert => "ModernBert",
        };
        match head {
            Some(head) => format!("{family}For{}", head.class_suffix()),
            None => format!("{family}Model"),
        }
    }

    /// RoBERTa and its descendants: positions count from the one after the padding id, and texts have no segments.
    #[must_use]
    pub fn is_roberta(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta | Self::Camembert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_every_architecture() {
        let names: Vec<&str> = Architecture::ALL.iter().map(|a| a.model_type()).collect();
        assert_eq!(names.join(", "), Architecture::MODEL_TYPES);
        for architecture in Architecture::ALL {
            let found = Architecture::from_model_type(architecture.model_type());
            assert_eq!(found, Some(architecture));
        }
        assert_eq!(Architecture::from_model_type("gpt2"), None);
    }
}
