//! What the mock answers: the completion object, its stream of chunks, the list of models, errors.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};

use super::config::{MockConfig, MockToolCall};

/// A request as far as the mock looks at it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) stream: bool,
    include_usage: bool,
    choices: u64,
    messages: usize,
    characters: usize,
    forced_tool: Option<String>,
    /// The last `[[mock …]]` of the user messages.
    pub(super) control: Option<String>,
}

impl Asked {
    /// Reads a chat completion request; the error is the sentence for the client.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(body).map_err(|error| format!("The body is not JSON: {error}."))?;
        let messages = value.get("messages").and_then(Value::as_array).ok_or("The field 'messages' is missing.")?;
        let model = value.get("model").and_then(Value::as_str).ok_or("The field 'model' is missing.")?;
        let texts: Vec<(&str, String)> = messages.iter().map(|message| (role(message), text(message))).collect();
        let control = texts
            .iter()
            .rev()
            .filter(|(role, _)| *role == "user")
            .find_map(|(_, text)| control(text).map(str::to_owned));
        Ok(Self {
            model: model.to_owned(),
            stream: value.get("stream").and_then(Value::as_bool).unwrap_or(false),
            include_usage: value.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false),
            choices: value.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, 128),
            messages: messages.len(),
            characters: texts.iter().map(|(_, text)| text.chars().count()).sum(),
            forced_tool: forced_tool(&value),
            control,
        })
    }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn text(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn control(text: &str) -> Option<&str> {
    let (_, after) = text.rsplit_once("[[mock ")?;
    after.split_once("]]").map(|(control, _)| control)
}

/// The function that `tool_choice` demands: by name, or the first one for `required`.
fn forced_tool(value: &Value) -> Option<String> {
    let choice = value.get("tool_choice")?;
    let name = match choice.as_str() {
        Some("required") => value.pointer("/tools/0/function/name"),
        _ => choice.pointer("/function/name"),
    };
    name?.as_str().map(str::to_owned)
}

/// What one choice says.
enum Said {
    Call(MockToolCall),
    Text(String),
}

fn said(asked: &Asked, config: &MockConfig) -> Said {
    if let Some(call) = &config.tool_call {
        return Said::Call(call.clone());
    }
    if let Some(name) = &asked.forced_tool {
        return Said::Call(MockToolCall { name: name.clone(), arguments: "{}".to_owned() });
    }
    Said::Text(config.reply.clone().unwrap_or_else(|| {
        format!(
            "This is the Portcullis mock provider, not a language model. It received {} message(s) with {} character(s).",
            asked.messages, asked.characters
        )
    }))
}

fn created() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A rough count, as four characters are about a token; the mock has no tokens of its own.
fn usage(asked: &Asked, said: &Said) -> Value {
    let written = match said {
        Said::Call(call) => call.arguments.chars().count(),
        Said::Text(text) => text.chars().count(),
    };
    let (prompt, completion) = (asked.characters.div_ceil(4), written.div_ceil(4));
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

/// The whole completion object.
pub(super) fn whole(asked: &Asked, config: &MockConfig, id: u64) -> Value {
    let said = said(asked, config);
    let (message, reason) = match &said {
        Said::Call(call) => {
            let call = json!({
                "id": format!("call_mock_{id}"), "type": "function",
                "function": { "name": call.name, "arguments": call.arguments }
            });
            (json!({ "role": "assistant", "content": null, "tool_calls": [call] }), "tool_calls")
        }
        Said::Text(text) => (json!({ "role": "assistant", "content": text, "refusal": null }), "stop"),
    };
    let choices: Vec<_> = (0..asked.choices)
        .map(|index| json!({ "index": index, "message": message, "logprobs": null, "finish_reason": reason }))
        .collect();
    json!({
        "id": format!("mock-{id}"), "object": "chat.completion", "created": created(), "model": asked.model,
        "choices": choices, "usage": usage(asked, &said), "system_fingerprint": FINGERPRINT
    })
}

/// The chunks of a stream, without the `[DONE]` that follows them.
pub(super) fn chunks(asked: &Asked, config: &MockConfig, id: u64) -> Vec<Value> {
    let said = said(asked, config);
    let created = created();
    let chunk = |choices: Value| {
        json!({
            "id": format!("mock-{id}"), "object": "chat.completion.chunk", "created": created, "model": asked.model,
            "system_fingerprint": FINGERPRINT, "choices": choices
        })
    };
    let delta = |index: u64, delta: Value, reason: Option<&str>| {
        chunk(json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": reason }]))
    };
    let mut chunks = Vec::new();
    for index in 0..asked.choices {
        let reason = match &said {
            Said::Text(text) => {
                chunks.push(delta(index, json!({ "role": "assistant", "content": "", "refusal": null }), None));
                for piece in pieces(text, config) {
                    chunks.push(delta(index, json!({ "content": piece }), None));
                }
                "stop"
            }
            Said::Call(call) => {
                let opening = json!({
                    "index": 0, "id": format!("call_mock_{id}"), "type": "function",
                    "function": { "name": call.name, "arguments": "" }
                });
                chunks.push(delta(
                    index,
                    json!({ "role": "assistant", "content": null, "tool_calls": [opening] }),
                    None,
                ));
                for piece in pieces(&call.arguments, config) {
                    let part = json!({ "tool_calls": [{ "index": 0, "function": { "arguments": piece } }] });
                    chunks.push(delta(index, part, None));
                }
                "tool_calls"
            }
        };
        chunks.push(delta(index, json!({}), Some(reason)));
    }
    if asked.include_usage {
        let mut last = chunk(json!([]));
        if let Some(fields) = last.as_object_mut() {
            fields.insert("usage".to_owned(), usage(asked, &said));
        }
        chunks.push(last);
    }
    chunks
}

/// The text in pieces: at the given offsets, or every `chunk_bytes`; never inside a character, never empty.
fn pieces<'a>(text: &'a str, config: &MockConfig) -> Vec<&'a str> {
    let mut cuts: Vec<usize> = if config.split_at.is_empty() {
        (1..).map(|n: usize| n.saturating_mul(config.chunk_bytes.max(1))).take_while(|at| *at < text.len()).collect()
    } else {
        config.split_at.clone()
    };
    cuts.push(text.len());
    cuts.sort_unstable();
    let mut start = 0;
    let mut pieces = Vec::new();
    for cut in cuts {
        let end = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        if end > start {
            pieces.push(text.get(start..end).unwrap_or_default());
            start = end;
        }
    }
    pieces
}

/// The list of models.
pub(super) fn models(config: &MockConfig) -> Value {
    let data: Vec<_> = config
        .models
        .iter()
        .map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "portcullis-mock" }))
        .collect();
    json!({ "object": "list", "data": data })
}

