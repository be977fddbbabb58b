//! A provider's reply: its head by allow-list, its body in chunks, decoded and bounded.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::client::oversize;
use super::coding::{Coding, CodingError, Decoder};
use super::head::reply_fields;
use super::media::Media;
use super::target::Provider;
use crate::base::{Fault, Limits};
use crate::egress::chain;

/// The head of a reply, and its body yet to come.
#[derive(Debug)]
pub struct ProviderReply {
    /// The status: never 1xx or 3xx.
    pub status: StatusCode,
    /// What the body is; `None` for a type that cannot be inspected.
    pub media: Option<Media>,
    /// The fields that the client may see ([`super::head`]). `Content-Type` is not among them: the writer sets its own.
    pub headers: HeaderMap,
    /// The body.
    pub body: ProviderBody,
}

impl ProviderReply {
    pub(super) fn new(provider: &Provider, response: Response<Incoming>, limits: &Limits) -> Result<Self, Fault> {
        let name = provider.name();
        let (head, incoming) = response.into_parts();
        if head.status.is_redirection() {
            return Err(Fault::provider(format!(
                "{name}: answered {} (a redirect); redirects are never followed, correct the provider's base_url",
                head.status.as_u16()
            )));
        }
        if head.status.is_informational() || head.status.as_u16() > 599 {
            return Err(Fault::provider(format!("{name}: answered status {}", head.status.as_u16())));
        }
        let coding =
            Coding::of(&head.headers).map_err(|error| Fault::provider(format!("{name}: reply: {}", error.detail())))?;
        Ok(Self {
            status: head.status,
            media: Media::of(&head.headers).ok(),
            headers: reply_fields(&head.headers, provider.passes_auth()),
            body: ProviderBody {
                name: name.to_owned(),
                incoming,
                decoder: Some(Decoder::new(coding, limits.stream_bytes)),
                pending: Bytes::new(),
                silence: Duration::from_millis(limits.silence_ms),
                waiting_since: None,
            },
        })
    }
}

/// A reply's body as it comes. Not inspected yet: nothing here may be written to a client.
#[derive(Debug)]
pub struct ProviderBody {
    name: String,
    incoming: Incoming,
    /// `None` once the body has ended, well or badly.
    decoder: Option<Decoder>,
    pending: Bytes,
    silence: Duration,
    /// Since when the provider owes a frame; kept when a caller stops waiting and starts again.
    waiting_since: Option<Instant>,
}

impl ProviderBody {
    /// The next piece of content, never empty; `None` at the end. Trailers are dropped. After an error there is no more.
    ///
    /// The future may be dropped and asked for again: no byte is lost, and the provider's silence goes on counting.
    pub async fn next_chunk(&mut self) -> Option<Result<Bytes, Fault>> {
        loop {
            let decoder = self.decoder.as_mut()?;
            if !self.pending.is_empty() {
                let step =
                    if decoder.is_identity() { self.pending.len() } else { self.pending.len().min(INFLATE_STEP) };
                match decoder.feed(self.pending.split_to(step)) {
                    Ok(chunk) if chunk.is_empty() => continue,
                    Ok(chunk) => return Some(Ok(chunk)),
                    Err(error) => return Some(Err(self.broken(&error))),
                }
            }
            let since = *self.waiting_since.get_or_insert_with(Instant::now);
            let framed = timeout(self.silence.saturating_sub(since.elapsed()), self.incoming.frame()).await;
            self.waiting_since = None;
            match framed {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.pending = data;
                    }
                }
                Ok(Some(Err(error))) => {
                    self.decoder = None;
                    return Some(Err(Fault::provider(format!(
                        "{}: the reply broke off: {}",
                        self.name,
                        chain(&error)
                    ))));
                }
                Ok(None) => {
                    let rest = self.decoder.take()?.finish();
                    return match rest {
                        Ok(rest) if rest.is_empty() => None,
                        Ok(rest) => Some(Ok(rest)),
                        Err(error) => Some(Err(self.broken(&error))),
                    };
                }
                Err(_) => {
                    self.decoder = None;
                    let silence = self.silence.as_millis();
                    return Some(Err(Fault::provider(format!(
                        "{}: silent for {silence} ms inside a reply",
                        self.name
                    ))));
                }
            }
        }
    }

    /// The whole body, at most `limit` bytes of content.
    ///
    /// # Errors
    /// The provider's: `oversize` over the limit, else as [`ProviderBody::next_chunk`].
    pub async fn read_all(mut self, limit: usize) -> Result<Bytes, Fault> {
        let Some(first) = self.next_chunk().await.transpose()? else { return Ok(Bytes::new()) };
        let too_long = |name: &str| oversize(name, &format!("the reply is longer than the limit of {limit} bytes"));
        if first.len() > limit {
            return Err(too_long(&self.name));
        }
        let mut whole: Option<BytesMut> = None;
        while let Some(chunk) = self.next_chunk().await.transpose()? {
            let whole = whole.get_or_insert_with(|| BytesMut::from(first.as_ref()));
            if whole.len().saturating_add(chunk.len()) > limit {
                return Err(too_long(&self.name));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.map_or(first, BytesMut::freeze))
    }

    fn broken(&mut self, error: &CodingError) -> Fault {
        self.decoder = None;
        let detail = format!("the reply {}", error.detail());
        match error {
            CodingError::Oversize(_) => oversize(&self.name, &detail),
            CodingError::Corrupt(_) | CodingError::Unsupported(_) => {
                Fault::provider(format!("{}: {detail}", self.name))
            }
        }
    }
}

/// Compressed bytes given to the decoder at once; at deflate's best ratio (1032:1) some 4 MB of content.
const INFLATE_STEP: usize = 4096;
