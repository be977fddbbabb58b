//! A small HTTP client for tests: HTTP/1.1 or HTTP/2 without TLS, bodies frame by frame, and server-sent events read
//! without any code of the product.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::appliance::PATIENCE;

/// A client with a pool of connections.
#[derive(Clone)]
pub struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

/// A whole reply.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body broke off: why.
    pub broken: Option<String>,
}

impl Client {
    /// Speaks HTTP/1.1.
    pub fn http1() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    /// Speaks HTTP/2 by prior knowledge.
    pub fn http2() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    /// Sends a request and waits for its head.
    pub async fn open(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<http::Response<hyper::body::Incoming>, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let sent = tokio::time::timeout(PATIENCE, self.0.request(request));
        sent.await.map_err(|_| "no reply".to_owned())?.map_err(|error| format!("{error:?}"))
    }

    /// Sends a request and reads the whole reply.
    pub async fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let response = self.open(method, url, headers, body).await.unwrap();
        let (head, mut incoming) = response.into_parts();
        let (mut body, mut broken) = (Vec::new(), None);
        while let Some(frame) = tokio::time::timeout(PATIENCE, incoming.frame()).await.expect("the body goes on") {
            match frame {
                Ok(frame) => body.extend_from_slice(frame.data_ref().map_or(&[][..], AsRef::as_ref)),
                Err(error) => {
                    broken = Some(error.to_string());
                    break;
                }
            }
        }
        Reply { status: head.status, version: head.version, headers: head.headers, body: body.into(), broken }
    }

    /// `GET`.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, url: &str, body: impl Into<Bytes>) -> Reply {
        self.send(Method::POST, url, &[("content-type", "application/json")], body).await
    }
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the reply is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// `error.code`, where there is one.
    pub fn code(&self) -> Option<String> {
        self.json().pointer("/error/code").and_then(Value::as_str).map(str::to_owned)
    }

    /// A header field as text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The data of the server-sent events.
    pub fn events(&self) -> Vec<String> {
        events(self.text())
    }

    /// The chunks of a stream, which must be JSON, and whether `[DONE]` came, which must be last.
    pub fn chunks(&self) -> (Vec<Value>, bool) {
        let mut events = self.events();
        let done = events.last().is_some_and(|last| last == "[DONE]");
        if done {
            events.pop();
        }
        let parse = |event: &String| serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"));
        (events.iter().map(parse).collect(), done)
    }
}

/// The data of server-sent events (WHATWG HTML, 9.2.6), for streams with LF line ends as the appliance writes them.
pub fn events(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    let data = |block: &str| {
        let lines: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        (!lines.is_empty())
            .then(|| lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n"))
    };
    blocks.filter_map(data).collect()
}

/// A chat request with one user message.
pub fn chat(content: &str) -> Value {
    json!({ "model": "demo", "messages": [{ "role": "user", "content": content }] })
}

/// A chat request with one user message, streamed.
pub fn stream(content: &str) -> Value {
    json!({ "model": "demo", "stream": true, "messages": [{ "role": "user", "content": content }] })
}

/// The texts at `pointer` in choice `choice` of these chunks, joined.
pub fn said(chunks: &[Value], choice: u64, pointer: &str) -> String {
    let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().into_iter().flatten());
    let own = choices.filter(|found| found["index"] == choice);
    own.filter_map(|found| found.pointer(pointer).and_then(Value::as_str)).collect()
}

/// Finish reasons of a choice, in order.
pub fn finish_reasons(chunks: &[Value], choice: u64) -> Vec<String> {
    let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().into_iter().flatten());
    let own = choices.filter(|found| found["index"] == choice);
    own.filter_map(|found| found["finish_reason"].as_str().map(str::to_owned)).collect()
}

/// Waits without blocking the runtime until `done`.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
