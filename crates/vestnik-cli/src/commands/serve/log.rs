//! The log of the server, on standard error.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

/// Arguments about the log.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// What the log looks like
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    /// What is logged: error, warn, info (every request), debug or off
    #[arg(long, default_value_t = LevelFilter::INFO, value_name = "LEVEL")]
    log_level: LevelFilter,
    /// Log the texts of requests too
    #[arg(long)]
    pub(super) log_text: bool,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people
    #[default]
    Plain,
    /// A JSON object a line
    Json,
}

impl LogArgs {
    /// Starts the log; a second start changes nothing.
    pub(super) fn start(&self) {
        let log = tracing_subscriber::fmt()
            .with_max_level(self.log_level)
            .with_target(false)
            .with_ansi(false)
            .with_writer(io::stderr);
        let _ = match self.log_format {
            LogFormat::Plain => log.try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
    }
}
