//! Token counts, as the provider reports them.

use crate::protocol::json::{Kind, Value};

/// Tokens of one exchange.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens generated.
    pub completion: u64,
    /// Both.
    pub total: u64,
    /// Prompt tokens that the provider had cached, where it says so.
    pub cached: Option<u64>,
}

impl Usage {
    /// Reads `usage` of a reply or chunk; missing counts are 0.
    pub(super) fn read(root: Value<'_>) -> Option<Self> {
        let usage = root.get("usage").filter(|usage| usage.kind() == Kind::Object)?;
        let count = |key| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
        let cached = usage.get("prompt_tokens_details").and_then(|details| details.get("cached_tokens"));
        let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
        Some(Self {
            prompt,
            completion,
            total: usage.get("total_tokens").and_then(Value::as_u64).unwrap_or(prompt.saturating_add(completion)),
            cached: cached.and_then(Value::as_u64),
        })
    }

    /// As the dialect writes it.
    pub(super) fn json(self) -> String {
        let Self { prompt, completion, total, cached } = self;
        let details = cached.map(|cached| format!(",\"prompt_tokens_details\":{{\"cached_tokens\":{cached}}}"));
        format!(
            "{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{total}{}}}",
            details.unwrap_or_default()
        )
    }
}
