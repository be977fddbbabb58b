//! Streamed replies through the real binary: no byte of a secret leaves, wherever the provider splits it, and everything
//! around it arrives unchanged.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use portcullis::provider::{MockConfig, MockHandle, MockProvider, MockToolCall};
use serde_json::{Value, json};
use support::appliance::{Appliance, PATIENCE, Settings};
use support::http::{Client, Reply, finish_reasons, said};
use support::upstream::{Script, Upstream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What stands before and after a secret: text of one to four bytes a character.
const BEFORE: &str = "Grüße, 世界 👋: ";
const AFTER: &str = " und das war’s 🎉.";

/// Requests under way at once.
const AT_ONCE: usize = 8;

struct Secret {
    text: String,
    mask: &'static str,
}

/// Nobody's secrets, put together here so that scanners of repositories do not take this file for a leak.
fn secrets() -> Vec<Secret> {
    let body = "N0tARea1KeyJustAP0rtcu11isRuleTest7QzWN0tARea1KeyJustAP0rtcu11is";
    let line = |kind: &str| format!("-----{kind} RSA PRIVATE {}-----", "KEY");
    let jwt = ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJzdWIiOiJwb3J0Y3VsbGlzIn0", &body[..40]].join(".");
    [
        (format!("AK{}", "IAN2TAREALKEYJUSTA"), "[AWS access key]"),
        (format!("gh{}", "p_N0tARea1KeyJustAP0rtcu11isRuleTest7Q"), "[GitHub token]"),
        ("4242 4242 4242 4242".to_owned(), "[card number]"),
        (format!("{}\n{body}\n{}\n{}", line("BEGIN"), &body[7..], line("END")), "[private key]"),
        (jwt, "[JWT]"),
    ]
    .map(|(text, mask)| Secret { text, mask })
    .into()
}

fn around(secret: &str) -> String {
    format!("{BEFORE}{secret}{AFTER}")
}

/// Sends all requests, some at a time, and gives the replies in their order.
async fn all(client: &Client, url: &str, requests: Vec<Value>) -> Vec<Reply> {
    let mut replies: Vec<Option<Reply>> = requests.iter().map(|_| None).collect();
    let mut running: JoinSet<(usize, Reply)> = JoinSet::new();
    for (index, request) in requests.into_iter().enumerate() {
        if running.len() >= AT_ONCE {
            let (done, reply) = running.join_next().await.unwrap().unwrap();
            replies[done] = Some(reply);
        }
        let (client, url) = (client.clone(), url.to_owned());
        running.spawn(async move { (index, client.post(&url, request.to_string()).await) });
    }
    while let Some(finished) = running.join_next().await {
        let (done, reply) = finished.unwrap();
        replies[done] = Some(reply);
    }
    replies.into_iter().map(Option::unwrap).collect()
}

/// A stream that is well-formed to its end: valid chunks, one finish reason for each choice, `[DONE]` last.
#[track_caller]
fn whole_stream(reply: &Reply, choices: u64, reason: &str, what: &str) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    assert_eq!(reply.broken, None, "{what}");
    assert!(reply.field("content-type").unwrap().starts_with("text/event-stream"), "{what}");
    let (chunks, done) = reply.chunks();
    assert!(done, "{what}: no [DONE]: {}", reply.text());
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk", "{what}: {chunk}");
        assert!(
            chunk["id"].is_string() && chunk["model"].is_string() && chunk["choices"].is_array(),
            "{what}: {chunk}"
        );
        assert!(chunk["created"].is_u64(), "{what}: {chunk}");
        for choice in chunk["choices"].as_array().unwrap() {
            assert!(choice["index"].is_u64() && choice["delta"].is_object(), "{what}: {chunk}");
        }
    }
    for choice in 0..choices {
        assert_eq!(finish_reasons(&chunks, choice), [reason], "{what}: choice {choice}: {}", reply.text());
    }
    chunks
}

