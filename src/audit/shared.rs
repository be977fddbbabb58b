//! What the handle, the writer and the shipper share: the room left, what was written and shipped, and the status.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::outputs::OutputStatus;
use super::retention::Classes;
use super::spool::frame;
use super::texts::keys::TextKeys;
use crate::base::{Cause, Clock, Fault, Limits};

/// The audit's own state, for `/readyz`, metrics and people.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The chain's name: the configured node and a random part made with the state folder.
    pub node: String,
    /// Slots reserved and not yet settled.
    pub slots: usize,
    /// Bytes on disk in the spool.
    pub spool_bytes: u64,
    /// Bytes promised to reserved slots.
    pub reserved_bytes: u64,
    /// The last record written to the spool.
    pub written_seq: u64,
    /// The last record committed to the store.
    pub shipped_seq: u64,
    /// Records not yet in the store.
    pub queue_depth: u64,
    /// Seconds since the store last took a record or was found to have everything; 0 when nothing waits.
    pub lag_s: u64,
    /// Whether the store worked when it was last used.
    pub store_ok: bool,
    /// What the store last said when it did not; never holds a password.
    pub store_error: Option<String>,
    /// Times that the store failed.
    pub store_failures: u64,
    /// Whether the spool's disk takes writes.
    pub disk_ok: bool,
    /// What the disk last said when it did not.
    pub disk_error: Option<String>,
    /// Reservations refused because there was no room.
    pub refused_full: u64,
    /// Damaged stretches found in the spool; each is kept in quarantine.
    pub damaged: u64,
    /// Bytes of torn tails cut at start.
    pub torn_bytes: u64,
    /// Records stored without their rows for review, because the store refused those rows.
    pub bare: u64,
    /// Those who are told what is recorded, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, OutputStatus>,
    /// The same of other regions, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, Status>,
}

impl Status {
    /// This one and those of other regions.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.regions.values())
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) node: String,
    pub(crate) region: String,
    pub(crate) classes: Classes,
    pub(crate) clock: Clock,
    pub(crate) text_keys: TextKeys,
    room: Mutex<Room>,
    /// The disk refuses writes.
    pub(crate) failing: AtomicBool,
    /// The last record in the spool.
    pub(crate) written: watch::Sender<u64>,
    /// The last record in the store.
    pub(crate) shipped: watch::Sender<u64>,
    notes: Mutex<Notes>,
    pub(crate) refused_full: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) torn_bytes: AtomicU64,
    pub(crate) bare: AtomicU64,
    store_failures: AtomicU64,
}

#[derive(Debug, Default)]
struct Room {
    slots: usize,
    reserved: u64,
    disk: u64,
}

#[derive(Debug, Default)]
struct Notes {
    store_ok: bool,
    store_error: Option<String>,
    disk_error: Option<String>,
    caught_up: Option<Timestamp>,
}

impl Shared {
    pub(crate) fn new(
        limits: Limits,
        (node, region): (String, String),
        (classes, text_keys): (Classes, TextKeys),
        clock: Clock,
        (written, shipped): (u64, u64),
        disk: u64,
    ) -> Self {
        Self {
            limits,
            node,
            region,
            classes,
            clock,
            text_keys,
            room: Mutex::new(Room { disk, ..Room::default() }),
            failing: AtomicBool::new(false),
            written: watch::Sender::new(written),
            shipped: watch::Sender::new(shipped),
            notes: Mutex::new(Notes { caught_up: Some(Timestamp::now()), ..Notes::default() }),
            refused_full: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            torn_bytes: AtomicU64::new(0),
            bare: AtomicU64::new(0),
            store_failures: AtomicU64::new(0),
        }
    }

    /// Spool bytes set aside for one record without opted-in text.
    pub(crate) fn record_room(&self) -> u64 {
        (self.limits.audit_record_bytes + frame::HEADER_BYTES + frame::HASH_BYTES) as u64
    }

