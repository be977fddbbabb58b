//! A marker put into any string (or unknown key) of a rich body is found in one passage: nothing is skipped or read twice.

use bytes::Bytes;
use portcullis::base::Limits;
use portcullis::inspect::{Encode, Subject};
use portcullis::protocol::openai::{ChatReply, ChatRequest, ErrorReply, ModelList};
use serde_json::Value;

use crate::support::{data_of, frame, frames, samples};

const MARKER: &str = "m4rk3r of the attacker";

/// Every variant of `value` with one string replaced by the marker, and every one with a member added whose key is it.
fn planted(value: &Value) -> Vec<Value> {
    let mut out = Vec::new();
    for path in paths(value) {
        let mut variant = value.clone();
        match variant.pointer_mut(&path).unwrap() {
            Value::Object(members) => {
                members.insert(MARKER.to_owned(), Value::Bool(true));
            }
            place => *place = Value::String(MARKER.to_owned()),
        }
        out.push(variant);
    }
    out
}

/// Pointers to every string and every object.
fn paths(value: &Value) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::String(_) => return vec![String::new()],
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(elements) => elements.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => return Vec::new(),
    };
    let mut out: Vec<String> = below
        .into_iter()
        .flat_map(|(key, value)| paths(value).into_iter().map(move |rest| format!("/{key}{rest}")))
        .collect();
    if value.is_object() {
        out.push(String::new());
    }
    out
}

fn is_seen(subject: &impl Subject) -> bool {
    subject.passages().iter().any(|passage| passage.text.contains(MARKER))
}

fn all_seen<S: Subject>(body: &[u8], parse: impl Fn(Bytes) -> S) -> usize {
    let value: Value = serde_json::from_slice(body).unwrap();
    let variants = planted(&value);
    for variant in &variants {
        let text = serde_json::to_string(variant).unwrap();
        let subject = parse(Bytes::from(text.clone()));
        let times = subject.passages().iter().filter(|passage| passage.text.contains(MARKER)).count();
        assert_eq!(times, 1, "seen {times} times in {text}");
    }
    variants.len()
}

#[test]
fn in_every_string_of_a_request() {
    let count: usize = samples("request", "json")
        .into_iter()
        .map(|(_, body)| all_seen(&body, |body| ChatRequest::parse(body, &Limits::default()).unwrap()))
        .sum();
    assert!(count > 150, "{count} variants");
}

#[test]
fn in_every_string_of_a_reply() {
    let count: usize = samples("reply", "json")
        .into_iter()
        .map(|(_, body)| all_seen(&body, |body| ChatReply::parse(body, &Limits::default()).unwrap()))
        .sum();
    assert!(count > 60, "{count} variants");
}

#[test]
fn in_every_string_of_a_frame() {
    let mut count = 0;
    for (_, stream) in samples("stream", "sse") {
        for chunk in frames([&stream[..]]) {
            let data = data_of(&chunk.encode(&[]));
            if data.starts_with(b"{") {
                count += all_seen(&data, |body| frame(std::str::from_utf8(&body).unwrap()));
            }
        }
    }
    assert!(count > 100, "{count} variants");
}

#[test]
fn in_every_string_of_errors_and_lists() {
    let limits = Limits::default();
    for body in [
        r#"{"error":{"message":"m","type":"t","code":"c","inner":[{"x":"y"}]}}"#,
        r#"{"error":"m"}"#,
        r#"{"object":"error","message":"m","code":400}"#,
        r#"[{"error":{"message":"m","details":["a"]}}]"#,
        r#""text""#,
    ] {
        assert!(all_seen(body.as_bytes(), |body| ErrorReply::parse(body, &limits).unwrap()) > 0);
    }
    let list =
        br#"{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"o","extra":{"a":"b"}}]}"#;
    assert!(all_seen(list, |body| ModelList::parse(body, &limits).unwrap()) > 5);
}

#[test]
fn spelt_over_the_tokens_of_logprobs() {
    let token = |text: &str| format!(r#"{{"token":"{text}","logprob":-1,"bytes":null,"top_logprobs":[]}}"#);
    let tokens: Vec<String> = MARKER.chars().map(|char| token(&char.to_string())).collect();
    let body =
        format!(r#"{{"choices":[{{"index":0,"message":{{}},"logprobs":{{"content":[{}]}}}}]}}"#, tokens.join(","));
    assert!(is_seen(&ChatReply::parse(Bytes::from(body), &Limits::default()).unwrap()));
}

#[test]
fn spelt_over_the_bytes_of_logprobs() {
    let token = |byte: u8| format!(r#"{{"token":"x","logprob":-1,"bytes":[{byte}]}}"#);
    let tokens: Vec<String> = MARKER.bytes().map(token).collect();
    let body = format!(r#"{{"choices":[{{"logprobs":{{"content":[{}]}}}}]}}"#, tokens.join(","));
    assert!(is_seen(&ChatReply::parse(Bytes::from(body), &Limits::default()).unwrap()));
}

#[test]
fn spelt_over_the_frames_of_one_channel() {
    for (open, close) in [
        (r#"{"index":0,"delta":{"content":""#, r#""}}"#),
        (r#"{"index":0,"delta":{"reasoning":""#, r#""}}"#),
        (r#"{"index":0,"delta":{"tool_calls":[{"index":3,"function":{"arguments":""#, r#""}}]}}"#),
        (r#"{"index":0,"delta":{"unknown":{"a":[{"b":""#, r#""}]}}}"#),
        (r#"{"index":0,"text":""#, r#""}"#),
        (r#"{"index":0,"logprobs":{"content":[{"token":""#, r#""}]}}"#),
    ] {
        let stream: String =
            MARKER.chars().map(|char| format!("data: {{\"choices\":[{open}{char}{close}]}}\n\n")).collect();
        let mut channels = std::collections::HashMap::<_, String>::new();
        for frame in frames([stream.as_bytes()]) {
            for passage in frame.passages() {
                if let Some(channel) = &passage.channel {
                    channels.entry(channel.clone()).or_default().push_str(&passage.text);
                }
            }
        }
        assert!(channels.values().any(|text| text == MARKER), "{open}: {channels:?}");
    }
}