/// Nothing of the secret came through, neither in one frame nor over all.
#[track_caller]
fn nothing_of(secret: &str, reply: &Reply, what: &str) {
    let text = reply.text();
    assert!(!text.contains(secret), "{what}: {text}");
    let escaped = json!(secret).to_string();
    assert!(!text.contains(escaped.trim_matches('"')), "{what}: {text}");
}

async fn mocks(secrets: &[Secret]) -> (Vec<MockHandle>, String) {
    let (mut handles, mut providers) = (Vec::new(), String::new());
    for (index, secret) in secrets.iter().enumerate() {
        let text = MockConfig { reply: Some(around(&secret.text)), ..MockConfig::default() };
        let arguments = json!({ "city": around(&secret.text), "n": 1 }).to_string();
        let call = MockToolCall { name: "weather".to_owned(), arguments };
        let call = MockConfig { tool_call: Some(call), ..MockConfig::default() };
        for (kind, config) in [("text", text), ("call", call)] {
            let handle = MockProvider::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
            providers.push_str(&format!(
                "  - {{ name: {kind}{index}, base_url: 'http://{}/v1', auth: none, models: ['{kind}{index}'] }}\n",
                handle.addr()
            ));
            handles.push(handle);
        }
    }
    (handles, providers)
}

fn asked(model: &str, control: &Value, more: &Value) -> Value {
    let content = format!("Hello. [[mock {control}]]");
    let mut request = json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": content }] });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_split_at_every_byte_never_leaves() {
    let secrets = secrets();
    let (_mocks, providers) = mocks(&secrets).await;
    let appliance = Settings::new(&providers).rules_only().start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    let sizes = [1, 2, 3, 7, 64];
    for (index, secret) in secrets.iter().enumerate() {
        let places = BEFORE.len()..=BEFORE.len() + secret.text.len() + 1;
        let splits = places.map(|at| json!({ "split_at": [at] }));
        // The same with every byte around the split by itself, so that the secret's ends and middle lie in three frames.
        let thirds = (1..6).map(|n| {
            let at = BEFORE.len() + secret.text.len() * n / 6;
            json!({ "split_at": [at, at + 1, at + 2] })
        });
        let steps = sizes.map(|bytes| json!({ "chunk_bytes": bytes }));
        let controls: Vec<Value> = splits.chain(thirds).chain(steps).collect();
        let requests: Vec<Value> =
            controls.iter().map(|control| asked(&format!("text{index}"), control, &json!({}))).collect();
        let replies = all(&client, &url, requests).await;
        for (reply, control) in replies.iter().zip(&controls) {
            let what = format!("content, {}, {control}", secret.mask);
            let chunks = whole_stream(reply, 1, "stop", &what);
            assert_eq!(said(&chunks, 0, "/delta/content"), around(secret.mask), "{what}");
            nothing_of(&secret.text, reply, &what);
        }
    }
    // Two choices of one reply: each is a text of its own.
    for (index, secret) in secrets.iter().enumerate() {
        let requests =
            sizes.map(|bytes| asked(&format!("text{index}"), &json!({ "chunk_bytes": bytes }), &json!({ "n": 2 })));
        for (reply, bytes) in all(&client, &url, requests.into()).await.iter().zip(sizes) {
            let what = format!("n=2, {}, by {bytes}", secret.mask);
            let chunks = whole_stream(reply, 2, "stop", &what);
            for choice in 0..2 {
                assert_eq!(said(&chunks, choice, "/delta/content"), around(secret.mask), "{what}");
            }
            nothing_of(&secret.text, reply, &what);
        }
    }
    tool_arguments(&client, &url, &secrets).await;
    assert_eq!(appliance.counter("portcullis_verdicts_total{direction=\"reply\",action=\"block\"}"), 0);
}

