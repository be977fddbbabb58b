//! The policy in force for one exchange: rules, thresholds, fault actions and limits as one immutable value.
//!
//! A request and its reply are judged by the same snapshot even when a reload lands between them; each verdict carries its
//! version.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::{Cause, Fault, FaultAction, FaultPolicy, Limits};
use crate::inspect::cleared::Cleared;
use crate::inspect::subject::OpaqueKind;
use crate::scan::Scanner;
use crate::verdict::{Action, Policy, Source, Verdict};

/// What is done with content of an opaque kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpaqueAction {
    /// The exchange is refused with a clear error.
    Refuse,
    /// It passes unseen; counted in a metric and written in the record.
    Waive,
}

/// When text of a streamed reply is released that only a judge of whole blocks could still object to (rules marked
/// `stream: block_end`, encodings undone, the classifier).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockEnd {
    /// Nothing of a block leaves before its end: every judge has seen all of it, and the client waits.
    Hold,
    /// Text flows as soon as the stream rules let it; a finding at the block's end cuts the stream there.
    Release,
}

/// Everything that decides about an exchange.
#[derive(Debug)]
pub struct Snapshot {
    /// The compiled rules.
    pub scanner: Scanner,
    /// Score and model thresholds.
    pub policy: Policy,
    /// What each fault leads to.
    pub faults: FaultPolicy,
    /// What each opaque kind leads to; every kind has an entry.
    pub opaque: BTreeMap<OpaqueKind, OpaqueAction>,
    /// When blocks of a streamed reply are released.
    pub block_end: BlockEnd,
    /// The bounds.
    pub limits: Arc<Limits>,
    /// Names rules and policy together, for the record.
    pub version: String,
}

impl Snapshot {
    /// What the client is told: of the findings that block, in order of place, the first says it whose rule has something to
    /// say.
    pub fn message(&self, verdict: &Verdict) -> Option<&str> {
        let rules = self.scanner.rules();
        if !rules.has_messages() {
            return None;
        }
        let blocking = verdict.findings.iter().filter(|finding| finding.action == Some(Action::Block));
        let mut ids = blocking.filter_map(|finding| match &finding.source {
            Source::Rule { id } => Some(id),
            _ => None,
        });
        ids.find_map(|id| rules.message(id))
    }

    /// What the written policy does with an opaque kind. A kind without an entry is refused.
    pub fn opaque_action(&self, kind: OpaqueKind) -> OpaqueAction {
        self.opaque.get(&kind).copied().unwrap_or(OpaqueAction::Refuse)
    }

    /// Clears a provider's reply that cannot be parsed, where the written policy says `unparsable: pass`. The caller counts
    /// and records the waiver.
    ///
    /// # Errors
    /// Gives the fault back where policy says block.
    pub fn waive_unparsable(&self, bytes: Bytes, fault: Fault) -> Result<Cleared<Bytes>, Fault> {
        match self.faults.unparsable {
            FaultAction::Pass if fault.cause == Cause::Unparsable => Ok(Cleared::mint(bytes, Vec::new())),
            _ => Err(fault),
        }
    }
}
