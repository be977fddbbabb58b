//! What inspection of a stream has come to so far: findings, faults, waivers, and the verdict over them.

use std::sync::Arc;

use crate::base::{Cause, Fault};
use crate::inspect::excerpt;
use crate::inspect::reading::RECORDED_PER_RULE;
use crate::inspect::snapshot::{OpaqueAction, Snapshot};
use crate::inspect::subject::Opaque;
use crate::inspect::whole::FaultTaken;
use crate::verdict::{Action, Finding, Source, Verdict, decide};

/// The books of one streamed reply.
#[derive(Debug)]
pub(super) struct Tally {
    snapshot: Arc<Snapshot>,
    findings: Vec<Finding>,
    /// Findings that the last decision saw.
    decided: usize,
    /// The verdict is block, by decision or because a text that must be replaced has left or cannot be replaced.
    must_block: bool,
    pub faults: Vec<FaultTaken>,
    /// Opaque content that policy waived, the first of each kind.
    pub waived: Vec<Opaque>,
}

impl Tally {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, findings: Vec::new(), decided: 0, must_block: false, faults: Vec::new(), waived: Vec::new() }
    }

    /// Books a finding.
    pub(super) fn record(&mut self, finding: Finding) {
        // Whether there is room to list it or not.
        self.must_block |= finding.action == Some(Action::Block);
        let same = |earlier: &&Finding| {
            earlier.source == finding.source
                && earlier.passage == finding.passage
                && earlier.standing == finding.standing
        };
        let recorded = self.findings.iter().filter(same).count();
        let novel = matches!(finding.source, Source::Model { .. }) || recorded < RECORDED_PER_RULE;
        if novel && (recorded == 0 || self.findings.len() < self.snapshot.limits.findings) {
            self.findings.push(finding);
        }
    }

    /// True when a finding of the same judge in the same text covers this one.
    pub(super) fn knows(&self, finding: &Finding) -> bool {
        self.findings.iter().any(|earlier| {
            earlier.passage == finding.passage
                && earlier.source == finding.source
                && earlier.span.covers(finding.span)
                && (earlier.standing.acts() || earlier.standing == finding.standing)
        })
    }

    /// Books that a replacement came too late, or cannot be made, unless it was `done`.
    pub(super) fn replaced(&mut self, done: bool) {
        self.must_block |= !done;
    }

    /// Books a fault; policy may end the stream for it.
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), Fault> {
        let mut refusal = None;
        self.snapshot.take_fault(fault, &mut self.faults, &mut refusal);
        refusal.map_or(Ok(()), Err)
    }

    /// Books what cannot be seen: waived as policy says, or the end of the stream.
    pub(super) fn opaque(&mut self, opaque: &[Opaque]) -> Result<(), Fault> {
        for one in opaque {
            if self.snapshot.opaque_action(one.kind) == OpaqueAction::Refuse {
                let place = excerpt::of(&one.place, false);
                let detail = format!("{place}: content of kind `{}` cannot be inspected", one.kind.name());
                return Err(Fault { cause: Cause::Opaque, ..Fault::provider(detail) });
            }
            if !self.waived.iter().any(|known| known.kind == one.kind) {
                self.waived.push(one.clone());
            }
        }
        Ok(())
    }

    /// The verdict over everything booked so far.
    pub(super) fn verdict(&self) -> Verdict {
        let mut verdict = decide(self.findings.clone(), &self.snapshot.policy.score);
        if self.must_block {
            verdict.action = Action::Block;
        }
        verdict
    }

    /// True when what is booked demands a block. Decides anew only when something was found since.
    pub(super) fn blocks(&mut self) -> bool {
        if self.decided != self.findings.len() {
            self.decided = self.findings.len();
            self.must_block |= self.verdict().action == Action::Block;
        }
        self.must_block
    }
}
