//! Logs through `tracing`: JSON for machines or lines for people, on stderr.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How logs look.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The filter text is wrong.
    #[error("log.filter: {0}; write for example `info` or `portcullis=debug,info`")]
    Filter(#[from] ParseError),
    /// A subscriber is installed already.
    #[error("logging is set up already: {0}")]
    Installed(#[from] TryInitError),
}

/// Installs the log subscriber for this process. `filter` is in the syntax of `tracing_subscriber::EnvFilter`.
///
/// # Errors
/// When the filter cannot be parsed, or logging is set up already.
pub fn install(format: LogFormat, filter: &str) -> Result<(), TraceError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // A file or a collector has no use for colours, and they hide what is searched for.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        LogFormat::Human => base.finish().try_init()?,
        LogFormat::Json => base.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