/// A call's arguments are held until they are whole: the mask stands in them, and they are still the JSON they were.
async fn tool_arguments(client: &Client, url: &str, secrets: &[Secret]) {
    for (index, secret) in secrets.iter().enumerate() {
        let length = json!({ "city": around(&secret.text), "n": 1 }).to_string().len();
        let step = if index == 0 { 1 } else { 17 };
        let splits = (1..length).step_by(step).map(|at| json!({ "split_at": [at] }));
        let controls: Vec<Value> = splits.chain([1, 7].map(|bytes| json!({ "chunk_bytes": bytes }))).collect();
        let requests = controls.iter().map(|control| asked(&format!("call{index}"), control, &json!({}))).collect();
        for (reply, control) in all(client, url, requests).await.iter().zip(&controls) {
            let what = format!("arguments, {}, {control}", secret.mask);
            let chunks = whole_stream(reply, 1, "tool_calls", &what);
            let arguments = said(&chunks, 0, "/delta/tool_calls/0/function/arguments");
            let arguments: Value =
                serde_json::from_str(&arguments).unwrap_or_else(|e| panic!("{what}: {e}: {arguments}"));
            assert_eq!(arguments, json!({ "city": around(secret.mask), "n": 1 }), "{what}");
            // Clients begin a call with the first frame that names it, and add to what it holds.
            let calls: Vec<&Value> =
                chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0")).collect();
            assert_eq!(calls[0]["function"]["name"], "weather", "{what}: {calls:#?}");
            assert!(calls[0]["id"].as_str().unwrap().starts_with("call_mock_"), "{what}: {calls:#?}");
            assert!(calls.iter().all(|call| call["function"]["arguments"].is_string()), "{what}: {calls:#?}");
            assert_eq!(said(&chunks, 0, "/delta/tool_calls/0/function/name"), "weather", "{what}");
            nothing_of(&secret.text, reply, &what);
        }
    }
}

/// Places of text that the mock does not write: how a piece is put into a chunk, and how the texts are found again.
struct Place {
    name: &'static str,
    wrap: fn(&str) -> Value,
    find: fn(&[Value]) -> String,
}

fn in_choice(choice: Value) -> Value {
    json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
}

fn in_delta(delta: Value) -> Value {
    in_choice(json!({ "index": 0, "delta": delta, "finish_reason": null }))
}

const PLACES: &[Place] = &[
    Place {
        name: "reasoning_content",
        wrap: |text| in_delta(json!({ "reasoning_content": text })),
        find: |chunks| said(chunks, 0, "/delta/reasoning_content"),
    },
    Place {
        name: "refusal",
        wrap: |text| in_delta(json!({ "refusal": text })),
        find: |chunks| said(chunks, 0, "/delta/refusal"),
    },
    Place {
        name: "choice 1 beside another text",
        wrap: |text| {
            json!({
                "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
                    { "index": 0, "delta": { "content": "." }, "finish_reason": null },
                    { "index": 1, "delta": { "content": text }, "finish_reason": null }
                ]
            })
        },
        find: |chunks| said(chunks, 1, "/delta/content"),
    },
    Place {
        name: "unknown field of the delta",
        wrap: |text| in_delta(json!({ "x_note": text })),
        find: |chunks| said(chunks, 0, "/delta/x_note"),
    },
    Place {
        name: "unknown object in the delta",
        wrap: |text| in_delta(json!({ "content": "", "x_extra": { "deep": [{ "index": 3, "note": text }] } })),
        find: |chunks| said(chunks, 0, "/delta/x_extra/deep/0/note"),
    },
    Place {
        name: "unknown field of the choice",
        wrap: |text| in_choice(json!({ "index": 0, "delta": {}, "x_side": text, "finish_reason": null })),
        find: |chunks| said(chunks, 0, "/x_side"),
    },
    Place {
        name: "unknown field of the chunk",
        wrap: |text| {
            let mut chunk = in_delta(json!({}));
            chunk["x_root"] = json!(text);
            chunk
        },
        find: |chunks| chunks.iter().filter_map(|chunk| chunk["x_root"].as_str()).collect(),
    },
    Place {
        name: "arguments of an old function call",
        wrap: |text| in_delta(json!({ "function_call": { "name": "", "arguments": text } })),
        find: |chunks| said(chunks, 0, "/delta/function_call/arguments"),
    },
];

