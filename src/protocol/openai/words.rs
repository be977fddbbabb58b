//! The dialect's vocabulary: keys and enumerated values that cannot carry a text of anybody's, and so are no passages.
//!
//! A value is exempt only where it is one of the words listed for its key; any other value of the same key is a passage.

/// Keys of requests, replies and JSON schemas, sorted. Compared exactly: `Content` is not `content`.
const KEYS: &[&str] = &[
    "$defs",
    "$ref",
    "$schema",
    "accepted_prediction_tokens",
    "additionalProperties",
    "allOf",
    "allowed_tools",
    "annotations",
    "anyOf",
    "approximate",
    "arguments",
    "audio",
    "audio_tokens",
    "bytes",
    "cached_tokens",
    "call_id",
    "choices",
    "city",
    "code",
    "completion_tokens",
    "completion_tokens_details",
    "const",
    "content",
    "content_filter_results",
    "country",
    "created",
    "custom",
    "data",
    "default",
    "definition",
    "definitions",
    "delta",
    "description",
    "detail",
    "end_index",
    "enum",
    "error",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "expires_at",
    "file",
    "file_data",
    "file_id",
    "filename",
    "finish_reason",
    "format",
    "frequency_penalty",
    "function",
    "function_call",
    "functions",
    "grammar",
    "id",
    "image_url",
    "include_obfuscation",
    "include_usage",
    "index",
    "input",
    "input_audio",
    "items",
    "json_schema",
    "logit_bias",
    "logprob",
    "logprobs",
    "maxItems",
    "maxLength",
    "max_completion_tokens",
    "max_tokens",
    "maximum",
    "message",
    "messages",
    "metadata",
    "minItems",
    "minLength",
    "minimum",
    "modalities",
    "mode",
    "model",
    "multipleOf",
    "n",
    "name",
    "not",
    "nullable",
    "obfuscation",
    "object",
    "oneOf",
    "owned_by",
    "parallel_tool_calls",
    "param",
    "parameters",
    "parent",
    "pattern",
    "patternProperties",
    "permission",
    "prediction",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_tokens",
    "prompt_tokens_details",
    "properties",
    "reasoning",
    "reasoning_content",
    "reasoning_effort",
    "reasoning_tokens",
    "refusal",
    "region",
    "rejected_prediction_tokens",
    "required",
    "response_format",
    "role",
    "root",
    "safety_identifier",
    "schema",
    "search_context_size",
    "seed",
    "service_tier",
    "start_index",
    "stop",
    "store",
    "stream",
    "stream_options",
    "strict",
    "syntax",
    "system_fingerprint",
    "temperature",
    "text",
    "timezone",
    "title",
    "token",
    "tool_call_id",
    "tool_calls",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "total_tokens",
    "transcript",
    "type",
    "uniqueItems",
    "url",
    "url_citation",
    "usage",
    "user",
    "user_location",
    "verbosity",
    "voice",
    "web_search_options",
];

/// Enumerated values by key.
const VALUES: &[(&str, &[&str])] = &[
    ("detail", &["auto", "high", "low"]),
    ("finish_reason", FINISH_REASONS),
    ("format", &["aac", "flac", "mp3", "opus", "pcm16", "wav"]),
    ("function_call", &["auto", "none"]),
    ("modalities", &["audio", "text"]),
    ("mode", &["auto", "required"]),
    ("object", &["chat.completion", "chat.completion.chunk", "list", "model", "text_completion"]),
    ("prompt_cache_retention", &["24h", "in-memory", "in_memory"]),
    ("reasoning_effort", &["high", "low", "medium", "minimal", "none", "xhigh"]),
    ("role", &["assistant", "developer", "function", "system", "tool", "user"]),
    ("search_context_size", &["high", "low", "medium"]),
    ("service_tier", &["auto", "default", "flex", "priority", "scale"]),
    ("syntax", &["lark", "regex"]),
    ("tool_choice", &["auto", "none", "required"]),
    ("type", TYPES),
    ("verbosity", &["high", "low", "medium"]),
];

/// Reasons for which a choice ends.
const FINISH_REASONS: &[&str] = &["content_filter", "function_call", "length", "stop", "tool_calls"];

/// Types of content parts, tools, response formats and JSON schemas.
const TYPES: &[&str] = &[
    "allowed_tools",
    "approximate",
    "array",
    "boolean",
    "content",
    "custom",
    "file",
    "function",
    "grammar",
    "image_url",
    "input_audio",
    "integer",
    "json_object",
    "json_schema",
    "null",
    "number",
    "object",
    "refusal",
    "string",
    "text",
    "url_citation",
];

/// True for a key of the dialect.
pub(super) fn is_key(key: &str) -> bool {
    KEYS.binary_search(&key).is_ok()
}

/// True when `value` is one of the words enumerated for `key`.
pub(super) fn is_word(key: &str, value: &str) -> bool {
    VALUES.iter().any(|(name, words)| *name == key && words.contains(&value))
}

/// Bytes of a model's name that is no passage.
const PLAIN_NAME_BYTES: usize = 64;

/// Letters and digits in a row from which a name may hold a key or a text.
const NAME_RUN: usize = 20;

/// True for a short name of plain ASCII without long runs, as models have.
pub(super) fn is_plain_name(name: &str) -> bool {
    (1..=PLAIN_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte))
        && name.split(|char: char| !char.is_ascii_alphanumeric()).all(|run| run.len() < NAME_RUN)
}

/// True when the names are equal to a reader that ignores case, as Go's JSON reader does: it folds U+017F to `s` and the
/// Kelvin sign to `k` besides ASCII.
pub(super) fn same_folded(name: &str, key: &str) -> bool {
    let fold = |char| match char {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        char => char.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(key.chars().map(fold))
}

#[cfg(test)]
mod tests {
    use super::{KEYS, is_plain_name, is_word, same_folded};

    #[test]
    fn keys_are_sorted_for_the_search() {
        assert!(KEYS.is_sorted_by(|left, right| left < right));
    }

    #[test]
    fn words_belong_to_their_key() {
        assert!(is_word("role", "user"));
        assert!(!is_word("role", "User"));
        assert!(!is_word("content", "user"));
    }

    #[test]
    fn names_are_plain_up_to_64_bytes() {
        assert!(is_plain_name(&"a-b-".repeat(16)));
        assert!(!is_plain_name(&format!("{}c", "a-b-".repeat(16))));
        assert!(!is_plain_name(""));
        assert!(!is_plain_name("two words"));
        assert!(!is_plain_name("a+b"));
        assert!(is_plain_name("vendor/model-1.2:latest@eu_west"));
    }

    #[test]
    fn names_have_no_long_runs() {
        assert!(is_plain_name(&format!("m/{}", "a1".repeat(9) + "b")));
        assert!(!is_plain_name(&format!("m/{}", "a1".repeat(10))));
    }

    #[test]
    fn folding_is_that_of_go() {
        assert!(same_folded("Me\u{17F}\u{17F}ages", "messages"));
        assert!(same_folded("to\u{212A}en", "token"));
        assert!(!same_folded("message", "messages"));
    }
}
