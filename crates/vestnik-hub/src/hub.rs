//! Fetching a model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::ModelCache;
use crate::client::{Client, RemoteFile, Retries};
use crate::download::Downloader;
use crate::environment::{Settings, checked_endpoint};
use crate::error::io_error;
use crate::event::{Event, Listener};
use crate::files::{self, CONFIG, Choice, Weights};
use crate::token::Token;
use crate::{Error, ModelName, Result};

const DEFAULT_RETRIES: Retries = Retries {
    count: 5,
    backoff: Duration::from_millis(250),
};

/// A hub and the cache of what was fetched from it.
#[derive(Clone, Debug)]
pub struct Hub {
    endpoint: String,
    cache: PathBuf,
    token: Option<Token>,
    offline: bool,
    timeout: Duration,
    retries: Retries,
}

/// The files of a model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The folder with the files, a model directory. It belongs to the cache: nothing is to be written there.
    pub path: PathBuf,
    /// The commit that the revision stands for.
    pub commit: String,
    /// The files that were asked for; the folder may hold others that somebody else fetched.
    pub files: Vec<File>,
}

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct File {
    /// Its name in the repository.
    pub name: String,
    /// In bytes.
    pub size: u64,
}

/// A file that a whole model in the cache would have.
struct Missing {
    file: String,
    folder: PathBuf,
}

impl Hub {
    /// The hub that the environment describes, by the variables that Python's `huggingface_hub` reads too:
    ///
    /// - `HF_ENDPOINT`: its address (default: the public hub);
    /// - `HF_HUB_CACHE`, else `HF_HOME` with `/hub`, else `XDG_CACHE_HOME` or `~/.cache` with `/huggingface/hub`;
    /// - `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `token` in `HF_HOME`; with `HF_HUB_DISABLE_IMPLICIT_TOKEN`, none;
    /// - `HF_HUB_OFFLINE` (1, ON, YES, TRUE): [`Hub::with_offline`];
    /// - `HF_HUB_DOWNLOAD_TIMEOUT` in seconds: [`Hub::with_timeout`].
    ///
    /// # Errors
    /// [`Error::Endpoint`], and [`Error::NoCache`] where no variable says where the cache is.
    pub fn from_env() -> Result<Self> {
        let settings = Settings::read(|name| std::env::var_os(name))?;
        Ok(Self {
            endpoint: settings.endpoint,
            cache: settings.cache,
            token: settings.token,
            offline: settings.offline,
            timeout: settings.timeout,
            retries: DEFAULT_RETRIES,
        })
    }

    /// A hub at an address, with a cache in a folder; without token.
    ///
    /// # Errors
    /// [`Error::Endpoint`] where the address begins with neither `http://` nor `https://`.
    pub fn new(endpoint: &str, cache: impl Into<PathBuf>) -> Result<Self> {
        Ok(Self {
            endpoint: checked_endpoint(endpoint)?,
            cache: cache.into(),
            token: None,
            offline: false,
            timeout: Duration::from_secs(30),
            retries: DEFAULT_RETRIES,
        })
    }

    /// Whether the network is not to be used at all: then only what is in the cache is found. Default: it is used.
    #[must_use]
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The access token, sent to the hub itself and to no other host. Default: none.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Token::new(token);
        self
    }

    /// Longest wait for a connection, an answer, or the next bytes. Default: 30 seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many failures in a row are forgiven, and the wait after the first; it doubles with each. An attempt that
    /// brought bytes is no failure. Default: 5, from 250 milliseconds.
    #[must_use]
    pub fn with_retries(mut self, count: u32, backoff: Duration) -> Self {
        self.retries = Retries { count, backoff };
        self
    }

    /// Whether only the cache is used.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The folder with all models.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Brings the files of a model into the cache that are not there yet: configuration, tokenizer, settings, and the
    /// weights of the kind that is wanted.
    ///
    /// The hub is asked which commit a branch or tag stands for. A commit hash whose files are all in the cache needs no
    /// network. Several processes may fetch the same model: each file is downloaded by one of them.
    ///
    /// # Errors
    /// Offline, [`Error::Offline`] where a file is missing in the cache. Otherwise [`Error::NoModel`],
    /// [`Error::Refused`], [`Error::NoRevision`], [`Error::NoFile`], [`Error::NoWeights`], [`Error::Index`] for what the
    /// hub has; [`Error::Connection`], [`Error::Status`], [`Error::Answer`], [`Error::Incomplete`], [`Error::TooLong`],
    /// [`Error::Damaged`] for how it answers; [`Error::Io`] for the cache. Nothing that failed a check stays under its
    /// name.
    pub fn fetch(
        &self,
        model: &ModelName,
        weights: Weights,
        listener: &mut dyn FnMut(Event<'_>),
    ) -> Result<Snapshot> {
        let cache = ModelCache::new(&self.cache, model);
        if self.offline {
            return cached(&cache, model, weights)?.map_err(|missing| Error::Offline {
                model: model.to_string(),
                file: missing.file,
                folder: missing.folder,
            });
        }
        if model.commit().is_some()
            && let Ok(snapshot) = cached(&cache, model, weights)?
        {
            return Ok(snapshot);
        }
        self.download(&cache, model, weights, listener)
            .map_err(|error| with_alternative(error, &cache, model, weights))
    }

    fn download(
        &self,
        cache: &ModelCache,
        model: &ModelName,
        weights: Weights,
        listener: Listener<'_>,
    ) -> Result<Snapshot> {
        let client = Client::new(
            &self.endpoint,
            self.token.clone(),
            self.timeout,
            self.retries,
        );
        let info = client.info(model)?;
        let commit = info.sha.as_str();
        let listing: Vec<&str> = info
            .siblings
            .iter()
            .map(|file| file.rfilename.as_str())
            .collect();
        let Choice {
            mut files,
            sharded,
            absent,
        } = files::choose(&listing, model, weights)?;
        let fetching = Fetching {
            downloader: Downloader {
                client: &client,
                cache,
                model,
            },
            commit,
        };
        if sharded {
            let index = weights.index_name();
            fetching.fetch(&[index.to_owned()], &mut |_| ())?;
            files.extend(files::shards(&cache.file(commit, index))?);
        }
        fetching.fetch(&files, listener)?;
        for name in absent {
            cache.note_absent(commit, name)?;
        }
        if model.commit().is_none() {
            cache.remember(model, commit)?;
        }
        snapshot(cache, commit, files)
    }
}