/// A stream of pieces in one place, as server-sent events.
fn stream_of(pieces: &[&str], wrap: fn(&str) -> Value, choices: u64) -> Vec<Bytes> {
    let mut events: Vec<Value> = pieces.iter().map(|piece| wrap(piece)).collect();
    events.extend((0..choices).map(|index| in_choice(json!({ "index": index, "delta": {}, "finish_reason": "stop" }))));
    let mut stream: Vec<Bytes> = events.iter().map(|event| Bytes::from(format!("data: {event}\n\n"))).collect();
    stream.push(Bytes::from_static(b"data: [DONE]\n\n"));
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_any_field_of_a_chunk_never_leaves() {
    let upstream = Upstream::start().await;
    let appliance = Settings::for_upstream(upstream.address).rules_only().start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    let secrets = secrets();
    for place in PLACES {
        let choices = if place.name.starts_with("choice 1") { 2 } else { 1 };
        let (mut requests, mut whats) = (Vec::new(), Vec::new());
        for (index, secret) in secrets.iter().enumerate() {
            let text = around(&secret.text);
            let inside = BEFORE.len()..=BEFORE.len() + secret.text.len() + 1;
            let step = if index == 0 { 1 } else { 13 };
            let mut cuts: Vec<Vec<&str>> =
                inside.step_by(step).filter_map(|at| text.split_at_checked(at)).map(|(a, b)| vec![a, b]).collect();
            cuts.push(text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect());
            for (number, pieces) in cuts.into_iter().enumerate() {
                let model = format!("{}/{index}/{number}", place.name);
                upstream.script(&model, Script::events(stream_of(&pieces, place.wrap, choices)));
                requests.push(json!({
                    "model": model, "stream": true, "messages": [{ "role": "user", "content": "Hello." }]
                }));
                whats.push((format!("{model}: {pieces:?}"), secret));
            }
        }
        for (reply, (what, secret)) in all(&client, &url, requests).await.iter().zip(&whats) {
            let chunks = whole_stream(reply, choices, "stop", what);
            assert_eq!((place.find)(&chunks), around(secret.mask), "{what}:\n{}", reply.text());
            nothing_of(&secret.text, reply, what);
        }
    }
    many_secrets(&upstream, &client, &url, &secrets[0]).await;
}

/// More secrets in one reply than findings are recorded: each is replaced, and the reply goes on to its end.
async fn many_secrets(upstream: &Upstream, client: &Client, url: &str, secret: &Secret) {
    let text = |secret: &str| (0..40).map(|n| format!("Key {n}: {secret}.\n")).collect::<String>();
    let wire = text(&secret.text);
    let pieces: Vec<&str> = wire.as_bytes().chunks(11).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    let wrap: fn(&str) -> Value = |text| in_delta(json!({ "content": text }));
    upstream.script("many", Script::events(stream_of(&pieces, wrap, 1)));
    let request = json!({ "model": "many", "stream": true, "messages": [{ "role": "user", "content": "Hello." }] });
    let reply = client.post(url, request.to_string()).await;
    let chunks = whole_stream(&reply, 1, "stop", "many secrets");
    assert_eq!(said(&chunks, 0, "/delta/content"), text(secret.mask));
    nothing_of(&secret.text, &reply, "many secrets");
}

/// One stream with all that server-sent events and JSON allow: escapes, other line ends, comments, unknown fields, several
/// `data:` lines in an event, and events of other names, which clients do not take for chunks.
fn odd_stream(line_end: &str, secret: &str) -> String {
    let escaped: String = secret.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    let chunk = |content: &str| {
        format!(
            "{{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}},\"finish_reason\":null}}]}}"
        )
    };
    let two_lines = chunk("\\ud83d\\udc4b a ").replacen(',', ",\n", 1);
    let lines = [
        ": keep-alive".to_owned(),
        String::new(),
        "event: ping".to_owned(),
        format!("data: {{\"leak\":\"{secret}\"}}"),
        String::new(),
        "event: message".to_owned(),
        "id: 7".to_owned(),
        "retry: 10".to_owned(),
        two_lines.lines().map(|line| format!("data: {line}")).collect::<Vec<_>>().join(line_end),
        String::new(),
        format!("data:{}", chunk(&escaped)),
        String::new(),
        format!(": {secret}"),
        format!("data: {}", chunk(" ü\\u0020世界\\n")),
        String::new(),
        "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}".to_owned(),
        String::new(),
        "data: [DONE]".to_owned(),
        String::new(),
        String::new(),
    ];
    lines.join(line_end)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_split_anywhere_mean_the_same() {
    let upstream = Upstream::start().await;
    let appliance = Settings::for_upstream(upstream.address).rules_only().start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    let secret = &secrets()[0];
    for (name, line_end) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")] {
        let wire = Bytes::from(odd_stream(line_end, &secret.text));
        let step = if line_end == "\r\n" { 1 } else { 5 };
        let mut cuts: Vec<Vec<Bytes>> =
            (1..wire.len()).step_by(step).map(|at| vec![wire.slice(..at), wire.slice(at..)]).collect();
        cuts.push((0..wire.len()).map(|at| wire.slice(at..=at)).collect());
        cuts.push(vec![wire.clone()]);
        let mut requests = Vec::new();
        for (number, pieces) in cuts.into_iter().enumerate() {
            let model = format!("{name}/{number}");
            upstream.script(&model, Script::events(pieces));
            let message = json!({ "role": "user", "content": "Hello." });
            requests.push(json!({ "model": model, "stream": true, "messages": [message] }));
        }
        for (number, reply) in all(&client, &url, requests).await.iter().enumerate() {
            let what = format!("{name}, cut {number}");
            let chunks = whole_stream(reply, 1, "stop", &what);
            let expected = format!("👋 a {} ü 世界\n", secret.mask);
            assert_eq!(said(&chunks, 0, "/delta/content"), expected, "{what}");
            nothing_of(&secret.text, reply, &what);
            assert!(!reply.text().contains("ping") && !reply.text().contains("\r"), "{what}");
        }
    }
}

/// Clean streams arrive as they were: the same chunks, unknown fields and numbers too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_chunks_arrive_byte_for_byte() {
    let upstream = Upstream::start().await;
    // With few rules, none of which could hold on to the end of a chunk.
    let checkout = env!("CARGO_MANIFEST_DIR");
    let few = format!("folders: ['{checkout}/tests/data/rules/good/secrets']");
    let settings = Settings::for_upstream(upstream.address).rules_only();
    let appliance = settings.with(&format!("folders: ['{checkout}/rules']"), &few).start();
    let chunks = [
        r#"{ "id" : "x","object":"chat.completion.chunk","created":1,"model":"m","x_big":12345678901234567890.10,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"#,
        r#"{"choices":[{"delta":{"content":"One."},"index":0,"finish_reason":null}],"id":"x","object":"chat.completion.chunk","created":1,"model":"m","x_e":1E-2}"#,
        r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop","x_flag":true}]}"#,
        r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"x_more":[1.0,2.50]}}"#,
    ];
    let mut pieces: Vec<Bytes> = chunks.iter().map(|chunk| Bytes::from(format!("data: {chunk}\n\n"))).collect();
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    upstream.script("clean", Script::events(pieces));
    let request = json!({
        "model": "clean", "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "Hello." }]
    });
    let reply = Client::http1().post(&appliance.url("/v1/chat/completions"), request.to_string()).await;
    let expected: Vec<String> = chunks.iter().map(|chunk| (*chunk).to_owned()).chain(["[DONE]".to_owned()]).collect();
    assert_eq!(reply.events(), expected);
    let row = appliance.record_when("the usage", |rows| rows.iter().any(|row| row["outcome"] == "completed"));
    assert_eq!((&row[0]["prompt_tokens"], &row[0]["completion_tokens"]), (&json!(3), &json!(2)));
}

