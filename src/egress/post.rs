//! Posts to a receiver of ours: a webhook, a collector.

use std::fmt;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Uri};

use super::guard::Reach;
use super::web::{Answer, Web, WebError};

/// Posts to one address.
pub struct Poster {
    uri: Uri,
    headers: HeaderMap,
    web: Web,
}

impl Poster {
    /// A client with an empty pool; nothing is connected yet. `headers` are sent with every request.
    ///
    /// # Errors
    /// A sentence when `extra_roots` (PEM) cannot be used.
    pub fn new(uri: Uri, headers: HeaderMap, extra_roots: &[u8], reach: Reach) -> Result<Self, String> {
        Ok(Self { uri, headers, web: Web::new(extra_roots, reach)? })
    }

    /// Whether what is sent can be read on the way.
    pub fn is_plaintext(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTP)
    }

    /// Posts a body and reads the answer, up to [`ANSWER_BYTES`].
    ///
    /// # Errors
    /// No connection, or no answer in time.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, WebError> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        self.web.ask(request, ANSWER_BYTES).await
    }
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path may hold a token, as Slack's do; the host does not.
        f.debug_struct("Poster").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

/// Bytes of a receiver's answer that are read.
pub const ANSWER_BYTES: usize = 64 * 1024;