    /// Takes a slot and the room for `records` records.
    pub(crate) fn reserve(&self, records: u64) -> Result<(), Fault> {
        let result = self.try_reserve(records);
        if result.is_err() {
            self.refused_full.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn try_reserve(&self, records: u64) -> Result<(), Fault> {
        if self.failing.load(Ordering::Acquire) {
            let error = lock(&self.notes).disk_error.clone().unwrap_or_default();
            return Err(full(format!("the audit spool's disk takes no writes: {error}")));
        }
        let mut room = lock(&self.room);
        if room.slots >= self.limits.audit_slots {
            return Err(full(format!("all {} audit slots are taken (limits.audit_slots)", self.limits.audit_slots)));
        }
        let wanted = records * self.record_room();
        if room.disk + room.reserved + wanted > self.limits.spool_bytes {
            return Err(full(format!(
                "the audit spool holds {} bytes and has promised {} more, of {} (limits.spool_bytes); is the store away?",
                room.disk, room.reserved, self.limits.spool_bytes
            )));
        }
        room.slots += 1;
        room.reserved += wanted;
        Ok(())
    }

    /// Takes room beyond what a slot holds, for opted-in text; false when there is none.
    pub(crate) fn claim(&self, bytes: u64) -> bool {
        let mut room = lock(&self.room);
        let fits = room.disk + room.reserved + bytes <= self.limits.spool_bytes;
        if fits {
            room.reserved += bytes;
        }
        fits
    }

    /// Gives back promised room, and slots.
    pub(crate) fn release(&self, bytes: u64, slots: usize) {
        let mut room = lock(&self.room);
        room.reserved = room.reserved.saturating_sub(bytes);
        room.slots = room.slots.saturating_sub(slots);
    }

    /// Turns promised room into bytes on disk.
    pub(crate) fn spend(&self, promised: u64, written: u64, slots: usize) {
        let mut room = lock(&self.room);
        room.disk += written;
        room.reserved = room.reserved.saturating_sub(promised);
        room.slots = room.slots.saturating_sub(slots);
    }

    /// A shipped segment was deleted.
    pub(crate) fn freed(&self, bytes: u64) {
        let mut room = lock(&self.room);
        room.disk = room.disk.saturating_sub(bytes);
    }

    /// The disk took a write, or refused one.
    pub(crate) fn disk(&self, result: Result<(), String>) {
        let failing = result.is_err();
        if self.failing.swap(failing, Ordering::AcqRel) != failing {
            match &result {
                Ok(()) => tracing::info!("the audit spool's disk takes writes again"),
                Err(error) => {
                    tracing::error!(%error, "the audit spool's disk refuses writes; new exchanges follow policy")
                }
            }
        }
        if let Err(error) = result {
            lock(&self.notes).disk_error = Some(error);
        }
    }

    /// The store took everything up to `written` (`Ok`), or failed.
    pub(crate) fn store(&self, result: Result<(), String>) {
        let mut notes = lock(&self.notes);
        match result {
            Ok(()) => {
                if !notes.store_ok {
                    tracing::info!("the audit store takes records");
                }
                notes.store_ok = true;
                notes.caught_up = Some(Timestamp::now());
            }
            Err(error) => {
                self.store_failures.fetch_add(1, Ordering::Relaxed);
                if notes.store_ok || notes.store_error.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the audit store is away; records wait in the spool");
                }
                notes.store_ok = false;
                notes.store_error = Some(error);
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        let (slots, reserved_bytes, spool_bytes) = {
            let room = lock(&self.room);
            (room.slots, room.reserved, room.disk)
        };
        let (written_seq, shipped_seq) = (*self.written.borrow(), *self.shipped.borrow());
        let notes = lock(&self.notes);
        let queue_depth = written_seq.saturating_sub(shipped_seq);
        let waited = notes.caught_up.map_or(0, |since| Timestamp::now().as_second() - since.as_second());
        Status {
            node: self.node.clone(),
            slots,
            spool_bytes,
            reserved_bytes,
            written_seq,
            shipped_seq,
            queue_depth,
            lag_s: if queue_depth == 0 { 0 } else { u64::try_from(waited).unwrap_or(0) },
            store_ok: notes.store_ok,
            store_error: notes.store_error.clone(),
            store_failures: self.store_failures.load(Ordering::Relaxed),
            disk_ok: !self.failing.load(Ordering::Acquire),
            disk_error: notes.disk_error.clone(),
            refused_full: self.refused_full.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
            torn_bytes: self.torn_bytes.load(Ordering::Relaxed),
            bare: self.bare.load(Ordering::Relaxed),
            outputs: BTreeMap::new(),
            regions: BTreeMap::new(),
        }
    }
}

fn full(detail: String) -> Fault {
    Fault::ours(Cause::AuditFull, detail)
}

/// The numbers behind a poisoned lock are still whole: no holder can panic between two of them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(slots: usize, spool: impl Fn(u64) -> u64) -> Shared {
        let mut limits = Limits { audit_slots: slots, ..Limits::default() };
        let make = |limits: &Limits| {
            Shared::new(limits.clone(), (String::new(), String::new()), Default::default(), Clock::default(), (0, 0), 0)
        };
        limits.spool_bytes = spool(make(&limits).record_room());
        make(&limits)
    }

    #[test]
    fn slots_are_bounded_at_n_and_one_more_is_audit_full() {
        let shared = shared(2, |_| u64::MAX / 2);
        assert!(shared.reserve(2).is_ok() && shared.reserve(2).is_ok());
        assert_eq!(shared.reserve(2).unwrap_err().cause, Cause::AuditFull);
        shared.release(2 * shared.record_room(), 1);
        assert!(shared.reserve(2).is_ok());
        assert_eq!(shared.status().refused_full, 1);
    }

    #[test]
    fn room_is_bounded_at_the_byte() {
        let exact = shared(100, |record| 4 * record);
        assert!(exact.reserve(2).is_ok() && exact.reserve(2).is_ok());
        assert!(exact.reserve(2).is_err());
        exact.spend(2 * exact.record_room(), 1, 1);
        assert!(exact.reserve(2).is_err(), "one byte on disk is one byte less");
        exact.freed(1);
        assert!(exact.reserve(2).is_ok());
        assert!(!exact.claim(1));
    }
}