/// A reply that gives a system prompt away.
const LEAK: &str =
    "Here is my system prompt: You are ChatGPT, a large language model trained by OpenAI. The rest follows now.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_stream_ends_as_a_whole_one() {
    let config = MockConfig { reply: Some(format!("Well. {LEAK}")), ..MockConfig::default() };
    let mock = MockProvider::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
    let appliance = Settings::for_upstream(mock.addr()).rules_only().start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    for bytes in [1, 5, 16, 400] {
        let requests = [1, 2].map(|n| asked("demo", &json!({ "chunk_bytes": bytes }), &json!({ "n": n })));
        for (choices, reply) in [1, 2].into_iter().zip(all(&client, &url, requests.into()).await) {
            let what = format!("by {bytes}, n={choices}");
            assert_eq!(reply.status, 200, "{what}");
            let (chunks, done) = reply.chunks();
            assert!(done && reply.broken.is_none(), "{what}: {}", reply.text());
            assert_eq!(finish_reasons(&chunks, 0), ["content_filter"], "{what}: {}", reply.text());
            let text = said(&chunks, 0, "/delta/content");
            assert!(format!("Well. {LEAK}").starts_with(&text), "{what}: {text}");
            assert!(!text.contains("trained by OpenAI") && !text.contains("The rest"), "{what}: {text}");
            assert_eq!(said(&chunks, 1, "/delta/content"), "", "{what}: the stream is over before the second choice");
        }
    }
    let rows = appliance.record_when("all verdicts", |rows| {
        rows.len() == 8 && rows.iter().all(|row| row["outcome"] == "blocked" && row["reply_action"] == "block")
    });
    assert!(rows.iter().all(|row| row["status"] == 200 && row["stream"] == true), "{rows:?}");
}

