//! What a reply or frame of our own making carries: never text of the provider's, which a verdict may just have refused. Only
//! a stream's `id` is taken over, where it looks like one: clients keep frames together by it.

use crate::base::ExchangeId;

/// Bytes of a provider's `id` that is taken over.
const ID_BYTES_MAX: usize = 64;

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

    /// The same template with the provider's `id` and `created`, as all frames of a stream have them. What does not look like
    /// an id is not taken over.
    #[must_use]
    pub(super) fn identified(&self, id: String, created: u64) -> Self {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(is_id) {
            return self.clone();
        }
        Self { id, created, ..self.clone() }
    }

    /// The same template, for a stream with token counts or without.
    #[must_use]
    pub fn with_usage(self, include_usage: bool) -> Self {
        Self { include_usage, ..self }
    }
}
