//! One provider's client: a pool of connections, and the one function that sends.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::head::OutboundHead;
use super::reply::ProviderReply;
use super::target::Provider;
use crate::base::{Cause, Fault, Limits};
use crate::egress::{Connector, chain};
use crate::inspect::Cleared;

/// Sends to one provider over pooled connections. Cheap to share by reference; dropping it closes the pool.
///
/// Nothing is retried, with one exception that the pool itself makes: a pooled connection that turned out to be closed before
/// a byte of the request was written is replaced.
pub struct ProviderClient {
    provider: Provider,
    pool: Client<Connector, Full<Bytes>>,
    limits: Limits,
}

impl ProviderClient {
    /// A client with an empty pool; nothing is connected yet.
    ///
    /// # Errors
    /// A sentence when the provider's extra certificate authorities cannot be used.
    pub fn new(provider: Provider, limits: &Limits) -> Result<Self, String> {
        let connector =
            Connector::new(provider.extra_roots(), provider.reach(), Duration::from_millis(limits.connect_ms))
                .map_err(|problem| format!("provider {}: extra CA file: {problem}", provider.name()))?;
        let pool = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_CONNECTIONS)
            .http1_max_buf_size(limits.header_bytes.max(HTTP1_BUFFER_MIN))
            .http1_max_headers(limits.header_count)
            .http2_max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(HTTP2_WINDOW)
            .http2_initial_connection_window_size(HTTP2_WINDOW * 4)
            .http2_keep_alive_interval(HTTP2_PING)
            .http2_keep_alive_timeout(HTTP2_PING)
            .build(connector);
        Ok(Self { provider, pool, limits: limits.clone() })
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Sends a cleared body as `POST` to `path` (behind the provider's base, with a leading slash) and waits for the head of
    /// the reply. Dropping the future, or the reply's body, ends the exchange at the provider.
    ///
    /// # Errors
    /// The provider's: no connection, no head within [`Limits::first_byte_ms`], a redirect, a coding that cannot be undone.
    pub async fn send(&self, path: &str, head: &OutboundHead, body: Cleared<Bytes>) -> Result<ProviderReply, Fault> {
        self.exchange(Method::POST, path, head, Some(body)).await
    }

    /// Asks for `path` with `GET` and no body (the list of models).
    ///
    /// # Errors
    /// As [`ProviderClient::send`].
    pub async fn fetch(&self, path: &str, head: &OutboundHead) -> Result<ProviderReply, Fault> {
        self.exchange(Method::GET, path, head, None).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        head: &OutboundHead,
        body: Option<Cleared<Bytes>>,
    ) -> Result<ProviderReply, Fault> {
        let name = self.provider.name();
        let mut headers = head.for_provider(&self.provider);
        // Text that must be inspected is best asked for uncompressed.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let mut request = Request::new(Full::new(body.map(Cleared::into_bytes).unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = self.provider.uri(path)?;
        *request.headers_mut() = headers;
        let answered = timeout(Duration::from_millis(self.limits.first_byte_ms), self.pool.request(request)).await;
        match answered {
            Ok(Ok(response)) => ProviderReply::new(&self.provider, response, &self.limits),
            Ok(Err(error)) if error.is_connect() => {
                Err(Fault::provider(format!("{name}: no connection: {}", chain(&error))))
            }
            Ok(Err(error)) => Err(Fault::provider(format!("{name}: no reply: {}", chain(&error)))),
            Err(_) => Err(Fault::provider(format!("{name}: no reply within {} ms", self.limits.first_byte_ms))),
        }
    }
}

impl fmt::Debug for ProviderClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderClient").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Why a provider's fault is not the same as ours, in one place: replies over a limit.
pub(super) fn oversize(name: &str, detail: &str) -> Fault {
    Fault { cause: Cause::Oversize, ..Fault::provider(format!("{name}: {detail}")) }
}

/// Idle time after which a pooled connection is closed: below the idle times of common servers (60 s and more), so that we
/// are the ones who close.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Idle connections kept per provider.
const POOL_CONNECTIONS: usize = 64;
/// The smallest read buffer that hyper takes.
const HTTP1_BUFFER_MIN: usize = 8192;
/// Bytes that a provider may send ahead on one HTTP/2 stream.
const HTTP2_WINDOW: u32 = 256 * 1024;
/// How often an HTTP/2 connection in use is checked, and how long it has to answer.
const HTTP2_PING: Duration = Duration::from_secs(20);