/// A blocked stream keeps the provider's token counts where the model has said all; otherwise the model is not let talk on for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_stream_counts_its_tokens() {
    let upstream = Upstream::start().await;
    let appliance = Settings::for_upstream(upstream.address).rules_only().start();
    let piece = |chunk: Value| Bytes::from(format!("data: {chunk}\n\n"));
    let chunk = |choices: Value| json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices });
    let says = |text: &str| chunk(json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]));
    let ends = piece(chunk(json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }])));
    let mut counts = chunk(json!([]));
    counts["usage"] = json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 });
    let detailed = {
        let mut detailed = counts.clone();
        detailed["usage"]["prompt_tokens_details"] = json!({ "cached_tokens": 5 });
        detailed["usage"]["completion_tokens_details"] = json!({ "reasoning_tokens": 3 });
        piece(detailed)
    };
    let counts = piece(counts);
    // What a layer holds is known at the end only; the plain words block before it.
    let hidden = piece(says(&LEAK.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()));
    let plain = piece(says(LEAK));
    let done = Bytes::from_static(b"data: [DONE]\n\n");
    let gate = || Some(Arc::new(Notify::new()));
    let together = Bytes::from([ends.as_ref(), counts.as_ref(), done.as_ref()].concat());
    let scripts = [
        ("in one piece", Script::events(vec![hidden.clone(), together]), true),
        ("one by one", Script::events(vec![hidden.clone(), ends.clone(), detailed, done.clone()]), true),
        (
            "never counted",
            Script { gate: gate(), ..Script::events(vec![hidden.clone(), ends.clone(), done.clone()]) },
            false,
        ),
        (
            "talks on",
            Script { gate: gate(), ..Script::events(vec![hidden.clone(), ends, plain.clone(), counts.clone()]) },
            false,
        ),
        ("not at its end", Script { gate: gate(), ..Script::events(vec![plain, counts]) }, false),
    ];
    for (model, script, is_counted) in scripts {
        upstream.script(model, script);
        for wanted in [true, false] {
            let request = json!({
                "model": model, "stream": true, "stream_options": { "include_usage": wanted },
                "messages": [{ "role": "user", "content": "Hello." }]
            });
            let reply = Client::http1().post(&appliance.url("/v1/chat/completions"), request.to_string()).await;
            let chunks = whole_stream(&reply, 1, "content_filter", model);
            let usage: Vec<&Value> =
                chunks.iter().map(|chunk| &chunk["usage"]).filter(|usage| !usage.is_null()).collect();
            let mut expected = json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 });
            if model == "one by one" {
                expected["prompt_tokens_details"] = json!({ "cached_tokens": 5 });
                expected["completion_tokens_details"] = json!({ "reasoning_tokens": 3 });
            }
            assert_eq!(usage, if is_counted && wanted { vec![&expected] } else { vec![] }, "{model}: {}", reply.text());
            if let [usage] = *usage {
                assert_eq!(
                    (&chunks[chunks.len() - 1]["usage"], &chunks[chunks.len() - 1]["choices"]),
                    (usage, &json!([]))
                );
            }
        }
    }
    let rows = appliance
        .record_when("all verdicts", |rows| rows.len() == 10 && rows.iter().all(|row| row["outcome"] == "blocked"));
    for row in rows {
        let counted = matches!(row["model_asked"].as_str(), Some("in one piece" | "one by one"));
        assert_eq!(row["completion_tokens"], if counted { json!(7) } else { Value::Null }, "{row}");
    }
}

