//! Where lines go, one kind a file.

mod file;
mod http;
mod objects;
mod otlp;
mod syslog;
mod webhook;

use std::io;
use std::time::Duration;

use super::config::{ReceiverConfig, SinkConfig};
use super::eve::{Line, is_hidden};
use crate::audit::error::AuditError;
use crate::egress::{Answer, Objects, Poster};

/// A place that lines are delivered to.
pub(super) enum Sink {
    File(file::File),
    Stdout,
    Syslog(syslog::Syslog),
    Http(http::Http),
    Otlp(otlp::Otlp),
    Webhook(webhook::Webhook),
    Objects(objects::Objects),
}

/// Why lines were not delivered.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// The receiver is away, or does not know us: the same lines are tried again.
    Away { why: String, wait: Option<Duration> },
    /// It refuses what they say: trying again would not help.
    Refused(String),
}

impl Undelivered {
    fn away(error: impl ToString) -> Self {
        Self::Away { why: error.to_string(), wait: None }
    }
}

impl Sink {
    /// Connects nothing; reads the files that the configuration names.
    pub(super) fn new(name: &str, config: &SinkConfig, node: &str, region: &str) -> Result<Self, AuditError> {
        let made = match config {
            SinkConfig::File(path) => Ok(Self::File(file::File::new(path.clone()))),
            SinkConfig::Stdout => Ok(Self::Stdout),
            SinkConfig::Syslog(config) => syslog::Syslog::new(config.clone(), node).map(Self::Syslog),
            SinkConfig::Http(receiver) => poster(receiver).map(http::Http::new).map(Self::Http),
            SinkConfig::Otlp(receiver) => {
                poster(receiver).map(|poster| Self::Otlp(otlp::Otlp::new(poster, node, region)))
            }
            SinkConfig::Webhook { receiver, secret } => {
                poster(receiver).map(|poster| Self::Webhook(webhook::Webhook::new(poster, secret.clone())))
            }
            SinkConfig::Objects(config) => Objects::open(config).map(objects::Objects::new).map(Self::Objects),
        };
        made.map_err(|why| AuditError::Output { name: name.to_owned(), why })
    }

    /// How many lines at most are delivered together.
    pub(super) fn lines_at_once(&self) -> usize {
        match self {
            Self::Webhook(_) => 1,
            Self::File(_) | Self::Stdout | Self::Syslog(_) | Self::Http(_) | Self::Otlp(_) | Self::Objects(_) => {
                LINES_AT_ONCE
            }
        }
    }

    /// Delivers lines, all or none as far as can be known.
    pub(super) async fn deliver(&mut self, lines: &[Line]) -> Result<(), Undelivered> {
        match self {
            Self::File(file) => file.deliver(lines).await,
            Self::Stdout => stdout(lines).await,
            Self::Syslog(syslog) => syslog.deliver(lines).await,
            Self::Http(http) => http.deliver(lines).await,
            Self::Otlp(otlp) => otlp.deliver(lines).await,
            Self::Webhook(webhook) => webhook.deliver(lines).await,
            Self::Objects(objects) => objects.deliver(lines).await,
        }
    }
}

/// Lines, each with its end.
fn text(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        text.push_str(&line.text());
        text.push('\n');
        text
    })
}

async fn stdout(lines: &[Line]) -> Result<(), Undelivered> {
    let text = text(lines);
    let write = move || {
        use io::Write;
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(Undelivered::away)?;
    written.map_err(|error| Undelivered::away(format!("standard output: {error}")))
}

fn poster(receiver: &ReceiverConfig) -> Result<Poster, String> {
    let roots = ca(receiver.ca_file.as_deref())?;
    Poster::new(receiver.url.clone(), receiver.headers.clone(), &roots, receiver.reach)
        .map_err(|why| format!("ca_file: {why}"))
}

/// The bytes of a file of certificate authorities; none without one.
fn ca(path: Option<&std::path::Path>) -> Result<Vec<u8>, String> {
    let Some(path) = path else { return Ok(Vec::new()) };
    std::fs::read(path).map_err(|error| format!("ca_file {} cannot be read: {error}", path.display()))
}

/// What an answer means: taken, to be tried again, or refused for what was sent. Whether we are known, and whether we have the right
/// address, may be mended while we wait.
fn judge(answer: &Answer) -> Result<(), Undelivered> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .filter(|c| !c.is_control() && !is_hidden(*c))
        .take(SAID_CHARS)
        .collect();
    let why = if said.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {said}") };
    match status.as_u16() {
        400 | 413 | 415 | 422 => Err(Undelivered::Refused(why)),
        300..=399 => Err(Undelivered::away(format!("{why}; redirects are not followed, write the address itself"))),
        _ => Err(Undelivered::Away { why, wait: answer.retry_after }),
    }
}

/// Lines delivered together, at most.
const LINES_AT_ONCE: usize = 500;
/// Characters of an answer that are logged.
const SAID_CHARS: usize = 200;
