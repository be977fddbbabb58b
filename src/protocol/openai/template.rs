//! What a reply or frame of our own making carries: never a string of the provider's, which a verdict may just have refused.

use crate::base::ExchangeId;

/// The stable fields of replies and chunks that Portcullis makes itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// `id`.
    pub id: String,
    /// `model`: the one that the client named.
    pub model: String,
    /// `created`, in seconds since the Unix epoch.
    pub created: u64,
    /// True when the client asked for token counts in a stream (`stream_options.include_usage`).
    pub include_usage: bool,
}

impl Template {
    /// The template of one exchange: the client's own model name, and an id that tells nothing but the exchange's.
    pub fn new(exchange: ExchangeId, model: impl Into<String>) -> Self {
        let created = exchange.unix_ms().and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0) / 1000;
        Self { id: format!("chatcmpl-{exchange}"), model: model.into(), created, include_usage: false }
    }

    /// The same template, for a stream with token counts or without.
    #[must_use]
    pub fn with_usage(self, include_usage: bool) -> Self {
        Self { include_usage, ..self }
    }
}