/// Calls in the shapes that providers write: each leaves in its provider's own frames, whole, after what came before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tool_calls_leave_whole_in_every_shape() {
    let upstream = Upstream::start().await;
    let appliance = Settings::for_upstream(upstream.address).rules_only().start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    let secret = &secrets()[0];
    let call = |index: u64, fields: Value| {
        let mut call = json!({ "index": index });
        call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "tool_calls": [call] })
    };
    let arguments = |index: u64, text: &str| call(index, json!({ "function": { "arguments": text } }));
    let open = |index: u64, name: &str| {
        call(
            index,
            json!({ "id": format!("call_{index}"), "type": "function", "function": { "name": name, "arguments": "" } }),
        )
    };
    let with_secret = json!({ "key": secret.text }).to_string();
    let (first, second) = with_secret.split_at(with_secret.len() / 2);
    let whole =
        call(0, json!({ "id": "call_0", "type": "function", "function": { "name": "f", "arguments": with_secret } }));
    let mut both = whole.clone();
    both["content"] = json!("Let me look. ");
    let typed = |text: &str| call(0, json!({ "type": "function", "function": { "arguments": text } }));
    // Deltas; the reason stands in a frame of its own or, where `ends_inside`, in the last delta's.
    let shapes: Vec<(&str, Vec<Value>, bool, u64)> = vec![
        (
            "openai",
            vec![
                json!({ "role": "assistant", "content": null }),
                open(0, "f"),
                arguments(0, first),
                arguments(0, second),
            ],
            false,
            1,
        ),
        (
            "two calls",
            vec![
                open(0, "f"),
                arguments(0, first),
                arguments(0, second),
                open(1, "f"),
                arguments(1, first),
                arguments(1, second),
            ],
            false,
            2,
        ),
        (
            "two calls at once",
            vec![
                open(0, "f"),
                open(1, "f"),
                arguments(1, first),
                arguments(0, first),
                arguments(0, second),
                arguments(1, second),
            ],
            false,
            2,
        ),
        (
            "text before",
            vec![
                json!({ "role": "assistant", "content": "Let me " }),
                json!({ "content": "look. " }),
                open(0, "f"),
                arguments(0, first),
                arguments(0, second),
            ],
            false,
            1,
        ),
        ("in one frame", vec![whole.clone()], false, 1),
        ("in one frame with the end", vec![whole], true, 1),
        ("in one frame with text", vec![both.clone()], false, 1),
        ("in one frame with text and the end", vec![both], true, 1),
        ("a type in each frame", vec![open(0, "f"), typed(first), typed(second)], false, 1),
    ];
    for (shape, deltas, ends_inside, calls) in shapes {
        let mut events: Vec<Value> = deltas.iter().cloned().map(in_delta).collect();
        if ends_inside {
            events.last_mut().unwrap()["choices"][0]["finish_reason"] = json!("tool_calls");
        } else {
            events.push(in_choice(json!({ "index": 0, "delta": {}, "finish_reason": "tool_calls" })));
        }
        let wire: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        upstream.script(shape, Script::events(vec![(wire + "data: [DONE]\n\n").into()]));
        let request = json!({ "model": shape, "stream": true, "messages": [{ "role": "user", "content": "Hello." }] });
        let reply = client.post(&url, request.to_string()).await;
        let chunks = whole_stream(&reply, 1, "tool_calls", shape);
        nothing_of(&secret.text, &reply, shape);
        let texts = if deltas.iter().any(|delta| delta["content"].is_string()) { "Let me look. " } else { "" };
        assert_eq!(said(&chunks, 0, "/delta/content"), texts, "{shape}: {}", reply.text());
        // As clients do: the first piece of a call is kept, the others add to its arguments.
        let mut put: Vec<Value> = Vec::new();
        for piece in chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0")) {
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if index == put.len() {
                put.push(piece.clone());
            } else {
                let more = piece["function"]["arguments"].as_str().unwrap_or_else(|| panic!("{shape}: {piece}"));
                let known = put[index]["function"]["arguments"].as_str().unwrap().to_owned();
                put[index]["function"]["arguments"] = json!(known + more);
            }
        }
        let masked = json!({ "key": secret.mask }).to_string();
        let whole = |index: u64| json!({ "index": index, "id": format!("call_{index}"), "type": "function", "function": { "name": "f", "arguments": masked } });
        assert_eq!(put, (0..calls).map(whole).collect::<Vec<_>>(), "{shape}: {}", reply.text());
    }
}

