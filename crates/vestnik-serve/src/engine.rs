//! Models that answer, and what is asked of them.

use std::sync::Arc;

use vestnik_core::Span;
use vestnik_infer::{
    Analysis, Classified, HypothesisTemplate, Question, Request, Times, Token, Vestnik, ZeroShot,
};

use crate::problem::{Kind, Problem};

/// Why a model cannot be opened.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// A model that answers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Engine {
    /// Tags articles.
    Tagger(Box<Vestnik>),
    /// Classifies texts by any labels.
    ZeroShot(Box<ZeroShot>),
}

impl From<Vestnik> for Engine {
    fn from(vestnik: Vestnik) -> Self {
        Self::Tagger(Box::new(vestnik))
    }
}

impl From<ZeroShot> for Engine {
    fn from(zero_shot: ZeroShot) -> Self {
        Self::ZeroShot(Box::new(zero_shot))
    }
}

impl Engine {
    /// The name of the model.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tagger(vestnik) => vestnik.name(),
            Self::ZeroShot(zero_shot) => zero_shot.name(),
        }
    }

    /// What it can do: the tasks of a tagger, or `classify`.
    #[must_use]
    pub fn tasks(&self) -> Vec<&'static str> {
        match self {
            Self::Tagger(vestnik) => vestnik.tasks().iter().map(|task| task.as_str()).collect(),
            Self::ZeroShot(_) => vec!["classify"],
        }
    }

    /// `cpu` or `cuda`.
    pub(crate) fn device(&self) -> &'static str {
        let is_cpu = match self {
            Self::Tagger(vestnik) => vestnik.device().is_cpu(),
            Self::ZeroShot(zero_shot) => zero_shot.device().is_cpu(),
        };
        if is_cpu { "cpu" } else { "cuda" }
    }

    /// How long its texts took so far, part by part.
    pub(crate) fn times(&self) -> Times {
        match self {
            Self::Tagger(vestnik) => vestnik.times(),
            Self::ZeroShot(zero_shot) => zero_shot.times(),
        }
    }

    /// The tagger that this is.
    pub(crate) fn tagger(&self) -> Option<&Vestnik> {
        match self {
            Self::Tagger(vestnik) => Some(vestnik),
            Self::ZeroShot(_) => None,
        }
    }

    /// The classifier that this is.
    pub(crate) fn zero_shot(&self) -> Option<&ZeroShot> {
        match self {
            Self::Tagger(_) => None,
            Self::ZeroShot(zero_shot) => Some(zero_shot),
        }
    }

    /// The tokens of a text.
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<Token>, Problem> {
        let tokens = match self {
            Self::Tagger(vestnik) => vestnik.tokens(text),
            Self::ZeroShot(zero_shot) => zero_shot.tokens(text),
        };
        tokens.map_err(|error| Problem::from(&error))
    }

    /// Reads texts of which the same kind of thing is asked.
    pub(crate) fn read(&self, texts: &[(&str, &Ask)]) -> Result<Vec<Found>, Problem> {
        let found = match (self, texts) {
            (_, []) => Ok(vec![]),
            (Self::Tagger(vestnik), [(_, Ask::Tag(_)), ..]) => tag(vestnik, texts),
            (Self::ZeroShot(zero_shot), [(_, Ask::Classify(asked)), ..]) => {
                let texts: Vec<&str> = texts.iter().map(|(text, _)| *text).collect();
                let found = zero_shot.classify_batch(&texts, &asked.question);
                found.map(|found| found.into_iter().map(Found::Classified).collect())
            }
            // A reload may put a model of another kind behind the name while texts wait for it.
            _ => {
                let error = "the model is of another kind now";
                return Err(Problem::new(Kind::Backend, error));
            }
        };
        found.map_err(|error| Problem::from(&error))
    }
}

fn tag(vestnik: &Vestnik, texts: &[(&str, &Ask)]) -> vestnik_infer::Result<Vec<Found>> {
    let requests: Vec<Request<'_>> = texts
        .iter()
        .map(|(text, ask)| match ask {
            Ask::Tag(targets) => Request::new(text, targets),
            Ask::Classify(_) => Request::from(*text),
        })
        .collect();
    let found = vestnik.analyze_requests(&requests)?;
    Ok(found.into_iter().map(Found::Analysis).collect())
}

/// Opens a model, and opens it again for a reload.
pub struct ModelSource {
    name: String,
    open: Box<dyn Fn() -> std::result::Result<Engine, OpenError> + Send + Sync>,
}

impl ModelSource {
    /// A model that messages call `name` until it is open; then it has the name of its [`Engine`].
    pub fn new(
        name: impl Into<String>,
        open: impl Fn() -> std::result::Result<Engine, OpenError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            open: Box::new(open),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn open(&self) -> std::result::Result<Engine, OpenError> {
        (self.open)()
    }
}

impl std::fmt::Debug for ModelSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelSource")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is asked of a text.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Tag a text, with the stance towards each of these stretches of it.
    Tag(Vec<Span>),
    Classify(Arc<Classification>),
}

impl Ask {
    /// Whether the texts of both can be read at once.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tag(_), Self::Tag(_)) => true,
            (Self::Classify(one), Self::Classify(other)) => one == other,
            _ => false,
        }
    }

    /// How often a text is read.
    pub(crate) fn readings(&self) -> usize {
        match self {
            Self::Tag(_) => 1,
            Self::Classify(classification) => classification.labels.len(),
        }
    }
}

/// Labels that are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Classification {
    pub(crate) labels: Vec<String>,
    pub(crate) template: HypothesisTemplate,
    pub(crate) multi_label: bool,
    question: Question,
}

impl Classification {
    pub(crate) fn new(
        labels: Vec<String>,
        template: HypothesisTemplate,
        multi_label: bool,
    ) -> Result<Self, Problem> {
        let question = Question::new(labels.iter().map(String::as_str), &template)
            .map_err(|error| Problem::from(&error).at("\"labels\""))?;
        Ok(Self {
            question: question.with_multi_label(multi_label),
            labels,
            template,
            multi_label,
        })
    }
}

impl PartialEq for Classification {
    fn eq(&self, other: &Self) -> bool {
        self.labels == other.labels
            && self.template == other.template
            && self.multi_label == other.multi_label
    }
}

/// What a model found in a text.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Analysis(Analysis),
    Classified(Classified),
}

impl Found {
    pub(crate) fn tokens(&self) -> usize {
        match self {
            Self::Analysis(analysis) => analysis.tokens,
            Self::Classified(classified) => classified.tokens,
        }
    }

    pub(crate) fn windows(&self) -> usize {
        match self {
            Self::Analysis(analysis) => analysis.windows,
            Self::Classified(classified) => classified.windows,
        }
    }
}
