//! A site whose rule masks tokens with a name of the policy's own, and a provider that repeats what it was sent.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::support::appliance::{Appliance, Settings};
use crate::support::http::{Client, Reply, until};

/// What the rule finds.
pub const TOKEN: &str = "token-qwertyui";

/// One rule file, whose mask is `[name]`.
pub fn rules(name: &str) -> String {
    format!(
        "family: secrets\nrules:\n  - id: SEC-900\n    title: A token of the test\n    severity: high\n    \
         tags: [owasp:LLM02:2025]\n    applies: {{ direction: both }}\n    patterns:\n      \
         - regex: '\\btoken-[a-z]{{8}}\\b'\n    action: redact\n    mask: '[{name}]'\n    examples:\n      match:\n        \
         - {{ text: 'It is token-abcdefgh.', found: token-abcdefgh }}\n        - 'token-zzzzzzzz'\n      pass:\n        \
         - token-abc\n        - Tokens cost money.\n"
    )
}

/// An appliance with its own rules folder.
pub struct Site {
    pub appliance: Appliance,
    pub client: Client,
}

impl Site {
    /// Prepared with the first policy, not started. Files are taken for quiet as soon as they rest for a moment.
    pub fn new(upstream: SocketAddr, watch: bool) -> Self {
        Self::limited(upstream, watch, &[])
    }

    /// As [`Self::new`], with further limits.
    pub fn limited(upstream: SocketAddr, watch: bool, limits: &[(&str, u64)]) -> Self {
        let own = format!("folders: ['{}/rules']", env!("CARGO_MANIFEST_DIR"));
        let settings = Settings::for_upstream(upstream)
            .rules_only()
            .with(&own, "folders: [rules]")
            .with("watch: true", &format!("watch: {watch}"))
            .limit("watch_quiet_ms", 10)
            .limit("watch_busy_ms", 200)
            .limit("watch_poll_ms", 500);
        let settings = limits.iter().fold(settings, |settings, (name, value)| settings.limit(name, *value));
        let site = Self { appliance: settings.prepare(), client: Client::http1() };
        fs::create_dir_all(site.folder().join("secrets")).unwrap();
        site.write("P0");
        site
    }

    pub fn folder(&self) -> PathBuf {
        self.appliance.folder().join("rules")
    }

    pub fn config(&self) -> PathBuf {
        self.appliance.folder().join("portcullis.yaml")
    }

    /// Writes the policy's rules, as editors do: beside, then by rename.
    pub fn write(&self, name: &str) {
        self.write_text(&rules(name));
    }

    pub fn write_text(&self, text: &str) {
        fs::write(self.folder().join("secrets/.site.yaml.new"), text).unwrap();
        fs::rename(self.folder().join("secrets/.site.yaml.new"), self.folder().join("secrets/site.yaml")).unwrap();
    }

    /// Changes the configuration, which must have `from`.
    pub fn configure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.config(), text.replacen(from, to, 1)).unwrap();
    }

    /// The mask that a request meets now.
    pub async fn mask(&self) -> String {
        let reply = ask(&self.client, &self.appliance.url("/v1/chat/completions"), false).await;
        masks(&reply).expect("one mask")
    }

    pub async fn admin(&self, method: Method, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.appliance.token());
        let url = self.appliance.admin_url(path);
        self.client.send(method, &url, &[("authorization", &bearer)], body.to_owned()).await
    }

    pub async fn policy(&self) -> Value {
        self.admin(Method::GET, "/api/v1/policy", "").await.json()
    }

    pub async fn version(&self) -> String {
        self.policy().await["in_force"]["version"].as_str().unwrap().to_owned()
    }

    pub async fn reload(&self) -> Reply {
        self.admin(Method::POST, "/api/v1/policy/reload", "").await
    }

    pub async fn rollback(&self) -> Reply {
        self.admin(Method::POST, "/api/v1/policy/rollback", "").await
    }

    /// Waits until the policy says so.
    pub async fn until(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..6000 {
            let policy = self.policy().await;
            if done(&policy) {
                return policy;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        until(what, || false).await;
        unreachable!()
    }
}

/// Sends a prompt with a token in it.
pub async fn ask(client: &Client, url: &str, stream: bool) -> Reply {
    let content = format!("My {TOKEN} is here.");
    let body = json!({ "model": "any", "stream": stream, "messages": [{ "role": "user", "content": content }] });
    client.post(url, body.to_string()).await
}

/// The one mask of a reply that holds what the provider saw and what it added; an error says what else is there.
pub fn masks(reply: &Reply) -> Result<String, String> {
    let text = if reply.field("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
        let (chunks, done) = reply.chunks();
        if !done {
            return Err(format!("the stream broke off: {}", reply.text()));
        }
        crate::support::http::said(&chunks, 0, "/delta/content")
    } else {
        reply.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    };
    if reply.status != 200 || reply.broken.is_some() {
        return Err(format!("{} {:?}: {}", reply.status, reply.broken, reply.text()));
    }
    let found: Vec<&str> = text.split('[').skip(1).filter_map(|rest| rest.split(']').next()).collect();
    let expected = |mask: &str| format!("seen: My [{mask}] is here. own: [{mask}] and [{mask}].");
    match found.first() {
        Some(mask) if text == expected(mask) => Ok((*mask).to_owned()),
        _ => Err(format!("no policy says this: {text}")),
    }
}

/// A provider that repeats what it saw and adds two tokens; streams stop at `gate` before the second.
pub async fn echo(gate: Option<Arc<Semaphore>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let _ = connection.set_nodelay(true);
            let gate = gate.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, gate.clone()));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
            });
        }
    });
    address
}

async fn answer(
    request: Request<Incoming>,
    gate: Option<Arc<Semaphore>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let asked: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes()).unwrap();
    let seen = asked["messages"][0]["content"].as_str().unwrap().to_owned();
    let text = format!("seen: {seen} own: {TOKEN} and {TOKEN}.");
    if asked["stream"] != true {
        let message = json!({ "role": "assistant", "content": text });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
        let body = json!({ "id": "x", "object": "chat.completion", "created": 1, "model": "any", "choices": choices });
        let body = Full::new(Bytes::from(body.to_string())).boxed();
        return Ok(Response::builder().header("content-type", "application/json").body(body).unwrap());
    }
    // Cut inside both tokens.
    let cut = [text.find("own: tok").unwrap() + 7, text.rfind("erty").unwrap()];
    let pieces =
        [&text[..cut[0]], &text[cut[0]..cut[1]], &text[cut[1]..]].map(|piece| chunk(json!({ "content": piece }), None));
    let end = [chunk(json!({}), Some("stop")), Bytes::from_static(b"data: [DONE]\n\n")];
    let pieces = pieces.into_iter().chain(end).enumerate();
    let frames = stream::unfold((pieces, gate), |(mut pieces, gate)| async move {
        let (number, piece) = pieces.next()?;
        match &gate {
            Some(gate) if number == 2 => gate.acquire().await.unwrap().forget(),
            Some(_) => {}
            // Long enough for a reload to land between two pieces of a reply.
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
        Some((Ok::<_, Infallible>(Frame::data(piece)), (pieces, gate)))
    });
    let body = BodyExt::boxed(StreamBody::new(frames));
    Ok(Response::builder().header("content-type", "text/event-stream").body(body).unwrap())
}

fn chunk(delta: Value, finish: Option<&str>) -> Bytes {
    let choices = json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    let chunk =
        json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "any", "choices": choices });
    Bytes::from(format!("data: {chunk}\n\n"))
}
