//! Faults and verdicts become replies, in this one place. The client learns little, the log learns all.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::base::{ExchangeId, Fault};
use crate::protocol::openai::error::PublicError;
use crate::proxy::body::ReplyBody;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// The reply to a fault.
pub(super) fn fault(id: ExchangeId, fault: &Fault) -> Response<ReplyBody> {
    public(id, &PublicError::of(fault))
}

/// The reply to a request that the policy blocks: always the same, whatever fired, but for what a rule has to say.
pub(super) fn blocked(id: ExchangeId, message: Option<&str>) -> Response<ReplyBody> {
    public(id, &PublicError::blocked(message))
}

/// Tells the client when to try again, in whole seconds, rounded up.
pub(super) fn retry_after(response: &mut Response<ReplyBody>, wait: Duration) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
}

fn public(id: ExchangeId, error: &PublicError) -> Response<ReplyBody> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(id, status, ReplyBody::ours(error.body(id)));
    // Official clients retry by status; this header (theirs) has the last word.
    let retry = if error.retry { "true" } else { "false" };
    response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static(retry));
    response
}

/// A JSON reply.
pub(super) fn json(id: ExchangeId, status: StatusCode, body: ReplyBody) -> Response<ReplyBody> {
    with_type(id, status, body, JSON)
}

/// A reply in server-sent events.
pub(super) fn event_stream(id: ExchangeId, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = with_type(id, StatusCode::OK, body, EVENT_STREAM);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Adds the fields of the provider's reply that may pass; ours stand.
pub(super) fn add_headers(response: &mut Response<ReplyBody>, from: HeaderMap) {
    for (name, value) in from {
        if let Some(name) = name
            && !response.headers().contains_key(&name)
        {
            response.headers_mut().insert(name, value);
        }
    }
}

fn with_type(id: ExchangeId, status: StatusCode, body: ReplyBody, content_type: HeaderValue) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
