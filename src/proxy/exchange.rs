//! What is known of one exchange while it lasts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use jiff::Timestamp;

use crate::access::Caller;
use crate::base::ExchangeId;
use crate::inspect::Vault;
use crate::rules::Facts;
use crate::telemetry::metrics;

/// One exchange: who, what, when, and how long each stage took.
#[derive(Debug)]
pub(super) struct Exchange {
    pub id: ExchangeId,
    pub at: Timestamp,
    pub started: Instant,
    pub peer: SocketAddr,
    pub method: String,
    pub path: String,
    pub caller: Option<Caller>,
    /// When a principal that is slowed down may try again.
    pub retry_after: Option<Duration>,
    /// What rules may know of it.
    pub facts: Arc<Facts>,
    /// What tokens in the request that was sent stand for.
    pub vault: Arc<Vault>,
    pub request_bytes: usize,
    pub stages: Stages,
}

impl Exchange {
    /// An exchange that begins now.
    pub(super) fn new(head: &Parts, peer: SocketAddr) -> Self {
        Self {
            id: ExchangeId::new(),
            at: Timestamp::now(),
            started: Instant::now(),
            peer,
            method: clip(head.method.as_str(), 16),
            // The query is not part of any route of ours and may hold anything: it is neither read nor recorded.
            path: clip(head.uri.path(), 200),
            caller: None,
            retry_after: None,
            facts: Arc::default(),
            vault: Arc::default(),
            request_bytes: 0,
            stages: Stages::default(),
        }
    }
}

fn clip(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// Time spent by stage, in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Stages(BTreeMap<String, u64>);

impl Stages {
    /// A stage that began at `since` ended now.
    pub(super) fn took(&mut self, stage: &'static str, since: Instant) {
        self.add(stage, since.elapsed());
    }

    /// Books time for a stage.
    pub(super) fn add(&mut self, stage: &'static str, took: Duration) {
        metrics::stage(stage, took);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        *self.0.entry(stage.to_owned()).or_default() += micros;
    }

    /// The stages until now.
    pub(super) fn so_far(&self) -> BTreeMap<String, u64> {
        self.0.clone()
    }

    /// The stages as the record wants them.
    pub(super) fn take(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.0)
    }
}
