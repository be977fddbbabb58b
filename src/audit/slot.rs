//! A slot: room in the record for one exchange, reserved before anything is forwarded.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::event::{Begin, End, Event, Outcome, Refused};
use super::fit;
use super::handle::Inner;
use super::record::Prepared;
use super::writer::{Append, Message, Spends};
use crate::base::{Cause, ExchangeId, Fault, Limits};

/// Room in the spool for the begin and the end of one exchange, each up to `limits.audit_record_bytes`.
///
/// A slot dropped after [`Slot::begin`] without [`Slot::end`] records the outcome `interrupted`. Dropping neither blocks nor
/// logs; it sends the writer a message.
#[derive(Debug)]
#[must_use = "dropping a slot gives its room back"]
pub struct Slot {
    inner: Arc<Inner>,
    state: State,
}

#[derive(Debug)]
enum State {
    Begun { exchange: ExchangeId, tenant: String, principal: String },
    Reserved,
    Settled,
}

impl Slot {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, state: State::Reserved }
    }

    /// Records the request and its verdict. When this returns, the record outlives `kill -9` (and, with
    /// [`super::Fsync::Always`], power loss); only then may the first byte be forwarded.
    ///
    /// # Errors
    /// `audit_full` when the disk refuses; the slot may then be tried again or dropped. `internal` when called twice.
    pub async fn begin(&mut self, begin: Begin) -> Result<(), Fault> {
        if !matches!(self.state, State::Reserved) {
            return Err(Fault::ours(Cause::Internal, "an audit slot takes one begin"));
        }
        let (exchange, tenant, principal) = (begin.exchange, begin.tenant.clone(), begin.principal.clone());
        let (event, extra) = self.inner.fit(Event::Begin(Box::new(begin)))?;
        let (ack, answer) = oneshot::channel();
        // Before the wait: should the caller go away in the middle, dropping the slot must end what the writer begins.
        self.state = State::Begun { exchange, tenant, principal };
        let sent = self.inner.send(Message::Append(Append { event, extra, spends: Spends::Record, ack: Some(ack) }));
        let unsure = match (sent, answer.await) {
            (Ok(()), Ok(Ok(()))) => return Ok(()),
            (Ok(()), Ok(Err(unsure))) => unsure,
            _ => {
                self.state = State::Settled;
                return Err(stopped());
            }
        };
        if !unsure.in_spool {
            self.state = State::Reserved;
        }
        Err(Fault::ours(Cause::AuditFull, unsure.why))
    }

    /// Records how the exchange ended; fills in its id, tenant and principal. Does not wait: the record is in the writer's queue, its
    /// room is reserved. Without a begin it only gives the room back.
    pub fn end(mut self, end: End) {
        self.finish(end);
    }

    /// Records that the request was refused before it was forwarded, in place of begin and end.
    ///
    /// # Errors
    /// `audit_full` when the disk refuses. `internal` after a begin.
    pub async fn refuse(mut self, refused: Refused) -> Result<(), Fault> {
        if !matches!(self.state, State::Reserved) {
            return Err(Fault::ours(Cause::Internal, "an exchange that began is ended, not refused"));
        }
        let room = self.inner.shared.record_room();
        let (event, extra) = self.inner.fit(Event::Refused(Box::new(refused)))?;
        self.state = State::Settled;
        self.inner.shared.release(room, 0);
        self.inner.write_last(event, extra).await
    }

    fn finish(&mut self, mut end: End) {
        let State::Begun { exchange, tenant, principal } = std::mem::replace(&mut self.state, State::Settled) else {
            return self.give_back();
        };
        end.exchange = Some(exchange);
        end.tenant.clone_from(&tenant);
        end.principal.clone_from(&principal);
        let fitted = self.inner.fit(Event::End(Box::new(end))).or_else(|_| {
            let bare = End { exchange: Some(exchange), tenant, principal, ..End::new(Outcome::Failed) };
            self.inner.fit(Event::End(Box::new(bare)))
        });
        if let Ok((event, extra)) = fitted {
            // A writer that has stopped leaves the exchange open; the next start records it as interrupted.
            let _ = self.inner.send(Message::Append(Append { event, extra, spends: Spends::RecordAndSlot, ack: None }));
        }
    }

    fn give_back(&self) {
        self.inner.shared.release(2 * self.inner.shared.record_room(), 1);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self.state {
            State::Begun { .. } => self.finish(End::new(Outcome::Interrupted)),
            State::Reserved => self.give_back(),
            State::Settled => {}
        }
    }
}

impl Inner {
    /// Makes an event fit and takes the room that its opted-in text needs beyond the slot's; without such room the text
    /// stays out, and the record says so.
    pub(crate) fn fit(&self, event: Event) -> Result<(Prepared, u64), Fault> {
        let failed = |error| Fault::ours(Cause::Internal, format!("an audit event cannot be serialised: {error}"));
        let class = event.class(&self.shared.classes).to_owned();
        let has_text = match &event {
            Event::Begin(begin) => begin.prompt_text.is_some(),
            Event::End(end) => end.reply_text.is_some(),
            Event::Refused(_) | Event::Seal(_) | Event::System(_) | Event::Tombstone(_) => false,
        };
        let (limits, keys) = (&self.shared.limits, &self.shared.text_keys);
        if !has_text {
            return fit::prepare(event, &class, limits, keys).map(|prepared| (prepared, 0)).map_err(failed);
        }
        let prepared = fit::prepare(event.clone(), &class, limits, keys).map_err(failed)?;
        let extra = prepared.text_bytes() as u64;
        if self.shared.claim(extra) {
            return Ok((prepared, extra));
        }
        let limits = Limits { audit_text_bytes: 0, ..limits.clone() };
        fit::prepare(event, &class, &limits, keys).map(|prepared| (prepared, 0)).map_err(failed)
    }

    /// Writes a record that ends its slot and waits until it is in the spool.
    async fn write_last(&self, event: Prepared, extra: u64) -> Result<(), Fault> {
        let (ack, answer) = oneshot::channel();
        self.send(Message::Append(Append { event, extra, spends: Spends::RecordAndSlot, ack: Some(ack) }))
            .map_err(|_| stopped())?;
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(unsure)) => Err(Fault::ours(Cause::AuditFull, unsure.why)),
            Err(_) => Err(stopped()),
        }
    }
}

fn stopped() -> Fault {
    Fault::ours(Cause::AuditFull, "the audit writer has stopped")
}
