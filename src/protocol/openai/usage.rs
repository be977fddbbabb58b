//! Token counts, as the provider reports them.

use crate::protocol::json::{Kind, Value};

/// Tokens of one exchange: what the provider says of them, and nothing that it does not say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: Option<u64>,
    /// Tokens generated.
    pub completion: Option<u64>,
    /// Both.
    pub total: Option<u64>,
    /// Prompt tokens that the provider had cached.
    pub cached: Option<u64>,
    /// Generated tokens that nobody is shown: the model's reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Reads `usage` of a reply or chunk. `None`: it holds no count.
    pub(super) fn read(root: Value<'_>) -> Option<Self> {
        let usage = root.get("usage").filter(|usage| usage.kind() == Kind::Object)?;
        let count = |key| usage.get(key).and_then(Value::as_u64);
        let detail = |details, key| usage.get(details).and_then(|details| details.get(key)).and_then(Value::as_u64);
        let usage = Self {
            prompt: count("prompt_tokens"),
            completion: count("completion_tokens"),
            total: count("total_tokens"),
            cached: detail("prompt_tokens_details", "cached_tokens"),
            reasoning: detail("completion_tokens_details", "reasoning_tokens"),
        };
        (usage != Self::default()).then_some(usage)
    }

    /// As the dialect writes it.
    pub(super) fn json(self) -> String {
        let count = |key: &str, count: Option<u64>| count.map(|count| format!("\"{key}\":{count}"));
        let detail = |details: &str, key: &str, of: Option<u64>| {
            count(key, of).map(|detail| format!("\"{details}\":{{{detail}}}"))
        };
        let members = [
            count("prompt_tokens", self.prompt),
            count("completion_tokens", self.completion),
            count("total_tokens", self.total),
            detail("prompt_tokens_details", "cached_tokens", self.cached),
            detail("completion_tokens_details", "reasoning_tokens", self.reasoning),
        ];
        format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::Limits;
    use crate::protocol::json::Document;

    #[test]
    fn only_what_the_provider_says_is_said() {
        for (sent, said) in [
            (r#"{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}"#, None),
            (r#"{"prompt_tokens":11,"prompt_tokens_details":{"cached_tokens":4}}"#, None),
            (r#"{"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":3}}"#, None),
            (r#"{"total_tokens":18}"#, None),
            (r#"{"prompt_tokens":"11","completion_tokens":7.5,"total_tokens":-1,"other":"x"}"#, Some("")),
            ("{}", Some("")),
            ("null", Some("")),
            (
                r#"{"prompt_tokens":11,"completion_tokens":"x","other":{"prompt_tokens":1}}"#,
                Some(r#"{"prompt_tokens":11}"#),
            ),
        ] {
            let body = Bytes::from(format!("{{\"usage\":{sent}}}"));
            let document = Document::parse(body, &Limits::default()).unwrap();
            let usage = Usage::read(document.root()).map(Usage::json).unwrap_or_default();
            assert_eq!(usage, said.unwrap_or(sent), "{sent}");
        }
    }
}
