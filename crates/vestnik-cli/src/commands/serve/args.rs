//! Arguments of `vestnik serve`, and the configuration they become.

use std::env::VarError;
use std::fs::OpenOptions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use vestnik_infer::Task;
use vestnik_serve::{ApiKeys, Config, Traces};

use super::log::LogArgs;
use crate::failure::Mistake;
use crate::model::{ComputeArgs, EntityArgs, ModelArgs, TaskOptions, parse_score};
use crate::output::note;
use crate::threads;

/// Environment variable with API keys, one a line.
const KEYS_VARIABLE: &str = "VESTNIK_API_KEYS";

/// Arguments of `vestnik serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model directory, name of the built-in model (the default), or ORG/NAME[@REVISION] on the Hugging Face hub; several
    /// times for several models
    #[arg(long, value_name = "DIR|ID")]
    model: Vec<String>,
    #[command(flatten)]
    compute: ComputeArgs,
    #[command(flatten)]
    pub(super) entities: EntityArgs,
    /// What to tag, separated by commas: ner, topic, stance [default: all that the models can]
    #[arg(long, value_delimiter = ',', value_name = "TASK,…")]
    tasks: Option<Vec<Task>>,
    /// Least score of a topic, 0 to 1, in place of those that the model was calibrated with
    #[arg(long, value_name = "X", value_parser = parse_score)]
    min_topic_score: Option<f64>,
    /// Address to listen on; 0.0.0.0 or :: for all
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,
    /// Port to listen on; 0 for any that is free
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    port: u16,
    /// File with an API key a line, one of which every request has to show (also in VESTNIK_API_KEYS)
    #[arg(long, value_name = "FILE")]
    api_keys: Option<PathBuf>,
    #[cfg(feature = "tls")]
    #[command(flatten)]
    tls: super::tls::TlsArgs,
    /// Origin whose pages may call the server, https://example.org; several times for several
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Do not recognise languages
    #[arg(long)]
    no_lang: bool,
    /// Append a trace of each request to a model to FILE, as OTLP JSON lines for OpenTelemetry
    #[arg(long, value_name = "FILE")]
    traces: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

/// How much is taken.
#[derive(Debug, clap::Args)]
struct LimitArgs {
    /// Bytes of a request's body [default: 8388608]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    max_body_bytes: Option<usize>,
    /// Characters of a text [default: 200000]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    max_text_chars: Option<usize>,
    /// Texts of a request [default: 256]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    max_client_batch: Option<usize>,
    /// Texts that wait for a model; more are answered with 429 [default: 4096]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    max_queue: Option<usize>,
    /// Connections at a time [default: 1024]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    max_connections: Option<usize>,
    /// Milliseconds that a text waits for others to share its batch [default: 2]
    #[arg(long, value_name = "MS")]
    max_wait_ms: Option<u64>,
    /// Milliseconds that a request may take [default: 60000]
    #[arg(long, value_name = "MS")]
    request_timeout_ms: Option<u64>,
    /// Milliseconds that the head of a request, and its body, may take to arrive [default: 15000]
    #[arg(long, value_name = "MS")]
    read_timeout_ms: Option<u64>,
    /// Milliseconds that a client may stop taking its answer [default: 15000]
    #[arg(long, value_name = "MS")]
    write_timeout_ms: Option<u64>,
    /// Milliseconds that requests may go on after SIGTERM [default: 30000]
    #[arg(long, value_name = "MS")]
    drain_timeout_ms: Option<u64>,
}

impl Args {
    /// The models that were named, or the built-in one.
    pub(super) fn models(&self) -> impl Iterator<Item = ModelArgs> {
        let named = self.model.iter().map(|model| Some(model.clone()));
        let default = self.model.is_empty().then_some(None);
        named
            .chain(default)
            .map(|model| self.compute.with_model(model))
    }

    /// How clients reach the server.
    pub(super) fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_given() {
            return "https";
        }
        "http"
    }

    /// What the models do.
    pub(super) fn tasks(&self) -> TaskOptions {
        TaskOptions {
            tasks: self.tasks.clone(),
            min_topic_score: self.min_topic_score,
        }
    }

    /// The configuration of the server.
    pub(super) fn config(&self) -> Result<Config> {
        let mut config = Config::default();
        config.address = SocketAddr::new(self.host, self.port);
        config.api_keys = keys(self.api_keys.as_deref())?;
        config.cors_origins.clone_from(&self.cors_origin);
        config.languages = !self.no_lang;
        config.log_text = self.log.log_text;
        config.traces = self.traces.as_deref().map(traces).transpose()?;
        #[cfg(feature = "tls")]
        {
            config.tls = self.tls.open()?;
        }
        set(&mut config.batch_tokens, self.compute.batch_tokens());
        self.limits.apply(&mut config);
        if !self.host.is_loopback() && config.api_keys.is_none() {
            note(
                "note: anybody who reaches this address can use the server, --api-keys asks for keys",
            );
        }
        Ok(config)
    }
}

impl LimitArgs {
    fn apply(&self, config: &mut Config) {
        set(&mut config.max_body_bytes, self.max_body_bytes);
        set(&mut config.max_text_chars, self.max_text_chars);
        set(&mut config.max_client_batch, self.max_client_batch);
        set(&mut config.max_queue, self.max_queue);
        set(&mut config.max_connections, self.max_connections);
        let millis = |value: Option<u64>| value.map(Duration::from_millis);
        set(&mut config.max_wait, millis(self.max_wait_ms));
        set(&mut config.request_timeout, millis(self.request_timeout_ms));
        set(&mut config.read_timeout, millis(self.read_timeout_ms));
        set(&mut config.write_timeout, millis(self.write_timeout_ms));
        set(&mut config.drain_timeout, millis(self.drain_timeout_ms));
    }
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

/// The file that traces are appended to.
fn traces(path: &Path) -> Result<Traces> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.with_context(|| format!("cannot write the traces to {}", path.display()))?;
    Ok(Traces::new(file))
}

/// Keys from the file and from the environment.
fn keys(path: Option<&Path>) -> Result<Option<ApiKeys>> {
    let of_file = path.map(|path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the API keys in {}", path.display()))
    });
    let of_file = of_file.transpose()?;
    let of_environment = match std::env::var(KEYS_VARIABLE) {
        Ok(keys) => Some(keys),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            // Without a message everybody would be let in.
            return Err(Mistake::new(format!("{KEYS_VARIABLE} is not UTF-8"))
                .hint("keys are lines of letters, digits and signs")
                .into());
        }
    };
    let text = match (of_file, of_environment) {
        (None, None) => return Ok(None),
        (Some(text), None) | (None, Some(text)) => text,
        (Some(_), Some(_)) => {
            let hint = format!("give --api-keys or {KEYS_VARIABLE}");
            return Err(Mistake::new("API keys come from two places")
                .hint(hint)
                .into());
        }
    };
    let place = path.map_or(KEYS_VARIABLE.into(), |path| path.display().to_string());
    let keys = ApiKeys::parse(&text).with_context(|| format!("cannot use {place}"))?;
    Ok(Some(keys))
}