/// An error as OpenAI writes it.
pub(super) fn error(status: u16, message: &str) -> Bytes {
    let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
    Bytes::from(json!({ "error": { "message": message, "type": kind, "param": null, "code": null } }).to_string())
}

/// What the mock calls itself in `system_fingerprint`.
pub(super) const FINGERPRINT: &str = "portcullis-mock";

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: Value) -> Asked {
        Asked::read(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_stream_says_what_the_whole_says() {
        let asked = asked(json!({
            "model": "demo", "n": 2, "stream": true, "stream_options": { "include_usage": true },
            "messages": [{ "role": "user", "content": "hi" }]
        }));
        for chunk_bytes in [1, 2, 3, 7, 1000] {
            let config =
                MockConfig { reply: Some("Grüße, 世界! 👋".to_owned()), chunk_bytes, ..MockConfig::default() };
            let chunks = chunks(&asked, &config, 7);
            for index in 0..2 {
                let text: String = chunks
                    .iter()
                    .filter_map(|chunk| chunk.pointer("/choices/0"))
                    .filter(|choice| choice["index"] == index)
                    .filter_map(|choice| choice.pointer("/delta/content")?.as_str())
                    .collect();
                assert_eq!(text, "Grüße, 世界! 👋", "by {chunk_bytes}");
            }
            let last = chunks.last().unwrap();
            assert_eq!(last["choices"], json!([]));
            assert!(last["usage"]["total_tokens"].as_u64().unwrap() > 0);
        }
        let whole = whole(&asked, &MockConfig { reply: Some("x".to_owned()), ..MockConfig::default() }, 7);
        assert_eq!(whole["choices"].as_array().unwrap().len(), 2);
        assert_eq!(whole["system_fingerprint"], FINGERPRINT);
        assert!(whole["id"].as_str().unwrap().starts_with("mock-"));
    }

    #[test]
    fn splits_fall_where_they_are_asked() {
        let config = |split_at: &[usize]| MockConfig { split_at: split_at.to_vec(), ..MockConfig::default() };
        assert_eq!(pieces("abcdef", &config(&[2, 3])), ["ab", "c", "def"]);
        assert_eq!(pieces("aé", &config(&[2])), ["a", "é"]);
        assert_eq!(pieces("ab", &config(&[0, 2, 99])), ["ab"]);
        assert!(pieces("", &config(&[])).is_empty());
    }

    #[test]
    fn the_default_reply_echoes_nothing() {
        let asked = asked(json!({ "model": "demo", "messages": [{ "role": "user", "content": "my secret 4711" }] }));
        let text = whole(&asked, &MockConfig::default(), 1).to_string();
        assert!(text.contains("1 message(s) with 14 character(s)") && !text.contains("4711"), "{text}");
    }

    #[test]
    fn controls_are_read_from_user_messages_alone() {
        let of = |role: &str| {
            asked(json!({ "model": "demo", "messages": [{ "role": role, "content": "x [[mock {\"fault\":\"hang\"}]] y" }] }))
                .control
        };
        assert_eq!(of("user").as_deref(), Some("{\"fault\":\"hang\"}"));
        assert_eq!(of("assistant"), None);
    }

    #[test]
    fn demanded_tools_are_called() {
        let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);
        for choice in [json!("required"), json!({ "type": "function", "function": { "name": "weather" } })] {
            let asked = asked(json!({ "model": "demo", "messages": [], "tools": tools, "tool_choice": choice }));
            let whole = whole(&asked, &MockConfig::default(), 1);
            assert_eq!(whole.pointer("/choices/0/message/tool_calls/0/function/name").unwrap(), "weather");
            assert_eq!(whole.pointer("/choices/0/finish_reason").unwrap(), "tool_calls");
            let chunks = chunks(&asked, &MockConfig::default(), 1);
            assert_eq!(chunks[0].pointer("/choices/0/delta/tool_calls/0/function/name").unwrap(), "weather");
        }
    }
}
