//! Faults: what went wrong, whose fault it was, and what the written policy does about it.
//!
//! A verdict is a value; a [`Fault`] is an error. Each fault has a [`Cause`]; for the causes that a site must decide
//! about, [`FaultPolicy`] holds the written answer. Nothing here has a default: a policy without an answer does not load.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// Whose fault it was; metrics and retries read this.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The caller sent something wrong.
    Client,
    /// Portcullis or its machine.
    Ours,
    /// The upstream provider.
    Provider,
}

/// What went wrong. One flat list, so that metrics, policy, audit and the client's error are maps over it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The audit spool cannot take another event.
    AuditFull,
    /// A bug or a broken machine; the client learns nothing more.
    Internal,
    /// No route of that name or method.
    NoRoute,
    /// The classifier is absent or failed its self-test.
    ModelMissing,
    /// The model that the client named is served by no configured provider.
    NoSuchModel,
    /// Content that cannot be seen (a file id, an image URL …) and that policy does not waive.
    Opaque,
    /// More work than the queue takes.
    Overload,
    /// A named limit was exceeded.
    Oversize,
    /// A principal that is slowed down asked too soon.
    Throttled,
    /// Inspection did not finish in its time.
    Timeout,
    /// No valid client key.
    Unauthorized,
    /// Text that no judge saw in full (over the model's budget, for example).
    Unjudged,
    /// A body that is not what it says it is, or that two parsers could read differently.
    Unparsable,
    /// A content type or encoding that cannot be inspected.
    UnsupportedMedia,
    /// The provider could not be reached, answered garbage, or broke off.
    Upstream,
}

impl Cause {
    /// The name used in metrics, the audit record and the policy file.
    pub fn name(self) -> &'static str {
        match self {
            Self::AuditFull => "audit_full",
            Self::Internal => "internal",
            Self::NoRoute => "no_route",
            Self::ModelMissing => "model_missing",
            Self::NoSuchModel => "no_such_model",
            Self::Opaque => "opaque",
            Self::Overload => "overload",
            Self::Oversize => "oversize",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Unjudged => "unjudged",
            Self::Unparsable => "unparsable",
            Self::UnsupportedMedia => "unsupported_media",
            Self::Upstream => "upstream",
        }
    }
}

/// An error with its cause, its blame and a sentence for the log.
#[derive(Debug)]
pub struct Fault {
    /// What went wrong.
    pub cause: Cause,
    /// Whose fault it was.
    pub blame: Blame,
    /// For the log and, where the blame is the client's, for the client: what, where, and what to do.
    pub detail: String,
}

impl Fault {
    /// A fault of the caller's making; `detail` is shown to the caller.
    pub fn client(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, blame: Blame::Client, detail: detail.into() }
    }

    /// A fault of ours; `detail` goes to the log only.
    pub fn ours(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, blame: Blame::Ours, detail: detail.into() }
    }

    /// A fault of the provider; `detail` goes to the log only.
    pub fn provider(detail: impl Into<String>) -> Self {
        Self { cause: Cause::Upstream, blame: Blame::Provider, detail: detail.into() }
    }
}

/// Characters of a detail that a log line shows.
const SHOWN_CHARS: usize = 1000;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.cause.name())?;
        // Details may quote what a client sent (keys, header values), and a log line is one line.
        self.detail
            .chars()
            .take(SHOWN_CHARS)
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
    }
}

impl std::error::Error for Fault {}

/// What the written policy does about a fault.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAction {
    /// Refuse the exchange.
    Block,
    /// Go on with the judges that are left (the rules without the model), counted and recorded.
    Degrade,
    /// Let it through unjudged, counted and recorded as a waiver.
    Pass,
}

/// The fault-policy table. Every cause a site must decide about is a field; none has a default. The rules judge whatever
/// happens: no action of a model's fault lets through what they block.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct FaultPolicy {
    /// The audit spool is full: block, or pass unrecorded.
    pub audit_full: FaultAction,
    /// The classifier is absent or failed its self-test: block (refuse to start), or degrade (rules only).
    pub model_missing: FaultAction,
    /// The classifier's queue is full: block, or degrade (rules only).
    pub overload: FaultAction,
    /// Text holds more encoded layers than the limits undo: block, or degrade (judge what was undone).
    pub oversize: FaultAction,
    /// The classifier did not answer in its time: block, or degrade (rules only).
    pub timeout: FaultAction,
    /// Text over the classifier's budget of windows: block, or degrade (rules only for the rest).
    pub unjudged: FaultAction,
    /// A provider's reply cannot be parsed: block, or pass it on unjudged as a counted waiver. (A request that cannot be
    /// parsed is always refused: a provider might read it in another way than we would.)
    pub unparsable: FaultAction,
    /// The provider answered an error: block (our own words), or pass (its own body, inspected).
    pub upstream_error: FaultAction,
}

impl FaultAction {
    /// The name used in the policy file, metrics and the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Degrade => "degrade",
            Self::Pass => "pass",
        }
    }
}

impl FaultPolicy {
    /// The causes that a policy must decide about, by the name of their field, with the actions that make sense for each.
    pub const DECIDED: [(Cause, &'static str, &'static [FaultAction]); 8] = [
        (Cause::AuditFull, "audit_full", &[FaultAction::Block, FaultAction::Pass]),
        (Cause::ModelMissing, "model_missing", &[FaultAction::Block, FaultAction::Degrade]),
        (Cause::Overload, "overload", &[FaultAction::Block, FaultAction::Degrade]),
        (Cause::Oversize, "oversize", &[FaultAction::Block, FaultAction::Degrade]),
        (Cause::Timeout, "timeout", &[FaultAction::Block, FaultAction::Degrade]),
        (Cause::Unjudged, "unjudged", &[FaultAction::Block, FaultAction::Degrade]),
        (Cause::Unparsable, "unparsable", &[FaultAction::Block, FaultAction::Pass]),
        (Cause::Upstream, "upstream_error", &[FaultAction::Block, FaultAction::Pass]),
    ];

    /// The table from a function that gives the written action of each field's name.
    pub fn from_names(mut written: impl FnMut(&'static str) -> FaultAction) -> Self {
        Self {
            audit_full: written("audit_full"),
            model_missing: written("model_missing"),
            overload: written("overload"),
            oversize: written("oversize"),
            timeout: written("timeout"),
            unjudged: written("unjudged"),
            unparsable: written("unparsable"),
            upstream_error: written("upstream_error"),
        }
    }

    /// The written action for a cause; causes that policy does not decide about always block.
    pub fn action(&self, cause: Cause) -> FaultAction {
        match cause {
            Cause::AuditFull => self.audit_full,
            Cause::ModelMissing => self.model_missing,
            Cause::Overload => self.overload,
            Cause::Oversize => self.oversize,
            Cause::Timeout => self.timeout,
            Cause::Unjudged => self.unjudged,
            Cause::Unparsable => self.unparsable,
            Cause::Upstream => self.upstream_error,
            _ => FaultAction::Block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_bounded_line_whatever_it_quotes() {
        let fault = Fault::client(Cause::Unparsable, format!("in /a\n2026 INFO forged\u{1b}[2J{}", "x".repeat(5000)));
        let shown = fault.to_string();
        assert!(
            shown.starts_with("unparsable: in /a\\n2026 INFO forged\\u{1b}[2J") && !shown.contains(char::is_control)
        );
        assert!(shown.chars().count() < SHOWN_CHARS + 100);
    }
}
