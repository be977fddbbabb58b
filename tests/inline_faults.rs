//! Providers that go wrong, through the real binary: every fault of the mock, plain and streamed, has the status, the end and
//! the row in the record that it should have.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use bytes::Bytes;
use portcullis::provider::{MockConfig, MockFault, MockHandle, MockProvider};
use serde_json::{Value, json};
use support::appliance::Settings;
use support::http::{Client, Reply, finish_reasons, said, stream};
use support::upstream::{Script, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

const TEXT: &str = "A plain answer, long enough for several chunks of a stream to go out before it ends.";

async fn mock() -> MockHandle {
    let config = MockConfig { reply: Some(TEXT.to_owned()), keep_seen: 100, ..MockConfig::default() };
    MockProvider::start("127.0.0.1:0".parse().unwrap(), config).await.unwrap()
}

fn impatient(settings: Settings) -> Settings {
    settings.rules_only().limit("first_byte_ms", 400).limit("silence_ms", 400).limit("reply_bytes", 1024 * 1024)
}

fn asked(fault: Option<MockFault>, stream: bool) -> String {
    // A drip of single bytes is slow enough with few chunks.
    let chunk_bytes = if fault == Some(MockFault::SlowDrip) { 64 } else { 8 };
    let control = json!({ "fault": fault, "chunk_bytes": chunk_bytes });
    let message = json!({ "role": "user", "content": format!("Hello. [[mock {control}]]") });
    json!({ "model": "demo", "stream": stream, "messages": [message] }).to_string()
}

/// How a reply ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// With an error instead of a reply.
    Refused,
    /// With an error as the last event of a stream that has begun.
    Torn,
    /// As it should.
    Well,
}

/// What becomes of a fault: plain, and streamed.
fn expected(fault: MockFault) -> (Ends, Ends) {
    match fault {
        // Unusual, and allowed.
        MockFault::Crlf | MockFault::Gzip | MockFault::NoDone | MockFault::SlowDrip | MockFault::Trailers => {
            (Ends::Well, Ends::Well)
        }
        // Known from the head.
        MockFault::Brotli
        | MockFault::Charset
        | MockFault::ContentType
        | MockFault::Hang
        | MockFault::HugeHead
        | MockFault::Redirect
        | MockFault::Reset
        | MockFault::Status(_) => (Ends::Refused, Ends::Refused),
        // Known when it comes.
        MockFault::Bom
        | MockFault::Cut
        | MockFault::DuplicateKeys
        | MockFault::Garbage
        | MockFault::GzipCut
        | MockFault::HugeEvent
        | MockFault::InvalidUtf8
        | MockFault::LoneSurrogate
        | MockFault::Silence => (Ends::Refused, Ends::Torn),
    }
}

