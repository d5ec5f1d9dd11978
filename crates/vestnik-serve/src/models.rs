//! All models of a server, by name.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::Config;
use crate::engine::{Engine, ModelSource};
use crate::error::{Error, Result};
use crate::lane::Lane;
use crate::metrics::Metrics;
use crate::problem::{Kind, Problem};

/// The models, each with its queue.
#[derive(Debug)]
pub(crate) struct Models {
    served: Vec<Served>,
}

#[derive(Debug)]
struct Served {
    source: ModelSource,
    lane: Arc<Lane>,
}

/// What a model has to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    Any,
    Tag,
    Classify,
}

impl Ability {
    fn is_of(self, engine: &Engine) -> bool {
        match self {
            Self::Any => true,
            Self::Tag => engine.tagger().is_some(),
            Self::Classify => engine.zero_shot().is_some(),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Any => "answers",
            Self::Tag => "tags",
            Self::Classify => "classifies by any labels",
        }
    }
}

impl Models {
    /// Opens all models, in their order.
    pub(crate) fn open(
        sources: Vec<ModelSource>,
        config: &Config,
        metrics: &Metrics,
    ) -> Result<Self> {
        let mut served: Vec<Served> = Vec::new();
        for source in sources {
            let engine = open(&source)?;
            if served
                .iter()
                .any(|other| other.lane.name() == engine.name())
            {
                let name = engine.name().to_owned();
                return Err(Error::SameName { name });
            }
            let metrics = metrics.of_lane(engine.name());
            let lane = Arc::new(Lane::new(engine, config, metrics));
            served.push(Served { source, lane });
        }
        if served.is_empty() {
            return Err(Error::NoModel);
        }
        Ok(Self { served })
    }

    /// Starts a thread for each model.
    pub(crate) fn start(&self) -> Result<Vec<JoinHandle<()>>> {
        let start = |lane: &Arc<Lane>| {
            let lane = Arc::clone(lane);
            let thread = std::thread::Builder::new().name(format!("model {}", lane.name()));
            thread
                .spawn(move || lane.work())
                .map_err(|source| Error::Thread { source })
        };
        self.lanes().map(start).collect()
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.served.iter().map(|served| &served.lane)
    }

    /// The model of this name, or the first one that is able to.
    pub(crate) fn find(
        &self,
        name: Option<&str>,
        ability: Ability,
    ) -> std::result::Result<&Arc<Lane>, Problem> {
        let Some(name) = name else {
            let mut lanes = self.lanes();
            return lanes
                .find(|lane| ability.is_of(&lane.engine()))
                .ok_or_else(|| Problem::validation(format!("no model here {}", ability.as_str())));
        };
        let Some(lane) = self.lanes().find(|lane| lane.name() == name) else {
            let known: Vec<&str> = self.lanes().map(|lane| lane.name()).collect();
            let error = format!("no model is called {name:?}, there is {}", known.join(", "));
            return Err(Problem::new(Kind::NotFound, error));
        };
        if !ability.is_of(&lane.engine()) {
            let error = format!("the model {name:?} is none that {}", ability.as_str());
            return Err(Problem::validation(error));
        }
        Ok(lane)
    }

    /// Opens all models again. One that cannot be opened stays as it was.
    pub(crate) fn reload(&self, metrics: &Metrics) {
        for Served { source, lane } in &self.served {
            let opened = open(source);
            metrics.reload(opened.is_ok());
            match opened {
                Ok(engine) => {
                    lane.replace(engine);
                    tracing::info!(model = lane.name(), "reloaded");
                }
                Err(error) => {
                    let error = chain(&error);
                    tracing::error!(
                        model = lane.name(),
                        error,
                        "not reloaded, the old one stays"
                    );
                }
            }
        }
    }

    pub(crate) fn hurry(&self) {
        self.lanes().for_each(|lane| lane.hurry());
    }

    pub(crate) fn close(&self) {
        self.lanes().for_each(|lane| lane.close());
    }
}

fn open(source: &ModelSource) -> Result<Engine> {
    source.open().map_err(|error| Error::Model {
        name: source.name().to_owned(),
        source: error,
    })
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
