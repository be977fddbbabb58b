//! Errors in the dialect's shape: what a client sees of each fault, in one table, and of a block.
//!
//! The official clients retry 408, 409, 429 and every status from 500 up, unless the reply says `x-should-retry: false`;
//! [`PublicError::retry`] is what that header must say. A block is 400: a plain, typed error that nobody retries.

use std::fmt::Write;

use bytes::Bytes;

use crate::base::{Blame, Cause, ExchangeId, Fault, Limits};
use crate::inspect::{Edit, Encode, Opaque, Subject};
use crate::protocol::json::{Document, Kind, Value, quote, splice};
use crate::text::{Passage, Role};

use super::edits::replacements;
use super::lift::{Lift, Lifted};
use super::provider_fault;

/// What a client sees of an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicError {
    /// The HTTP status.
    pub status: u16,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.code`.
    pub code: &'static str,
    /// `error.message`.
    pub message: String,
    /// Whether a client may send the same again: the value of `x-should-retry`.
    pub retry: bool,
}

impl PublicError {
    /// What the client sees of a fault. Its detail is shown only when the fault is the client's own.
    pub fn of(fault: &Fault) -> Self {
        let row = row(fault.cause, fault.blame);
        let message = match fault.blame {
            Blame::Client if !fault.detail.is_empty() => fault.detail.clone(),
            _ => row.message.to_owned(),
        };
        Self { status: row.status, kind: row.kind, code: row.code, message, retry: row.retry }
    }

    /// What the client sees of a block: always the same, whatever fired, but for the message that a rule's author wrote.
    pub fn blocked(message: Option<&str>) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code: "content_filter",
            message: message.unwrap_or("The request was blocked by the content policy.").to_owned(),
            retry: false,
        }
    }

    /// The reply body.
    pub fn body(&self, incident: ExchangeId) -> Bytes {
        body(self.kind, &self.message, self.code, incident)
    }
}

/// An error body in the dialect's shape. The incident stands at the end of the message.
pub fn body(kind: &str, message: &str, code: &str, incident: ExchangeId) -> Bytes {
    let mut text = message.trim_end().to_owned();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    // Writing to a String cannot fail.
    let _ = write!(text, " Incident {incident}.");
    let mut out = String::with_capacity(text.len() + 128);
    out.push_str("{\"error\":{\"message\":");
    quote(&text, &mut out);
    out.push_str(",\"type\":");
    quote(kind, &mut out);
    out.push_str(",\"param\":null,\"code\":");
    quote(code, &mut out);
    out.push_str("}}");
    Bytes::from(out)
}

struct Row {
    status: u16,
    kind: &'static str,
    code: &'static str,
    retry: bool,
    message: &'static str,
}

/// The table. Statuses from 500 up are retried only where a second try can help.
fn row(cause: Cause, blame: Blame) -> Row {
    const INVALID: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    let row = |status, kind, code, retry, message| Row { status, kind, code, retry, message };
    match (cause, blame) {
        (Cause::Oversize | Cause::Opaque | Cause::Unparsable | Cause::UnsupportedMedia, Blame::Provider)
        | (Cause::Upstream, _) => {
            let message = "The provider could not be reached or sent a reply that cannot be used.";
            row(502, SERVER, "upstream_error", cause == Cause::Upstream, message)
        }
        (Cause::Timeout, Blame::Client) => {
            row(408, INVALID, "request_timeout", true, "The request took too long to arrive.")
        }
        (Cause::Timeout, Blame::Provider) => {
            row(504, SERVER, "upstream_timeout", true, "The provider did not answer in time.")
        }
        (Cause::Timeout, Blame::Ours) => {
            row(503, SERVER, "inspection_timeout", true, "Inspection did not finish in time.")
        }
        (Cause::AuditFull, _) => {
            row(503, SERVER, "audit_unavailable", true, "The service cannot record requests at present.")
        }
        (Cause::Internal, _) => row(500, SERVER, "internal_error", false, "Internal error."),
        (Cause::ModelMissing, _) => row(503, SERVER, "inspection_unavailable", false, "Inspection is not available."),
        (Cause::NoRoute, _) => row(404, INVALID, "unknown_url", false, "There is no such route or method."),
        (Cause::NoSuchModel, _) => row(404, INVALID, "model_not_found", false, "The model does not exist."),
        (Cause::Opaque, _) => {
            row(400, INVALID, "unsupported_content", false, "The request holds content that cannot be inspected.")
        }
        (Cause::Overload, _) => row(503, SERVER, "overloaded", true, "The service is overloaded; try again later."),
        (Cause::Oversize, _) => row(413, INVALID, "request_too_large", false, "The request is too large."),
        (Cause::Throttled, _) => {
            row(429, "rate_limit_error", "rate_limit_exceeded", true, "Too many requests; try again later.")
        }
        (Cause::Unauthorized, _) => {
            row(401, "authentication_error", "invalid_api_key", false, "The API key is missing or wrong.")
        }
        (Cause::Unjudged, _) => row(
            400,
            INVALID,
            "context_too_large_to_inspect",
            false,
            "The request holds more text than can be inspected.",
        ),
        (Cause::Unparsable, _) => row(400, INVALID, "invalid_body", false, "The body cannot be parsed."),
        (Cause::UnsupportedMedia, _) => {
            row(415, INVALID, "unsupported_media_type", false, "The content type or encoding is not supported.")
        }
    }
}

/// A provider's error body: any JSON, all its strings lifted.
#[derive(Debug)]
pub struct ErrorReply {
    document: Document,
    lifted: Lifted,
}

impl ErrorReply {
    /// Reads a body of any shape; what is not strict JSON is the provider's fault.
    pub fn parse(body: Bytes, limits: &Limits) -> Result<Self, Fault> {
        if body.len() > limits.reply_bytes {
            return Err(provider_fault(Cause::Oversize, format!("an error body of {} bytes", body.len())));
        }
        let document =
            Document::parse(body, limits).map_err(|error| provider_fault(error.cause(), error.to_string()))?;
        let mut lift = Lift::new(limits);
        lift.content("", document.root(), Role::Unknown);
        let lifted = lift.finish().map_err(|fault| provider_fault(fault.cause, fault.detail))?;
        Ok(Self { document, lifted })
    }

    /// `error.message`, or what stands in its place (`message`, `detail`, `error` itself).
    pub fn message(&self) -> Option<String> {
        let root = self.document.root();
        let own = error_member(root, "message");
        own.or_else(|| root.get("error").or_else(|| root.get("detail")).and_then(Value::as_str).map(Into::into))
    }

    /// `error.type`.
    pub fn kind(&self) -> Option<String> {
        error_member(self.document.root(), "type")
    }

    /// `error.code`, also where it is a number.
    pub fn code(&self) -> Option<String> {
        error_member(self.document.root(), "code")
    }
}

impl Subject for ErrorReply {
    fn passages(&self) -> &[Passage<'static>] {
        &self.lifted.passages
    }

    fn opaque(&self) -> &[Opaque] {
        &self.lifted.opaque
    }
}

impl Encode for ErrorReply {
    fn encode(&self, edits: &[Edit]) -> Bytes {
        splice(self.document.bytes(), replacements(&self.document, &self.lifted.passages, &self.lifted.slots, edits))
    }
}

/// A member of `error` (or of the root, where there is no such object) as text.
pub(super) fn error_member(root: Value<'_>, key: &str) -> Option<String> {
    let error = root.get("error").filter(|error| error.kind() == Kind::Object).unwrap_or(root);
    let value = error.get(key)?;
    match value.kind() {
        Kind::String => value.as_str().map(Into::into),
        Kind::Number => Some(value.raw().to_owned()),
        _ => None,
    }
}
