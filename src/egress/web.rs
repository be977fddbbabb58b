//! Requests to servers of others: one pool of connections, time and size bounded, no redirects.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::connect::Connector;
use super::guard::Reach;

/// Asks servers of the web.
pub struct Web {
    pool: Client<Connector, Full<Bytes>>,
}

/// What a server said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The body; empty when it is longer than was asked for, or breaks off: the status is known.
    pub body: Bytes,
}

/// Why there is no answer: a sentence for the log, without what was sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct WebError(String);

impl Web {
    /// A client with an empty pool; nothing is connected yet.
    ///
    /// # Errors
    /// A sentence when `extra_roots` (PEM) cannot be used.
    pub fn new(extra_roots: &[u8], reach: Reach) -> Result<Self, String> {
        let connector = Connector::new(extra_roots, reach, CONNECT)?;
        let pool = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { pool })
    }

    /// Sends a request and reads the answer, up to so many bytes of its body.
    ///
    /// # Errors
    /// No connection, or no answer within [`ANSWER`].
    pub async fn ask(&self, request: Request<Bytes>, limit: usize) -> Result<Answer, WebError> {
        let late = |_| WebError(format!("no answer within {} s", ANSWER.as_secs()));
        let asked = async {
            let response = self.pool.request(request.map(Full::new)).await.map_err(|error| WebError(chain(&error)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, limit).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Ok(Answer { status: head.status, retry_after: seconds.map(Duration::from_secs), body })
        };
        timeout(ANSWER, asked).await.map_err(late)?
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
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
/// Idle time after which a pooled connection is closed.
const POOL_IDLE: Duration = Duration::from_secs(30);