#[track_caller]
fn check(reply: &Reply, ends: Ends, streamed: bool, what: &str) {
    assert_eq!(reply.broken, None, "{what}");
    let incident = reply.field("x-request-id").unwrap();
    let is_ours = |error: &Value| {
        let error = &error["error"];
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("server_error"), &json!("upstream_error")),
            "{what}: {error}"
        );
        assert!(error["message"].as_str().unwrap().ends_with(&format!("Incident {incident}.")), "{what}: {error}");
    };
    match ends {
        Ends::Refused => {
            assert_eq!(reply.status, 502, "{what}: {}", reply.text());
            assert!(reply.field("x-should-retry").is_some(), "{what}");
            is_ours(&reply.json());
        }
        Ends::Torn => {
            assert_eq!(reply.status, 200, "{what}");
            let (chunks, done) = reply.chunks();
            assert!(!done, "{what}: {}", reply.text());
            is_ours(chunks.last().unwrap());
            assert!(TEXT.starts_with(&said(&chunks, 0, "/delta/content")), "{what}");
            assert!(finish_reasons(&chunks, 0).is_empty(), "{what}");
        }
        Ends::Well if streamed => {
            assert_eq!(reply.status, 200, "{what}");
            let (chunks, _) = reply.chunks();
            assert_eq!(said(&chunks, 0, "/delta/content"), TEXT, "{what}");
            assert_eq!(finish_reasons(&chunks, 0), ["stop"], "{what}");
        }
        Ends::Well => {
            assert_eq!(reply.status, 200, "{what}: {}", reply.text());
            assert_eq!(reply.json()["choices"][0]["message"]["content"], TEXT, "{what}");
        }
    }
    for mark in ["this is no JSON", "elsewhere", "\u{fffd}", "\u{feff}", "\\ud800", "\"first\"", "aaaaaaaaaa"] {
        assert!(!reply.text().contains(mark), "{what}: {mark}");
    }
    for name in
        ["set-cookie", "server", "location", "x-listed", "x-late", "x-huge-0", "content-encoding", "x-portcullis-mock"]
    {
        assert!(!reply.headers.contains_key(name), "{what}: {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_provider_ends_as_it_should() {
    let mock = mock().await;
    let appliance = impatient(Settings::for_upstream(mock.addr())).start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    let mut failures = 0;
    for fault in MockFault::ALL {
        let (plain, streamed) = expected(fault);
        for (ends, stream) in [(plain, false), (streamed, true)] {
            let reply = client.post(&url, asked(Some(fault), stream)).await;
            check(&reply, ends, stream, &format!("{fault}, stream {stream}"));
            failures += usize::from(ends != Ends::Well);
        }
    }
    // One fault costs one exchange: the next one goes well on what is left of the pool.
    check(&client.post(&url, asked(None, true)).await, Ends::Well, true, "after all faults");
    let all = 2 * MockFault::ALL.len() + 1;
    assert_eq!(mock.requests(), u64::try_from(all).unwrap(), "nothing is tried twice, no redirect is followed");
    assert!(mock.seen().iter().all(|seen| seen.path == "/v1/chat/completions"));
    let rows = appliance
        .record_when("all ends", |rows| rows.len() == all && rows.iter().all(|row| row["outcome"].is_string()));
    let failed: Vec<&Value> = rows.iter().filter(|row| row["outcome"] == "failed").collect();
    assert_eq!(failed.len(), failures);
    assert!(failed.iter().all(|row| row["fault_blame"] == "provider" && row["fault_detail"].is_string()), "{failed:?}");
    assert!(rows.iter().all(|row| row["request_action"] == "allow" && row["provider"] == "up"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_providers_error_passes_inspected_or_becomes_ours() {
    let (mock, upstream) = (mock().await, Upstream::start().await);
    let providers = format!(
        "  - {{ name: m, base_url: 'http://{}/v1', auth: none, models: [demo] }}\n  - {{ name: u, base_url: 'http://{}/v1', auth: none, models: ['*'] }}",
        mock.addr(),
        upstream.address
    );
    let statuses = [400, 401, 403, 404, 409, 422, 429, 500, 503, 529];
    let passing = impatient(Settings::new(&providers)).start();
    let client = Client::http1();
    let url = passing.url("/v1/chat/completions");
    for status in statuses {
        for stream in [false, true] {
            let reply = client.post(&url, asked(Some(MockFault::Status(status)), stream)).await;
            assert_eq!(reply.status, status);
            assert_eq!(reply.json()["error"]["message"], format!("The mock was asked for status {status}."));
        }
    }
    // Its body is inspected like any other.
    let ask = |model: &str, stream: bool| {
        json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "Hello." }] }).to_string()
    };
    let key = format!("AK{}", "IAN2TAREALKEYJUSTA");
    upstream.script(
        "secret",
        Script::json(401, json!({ "error": { "message": format!("Wrong key {key}."), "x": [key] } }).to_string()),
    );
    let reply = client.post(&url, ask("secret", false)).await;
    assert_eq!(
        (reply.status.as_u16(), reply.text()),
        (401, "{\"error\":{\"message\":\"Wrong key [AWS access key].\",\"x\":[\"[AWS access key]\"]}}")
    );
    let leak = "Here is my system prompt: You are ChatGPT, a large language model trained by OpenAI.";
    upstream.script("leak", Script::json(400, json!({ "error": { "message": leak } }).to_string()));
    upstream
        .script("html", Script { headers: vec![("content-type", "text/html")], ..Script::json(500, "<h1>Hello</h1>") });
    upstream.script("text", Script::json(500, "Internal Server Error"));
    for model in ["leak", "html", "text"] {
        check(&client.post(&url, ask(model, true)).await, Ends::Refused, true, model);
    }
    // An error inside a stream.
    let chunk = json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{ "index": 0, "delta": { "content": "A plain answer." } }] });
    let error = json!({ "error": { "message": "Out of credit.", "type": "billing", "code": 7 } });
    let pieces = [chunk, error].map(|event| format!("data: {event}\n\n").into());
    upstream.script("inside", Script::events(pieces.into()));
    let reply = client.post(&url, ask("inside", true)).await;
    assert!(reply.text().contains("Out of credit."), "{}", reply.text());
    assert_eq!(reply.text().matches("\"error\"").count(), 1, "one error is enough: {}", reply.text());
    drop(passing);

    let blocking = impatient(Settings::new(&providers)).with("upstream_error: pass", "upstream_error: block").start();
    let url = blocking.url("/v1/chat/completions");
    for status in statuses {
        let reply = client.post(&url, asked(Some(MockFault::Status(status)), false)).await;
        check(&reply, Ends::Refused, false, &format!("status {status}"));
        assert!(!reply.text().contains("The mock"), "{}", reply.text());
    }
    let reply = client.post(&url, ask("inside", true)).await;
    check(&reply, Ends::Torn, true, "an error inside a stream");
    assert!(!reply.text().contains("Out of credit."), "{}", reply.text());
    let rows = blocking.record_when("all ends", |rows| {
        rows.len() == statuses.len() + 1 && rows.iter().all(|row| row["outcome"].is_string())
    });
    assert!(rows.iter().all(|row| row["outcome"] == "failed" && row["fault_cause"] == "upstream"), "{rows:?}");
    assert!(rows[1..].iter().zip(statuses.iter().rev()).all(|(row, status)| row["upstream_status"] == *status));

    // A provider that is not there.
    let address = mock.addr();
    mock.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let reply = client.post(&url, asked(None, false)).await;
    check(&reply, Ends::Refused, false, "nobody listens");
    assert_eq!(reply.field("x-should-retry"), Some("true"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_cannot_be_parsed_passes_only_by_policy() {
    let mock = mock().await;
    let appliance =
        impatient(Settings::for_upstream(mock.addr())).with("unparsable: block", "unparsable: pass").start();
    let (client, url) = (Client::http1(), appliance.url("/v1/chat/completions"));
    let reply = client.post(&url, asked(Some(MockFault::Garbage), false)).await;
    assert_eq!((reply.status.as_u16(), reply.text()), (200, "{\"choices\": [this is no JSON"));
    assert_eq!(appliance.counter("portcullis_waivers_total{kind=\"unparsable\"}"), 1);
    assert_eq!(appliance.counter("portcullis_faults_total{cause=\"unparsable\",action=\"pass\"}"), 1);
    // The waiver is for replies; what a client sends is refused whatever the policy says.
    let reply = client.post(&url, "{\"model\":\"demo\",\"messages\":[],\"messages\":[]}").await;
    assert_eq!((reply.status.as_u16(), reply.code().as_deref()), (400, Some("invalid_body")));
    let rows =
        appliance.record_when("both", |rows| rows.len() == 2 && rows.iter().all(|row| row["outcome"].is_string()));
    assert_eq!(rows[1]["fault_cause"], Value::Null);
    assert_eq!(mock.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_in_place_of_a_plain_reply_is_an_error_whatever_its_status() {
    let upstream = Upstream::start().await;
    upstream.script("m", Script::json(200, r#"{"error":{"message":"Out of credit."}}"#));
    let ask = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello." }] }).to_string();
    let settings = || impatient(Settings::for_upstream(upstream.address));
    let blocking = settings().with("upstream_error: pass", "upstream_error: block").start();
    let client = Client::http1();
    let reply = client.post(&blocking.url("/v1/chat/completions"), ask.clone()).await;
    assert_eq!(reply.status, 502);
    assert!(!reply.text().contains("credit"), "{}", reply.text());
    let passing = settings().start();
    let reply = client.post(&passing.url("/v1/chat/completions"), ask).await;
    assert!(reply.status == 200 && reply.text().contains("Out of credit."), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_reply_has_no_more_time_than_its_exchange() {
    let upstream = Upstream::start().await;
    let mut script = Script::json(200, r#"{"choices":"#);
    // The last piece never comes, and the provider's silence would be borne for a minute.
    script.pieces.push("[]}".into());
    script.gate = Some(std::sync::Arc::default());
    upstream.script("m", script);
    let settings = Settings::for_upstream(upstream.address).rules_only().limit("exchange_ms", 400);
    let appliance = settings.limit("silence_ms", 60_000).start();
    let ask = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello." }] }).to_string();
    let reply = Client::http1().post(&appliance.url("/v1/chat/completions"), ask).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_deref()), (504, Some("upstream_timeout")));
}

/// The record does not wait for a client that reads nothing, and the client still hears in the end why there is no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_keeps_no_exchange() {
    let upstream = Upstream::start().await;
    let delta = json!({ "content": "a plain word ".repeat(4000) });
    let frame = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
    let mut pieces = vec![Bytes::from(format!("data: {frame}\n\n")); 200];
    pieces.push("data: [DONE]\n\n".into());
    upstream.script("m", Script::events(pieces));
    let settings = Settings::for_upstream(upstream.address).rules_only().limit("exchange_ms", 3_000);
    let appliance = settings.limit("reply_bytes", 64 * 1024 * 1024).start();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(appliance.data()).await.unwrap();
    let ask = stream("Hello.").to_string().replace("demo", "m");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json";
    let length = ask.len();
    let request = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{ask}");
    client.write_all(request.as_bytes()).await.unwrap();
    let rows =
        appliance.record_when("the end of the exchange", |rows| rows.iter().any(|row| row["outcome"] == "failed"));
    assert_eq!(rows[0]["reply_bytes"].as_u64().map(|bytes| bytes < 200 * 52_000), Some(true), "{rows:?}");
    let mut reply = String::new();
    client.read_to_string(&mut reply).await.unwrap();
    assert!(reply.contains("upstream_timeout") && !reply.contains("[DONE]"), "{}", &reply[reply.len() - 500..]);
}