/// What a client gets while the provider is silent, and that it gets each frame when it is cleared, not at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_flow_and_silence_is_bridged() {
    let upstream = Upstream::start().await;
    let appliance = Settings::for_upstream(upstream.address).rules_only().start();
    let gate = Arc::new(Notify::new());
    let text = "A first sentence, long enough that no rule can hold on to it for ever. ".repeat(4);
    let mut pieces = stream_of(&[&text, "The second."], |text| in_delta(json!({ "content": text })), 1);
    let last = pieces.split_off(1).concat();
    pieces.push(last.into());
    upstream.script("slow", Script { gate: Some(Arc::clone(&gate)), ..Script::events(pieces) });
    let request = json!({ "model": "slow", "stream": true, "messages": [{ "role": "user", "content": "Hello." }] });
    let client = Client::http1();
    let url = appliance.url("/v1/chat/completions");
    let json_type = [("content-type", "application/json")];
    let response = client.open(http::Method::POST, &url, &json_type, request.to_string()).await.unwrap();
    let mut body = response.into_body();
    let mut came = String::new();
    let mut read = async |until: &str| {
        while !came.contains(until) {
            let frame = tokio::time::timeout(PATIENCE, http_body_util::BodyExt::frame(&mut body)).await;
            let frame = frame.expect("the stream goes on").expect("it is not over").unwrap();
            came.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        came.clone()
    };
    // The provider waits for us here: what arrives now was not held to the end.
    assert!(read("A first sentence").await.contains("chat.completion.chunk"));
    let silent = read(": keep-alive").await;
    assert!(!silent.contains("The second"), "{silent}");
    gate.notify_one();
    let whole = read("[DONE]").await;
    let reply = support::http::events(&whole);
    let chunks: Vec<Value> =
        reply[..reply.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(said(&chunks, 0, "/delta/content"), format!("{text}The second."));
}

/// A client that goes away ends the exchange at the provider too, and the record says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_is_recorded() {
    let config = MockConfig { reply: Some("word ".repeat(2000)), chunk_delay_ms: 20, ..MockConfig::default() };
    let mock = MockProvider::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
    let appliance: Appliance = Settings::for_upstream(mock.addr()).rules_only().start();
    let client = Client::http1();
    let url = appliance.url("/v1/chat/completions");
    let request = asked("demo", &json!({}), &json!({})).to_string();
    let json_type = [("content-type", "application/json")];
    let response = client.open(http::Method::POST, &url, &json_type, request).await.unwrap();
    let mut body = response.into_body();
    let first = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    assert!(first.data_ref().is_some_and(|data| data.starts_with(b"data: ")));
    drop(body);
    support::http::until("the provider's reply is dropped", || mock.dropped() == 1).await;
    let rows = appliance.record_when("the end", |rows| rows.iter().any(|row| row["outcome"].is_string()));
    assert_eq!((rows.len(), &rows[0]["outcome"]), (1, &json!("client_gone")));
}