/// The files of one commit on their way into the cache.
struct Fetching<'a> {
    downloader: Downloader<'a>,
    commit: &'a str,
}

impl Fetching<'_> {
    /// Fetches what the commit's folder lacks.
    fn fetch(&self, names: &[String], listener: Listener<'_>) -> Result<()> {
        let Downloader {
            client,
            cache,
            model,
        } = self.downloader;
        let lacking = names
            .iter()
            .filter(|name| !cache.file(self.commit, name).exists());
        let files = lacking
            .map(|name| client.file(model, self.commit, name))
            .collect::<Result<Vec<RemoteFile>>>()?;
        announce(cache, &files, listener);
        let mut before = 0;
        for file in &files {
            if cache.blob(&file.etag).exists() {
                cache.link(self.commit, &file.name, &file.etag)?;
                continue;
            }
            self.downloader.download(file, before, listener)?;
            cache.link(self.commit, &file.name, &file.etag)?;
            before += file.size;
        }
        Ok(())
    }
}

/// Tells what is to be downloaded, if anything.
fn announce(cache: &ModelCache, files: &[RemoteFile], listener: Listener<'_>) {
    let sizes: Vec<u64> = files
        .iter()
        .filter(|file| !cache.blob(&file.etag).exists())
        .map(|file| file.size)
        .collect();
    if !sizes.is_empty() {
        listener(Event::Plan {
            files: sizes.len(),
            bytes: sizes.iter().sum(),
        });
    }
}

/// The model as the cache has it, or the first file that is missing.
fn cached(
    cache: &ModelCache,
    model: &ModelName,
    weights: Weights,
) -> Result<std::result::Result<Snapshot, Missing>> {
    let missing = |file: &str, folder: &Path| {
        Ok(Err(Missing {
            file: file.to_owned(),
            folder: folder.to_owned(),
        }))
    };
    let Some(commit) = cache.commit(model) else {
        return missing(CONFIG, cache.folder());
    };
    let has = |name: &str| cache.file(&commit, name).exists();
    let folder = cache.snapshot(&commit);
    let mut names = vec![CONFIG.to_owned()];
    // Python fetches a tokenizer only when it is asked for one; what else is optional is nothing to fail for.
    let tokenizer = "tokenizer.json";
    if !has(tokenizer) && !cache.is_absent(&commit, tokenizer) {
        names.push(tokenizer.to_owned());
    }
    names.extend(
        files::OPTIONAL
            .iter()
            .filter(|name| has(name))
            .map(|&name| name.to_owned()),
    );
    let sharded = !has(weights.file_name()) && has(weights.index_name());
    if sharded {
        names.push(weights.index_name().to_owned());
        names.extend(files::shards(&folder.join(weights.index_name()))?);
    } else {
        names.push(weights.file_name().to_owned());
    }
    match names.iter().find(|name| !has(name)) {
        Some(name) => missing(name, &folder),
        None => Ok(Ok(snapshot(cache, &commit, names)?)),
    }
}

fn snapshot(cache: &ModelCache, commit: &str, names: Vec<String>) -> Result<Snapshot> {
    let files = names.into_iter().map(|name| {
        let path = cache.file(commit, &name);
        let metadata = path.metadata().map_err(io_error("read", &path))?;
        Ok(File {
            name,
            size: metadata.len(),
        })
    });
    Ok(Snapshot {
        path: cache.snapshot(commit),
        commit: commit.to_owned(),
        files: files.collect::<Result<_>>()?,
    })
}

/// Adds to a failure of the network whether the cache could serve instead.
fn with_alternative(
    error: Error,
    cache: &ModelCache,
    model: &ModelName,
    weights: Weights,
) -> Error {
    match error {
        Error::Connection { host, reason, .. } => Error::Connection {
            host,
            reason,
            in_cache: matches!(cached(cache, model, weights), Ok(Ok(_))),
        },
        error => error,
    }
}
