//! Limits on a request's head that hyper does not keep for both versions, and our own words for what is refused.

use http::header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Version};

use crate::base::Limits;
use crate::proxy::ReplyBody;

/// Refuses a head that is over a limit or that names its host other than once. On HTTP/1.1 hyper has refused what is too
/// large already (431); on HTTP/2 it bounds the size of the header list, but not the number of fields.
pub(super) fn refuse_head<B>(request: &Request<B>, limits: &Limits) -> Option<Response<ReplyBody>> {
    let count = request.headers().len();
    if count > limits.header_count {
        let message = format!("The request has {count} header fields; the limit is {}.", limits.header_count);
        return Some(refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "header_fields_too_large", &message));
    }
    // RFC 9112, 3.2: a request of HTTP/1.1 with no Host field, or with two, is answered 400.
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        let message = format!("The request has {hosts} Host fields; send one.");
        return Some(refusal(StatusCode::BAD_REQUEST, "bad_host", &message));
    }
    None
}

/// The reply to a request whose handler panicked.
pub(super) fn internal_error() -> Response<ReplyBody> {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error.")
}

/// True when the connection must end with this request: a chunked HTTP/1.1 body, whose end only hyper knows, so that the head
/// that follows could not be checked ([`super::strict`]).
pub(super) fn must_close(head: &Parts) -> bool {
    head.version < Version::HTTP_2 && head.headers.contains_key(TRANSFER_ENCODING)
}

/// Ends the connection with this reply.
pub(super) fn close(response: &mut Response<ReplyBody>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response<ReplyBody> {
    let body = serde_json::json!({
        "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code }
    });
    let mut response = Response::new(ReplyBody::ours(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
