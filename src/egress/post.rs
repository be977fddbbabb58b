//! Plain requests to receivers of ours: a webhook, a collector. One address, a pool of connections, no redirects.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::connect::Connector;
use super::guard::Reach;

/// Posts to one address.
pub struct Poster {
    uri: Uri,
    headers: HeaderMap,
    pool: Client<Connector, Full<Bytes>>,
}

/// What a receiver said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The body, up to [`ANSWER_BYTES`].
    pub body: Bytes,
}

/// Why there is no answer: a sentence for the log, without what was sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PostError(String);

impl Poster {
    /// A client with an empty pool; nothing is connected yet. `headers` are sent with every request.
    ///
    /// # Errors
    /// A sentence when `extra_roots` (PEM) cannot be used.
    pub fn new(uri: Uri, headers: HeaderMap, extra_roots: &[u8], reach: Reach) -> Result<Self, String> {
        let connector = Connector::new(extra_roots, reach, CONNECT)?;
        let pool = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { uri, headers, pool })
    }

    /// Whether what is sent can be read on the way.
    pub fn is_plaintext(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTP)
    }

    /// Posts a body and reads the answer.
    ///
    /// # Errors
    /// No connection, no answer within [`ANSWER`], or an answer that breaks off.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, PostError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        let late = |_| PostError(format!("no answer within {} s", ANSWER.as_secs()));
        let asked = async {
            let response = self.pool.request(request).await.map_err(|error| PostError(chain(&error)))?;
            let (head, body) = response.into_parts();
            // What it says beyond that is of no use, and the status is known.
            let body = Limited::new(body, ANSWER_BYTES).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Ok(Answer { status: head.status, retry_after: seconds.map(Duration::from_secs), body })
        };
        timeout(ANSWER, asked).await.map_err(late)?
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path may hold a token, as Slack's do; the host does not.
        f.debug_struct("Poster").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

/// An error with its reasons, for the log: bounded, on one line. Errors of hyper, rustls and the system name no field values
/// and no body bytes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let reason = source.to_string();
        if !text.ends_with(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        next = source.source();
    }
    text.chars().take(ERROR_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Characters of an error chain that are logged.
const ERROR_CHARS: usize = 400;
/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for the whole of a request and its answer.
pub const ANSWER: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
pub const ANSWER_BYTES: usize = 64 * 1024;
/// Idle time after which a pooled connection is closed.
const POOL_IDLE: Duration = Duration::from_secs(30);
