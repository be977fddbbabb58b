//! The record of one exchange: begun before anything is forwarded, ended whatever happens.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::audit::{Begin, Decision, End, FaultRecord, Outcome, PassageText, Refused, VerdictRecord, Waiver};
use crate::audit::{Regions, Slot};
use crate::base::{Blame, Cause, ExchangeId, Fault, FaultAction};
use crate::inspect::{Edit, FaultTaken, Judged, Opaque, Snapshot, Subject};
use crate::proxy::exchange::Exchange;
use crate::route::Price;
use crate::telemetry::metrics;
use crate::verdict::Verdict;

/// The open record of an exchange. Dropped without [`Ledger::end`], it says that the client went away: that is when hyper
/// drops the work on a request.
#[derive(Debug)]
pub(super) struct Ledger {
    /// `None`: policy passes exchanges unrecorded while the record is full.
    slot: Option<Slot>,
    end: Option<End>,
    started: Instant,
    /// What the tokens cost; `None`: nobody said.
    price: Option<Price>,
}

impl Ledger {
    /// Reserves room in the record.
    ///
    /// # Errors
    /// `audit_full`, unless policy says pass.
    pub(super) fn reserve(
        (audit, tenant): (&Regions, &str),
        snapshot: &Snapshot,
        started: Instant,
    ) -> Result<Self, Fault> {
        let slot = match audit.reserve(tenant) {
            Ok(slot) => Some(slot),
            Err(fault) => {
                let action = snapshot.faults.audit_full;
                if action != FaultAction::Pass || fault.cause != Cause::AuditFull {
                    return Err(fault);
                }
                metrics::fault(fault.cause.name(), action.name());
                metrics::waiver("audit_full");
                tracing::error!(%fault, "an exchange goes unrecorded, as policy.faults.audit_full says");
                None
            }
        };
        Ok(Self { slot, end: Some(End::new(Outcome::ClientGone)), started, price: None })
    }

    /// Writes the request and its verdict. When this returns, they are in the spool.
    pub(super) async fn begin(&mut self, begin: Begin, snapshot: &Snapshot) -> Result<(), Fault> {
        let Some(slot) = &mut self.slot else { return Ok(()) };
        let Err(fault) = slot.begin(begin).await else { return Ok(()) };
        let action = snapshot.faults.audit_full;
        metrics::fault(fault.cause.name(), action.name());
        if action == FaultAction::Pass && fault.cause == Cause::AuditFull {
            metrics::waiver("audit_full");
            tracing::error!(%fault, "an exchange goes unrecorded, as policy.faults.audit_full says");
            return Ok(());
        }
        Err(fault)
    }

    /// Changes what the end will say.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut End)) {
        if let Some(end) = &mut self.end {
            change(end);
        }
    }

    /// What the provider's tokens will have cost.
    pub(super) fn priced(&mut self, price: Option<Price>) {
        self.price = price;
    }

    /// The exchange is over.
    pub(super) fn end(mut self, outcome: Outcome, status: u16, stages: BTreeMap<String, u64>) {
        self.note(|end| {
            end.outcome = outcome;
            end.status = Some(status);
            end.latency_us.extend(stages);
        });
        self.write();
    }

    /// The exchange is over for a fault.
    pub(super) fn fail(mut self, fault: &Fault, status: u16, stages: BTreeMap<String, u64>) {
        self.note(|end| end.fault = Some(FaultRecord::from(fault)));
        self.end(Outcome::Failed, status, stages);
    }

    fn write(&mut self) {
        let Some(mut end) = self.end.take() else { return };
        end.at = jiff::Timestamp::now();
        let total = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        end.latency_us.insert("total".to_owned(), total);
        if let (Some(price), Some(prompt)) = (&self.price, end.prompt_tokens) {
            end.cost_nusd = Some(price.cost(prompt, end.completion_tokens.unwrap_or(0)));
        }
        metrics::exchange(end.outcome.name());
        metrics::stage("total", self.started.elapsed());
        metrics::tokens("prompt", end.prompt_tokens.unwrap_or(0));
        metrics::tokens("completion", end.completion_tokens.unwrap_or(0));
        if let Some(slot) = self.slot.take() {
            slot.end(end);
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.write();
    }
}

/// What the record says of an inspected message.
pub(super) fn verdict_record<T>(judged: &Judged<T>, model_version: Option<String>) -> VerdictRecord {
    record(&judged.verdict, &judged.faults, (&judged.waived, &judged.refused), model_version)
}

/// What the record says of a verdict and of what was met on the way to it.
pub(super) fn record(
    verdict: &Verdict,
    faults: &[FaultTaken],
    (waived, refused): (&[Opaque], &[Opaque]),
    model_version: Option<String>,
) -> VerdictRecord {
    let waiver =
        |opaque: &Opaque, passed| Waiver { kind: opaque.kind.name().to_owned(), place: opaque.place.clone(), passed };
    let passed = waived.iter().map(|opaque| waiver(opaque, true));
    let stopped = refused.iter().map(|opaque| waiver(opaque, false));
    VerdictRecord {
        faults: faults.iter().map(|fault| Decision { cause: fault.cause, action: fault.action }).collect(),
        waivers: passed.chain(stopped).collect(),
        model_version,
        ..VerdictRecord::from(verdict)
    }
}

/// The passages in full, where policy records them.
pub(super) fn full_text<T: Subject>(subject: &T) -> Vec<PassageText> {
    subject
        .passages()
        .iter()
        .map(|passage| PassageText {
            role: passage.role,
            place: passage.place.to_string(),
            text: passage.text.to_string(),
        })
        .collect()
}

/// Puts tokens into full texts: what only this exchange may know does not outlive it in the record.
pub(super) fn put_tokens(texts: &mut [PassageText], tokens: &[Edit]) {
    // From the last one, so that the places of the others stay.
    for token in tokens.iter().rev() {
        if let Some(text) = texts.get_mut(token.passage)
            && text.text.get(token.span.range()).is_some()
        {
            text.text.replace_range(token.span.range(), &token.with);
        }
    }
}

/// The record of a request that was refused before there was anything to forward.
pub(super) fn refused(exchange: &mut Exchange, fault: &Fault, status: u16, policy_version: &str) -> Refused {
    let caller = exchange.caller.as_ref();
    Refused {
        exchange: exchange.id,
        at: exchange.at,
        tenant: caller.map(|caller| caller.tenant.clone()).unwrap_or_default(),
        principal: caller.map(|caller| caller.principal.clone()).unwrap_or_default(),
        key_id: caller.and_then(|caller| caller.key_id()),
        client_addr: exchange.peer.ip().to_string(),
        dialect: None,
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        status,
        request_bytes: exchange.request_bytes as u64,
        policy_version: policy_version.to_owned(),
        fault: FaultRecord { cause: fault.cause, blame: fault.blame, detail: fault.detail.clone() },
        latency_us: exchange.stages.take(),
        cut: Default::default(),
    }
}

/// Logs how an exchange ended, in one line for operators.
pub(super) fn log(id: ExchangeId, status: u16, fault: &Fault) {
    match fault.blame {
        Blame::Client => tracing::info!(%id, status, %fault, "refused"),
        Blame::Ours | Blame::Provider => tracing::warn!(%id, status, %fault, "failed"),
    }
}
