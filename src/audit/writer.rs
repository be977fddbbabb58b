//! The writer thread: numbers, chains and appends records in order, a group of waiting ones at a time.
//!
//! Its queue needs no bound of its own: a message other than the few about the appliance itself spends a reserved slot,
//! and slots are bounded by `limits.audit_slots`.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::event::Event;
use super::proof::Seal;
use super::proof::key::SigningKey;
use super::proof::period::Period;
use super::record::{Hash, Head, Mark, Prepared, day_of};
use super::retention::SYSTEM;
use super::shared::Shared;
use super::spool::sync::Syncer;
use super::spool::{Fsync, Spool, frame};
use crate::base::ExchangeId;

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Message {
    /// Write a record.
    Append(Append),
    /// Answer once everything before is written, or waits for a full disk.
    Barrier(oneshot::Sender<()>),
    /// Begin a new segment, so that what was shipped of this one can go, and answer.
    Rotate(oneshot::Sender<Result<(), String>>),
    /// Sign what is there, and answer.
    Seal(oneshot::Sender<()>),
    /// Write what waits, sync, and stop.
    Stop(oneshot::Sender<()>),
}

/// A record to write.
#[derive(Debug)]
pub(crate) struct Append {
    /// The event.
    pub(crate) event: Prepared,
    /// Room promised to it beyond one record's, for opted-in text.
    pub(crate) extra: u64,
    /// Whose room and slot it spends.
    pub(crate) spends: Spends,
    /// Who waits. A record that nobody waits for is kept until the disk takes it.
    pub(crate) ack: Option<oneshot::Sender<Result<(), Unsure>>>,
}

/// Why a record does not count as written.
#[derive(Debug)]
pub(crate) struct Unsure {
    /// The record is in the spool all the same, but the disk did not confirm it: its exchange must still be ended.
    pub(crate) in_spool: bool,
    /// What the disk said.
    pub(crate) why: String,
}

/// What writing a record spends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Spends {
    /// Nothing: a record about the appliance itself.
    Nothing,
    /// One record's room of a slot that lives on.
    Record,
    /// One record's room, and the slot.
    RecordAndSlot,
}

pub(crate) struct Writer {
    spool: Spool,
    key: SigningKey,
    /// The last record that a seal of this run covers, or is; 0 before the first.
    sealed: u64,
    /// Since when records wait for a seal.
    unsealed: Option<Instant>,
    shared: Arc<Shared>,
    fsync: Fsync,
    open: HashSet<ExchangeId>,
    /// Records that the disk refused and nobody waits for.
    kept: VecDeque<Append>,
    synced: Instant,
    /// Syncs beside the writer; `None`: nobody is to, or the system gives no thread.
    syncer: Option<Syncer>,
    probed: Instant,
}

impl Writer {
    pub(crate) fn new(
        spool: Spool,
        key: SigningKey,
        shared: Arc<Shared>,
        fsync: Fsync,
        open: HashSet<ExchangeId>,
    ) -> Self {
        let (kept, now) = (VecDeque::new(), Instant::now());
        let told = {
            let shared = Arc::clone(&shared);
            move |error| shared.disk(Err(format!("fsync: {error}")))
        };
        let syncer = matches!(fsync, Fsync::EveryMs(_)).then(|| Syncer::start(told).ok()).flatten();
        Self { spool, key, sealed: 0, unsealed: None, shared, fsync, open, kept, synced: now, syncer, probed: now }
    }

    /// Works until told to stop or until every sender is gone.
    pub(crate) fn run(mut self, queue: &Receiver<Message>) {
        let stop = loop {
            match queue.recv_timeout(self.patience()) {
                Ok(message) => {
                    if let Some(stop) = self.work(message, queue) {
                        break Some(stop);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.retry(),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            self.seal_if_due();
            self.probe_if_due();
            self.sync_if_due();
        };
        self.retry();
        if !self.kept.is_empty() {
            tracing::error!(
                records = self.kept.len(),
                "the disk took no more; these ends will be recorded as interrupted"
            );
        }
        // What is being synced is first; then what was written since.
        if self.syncer.take().is_some_and(Syncer::end) {
            self.spool.not_synced();
        }
        self.sync();
        // The lock goes with the spool, and only then is whoever waits told: the next process must find it free.
        drop(self);
        drop(stop);
    }

    fn patience(&self) -> Duration {
        if self.shared.failing.load(Ordering::Acquire) || !self.kept.is_empty() {
            return RETRY;
        }
        let sync = match self.fsync {
            Fsync::EveryMs(ms) if self.spool.is_dirty() => {
                let least = if self.is_syncing() { SYNCING } else { Duration::ZERO };
                Duration::from_millis(ms.max(1)).saturating_sub(self.synced.elapsed()).max(least)
            }
            _ => IDLE,
        };
        self.unsealed.map_or(sync, |since| sync.min(SEAL_EVERY.saturating_sub(since.elapsed())))
    }

    fn work(&mut self, first: Message, queue: &Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next.take() {
            match message {
                Message::Append(append) => {
                    bytes += append.event.bytes();
                    group.push(append);
                }
                Message::Barrier(ack) => {
                    self.write(std::mem::take(&mut group));
                    let _ = ack.send(());
                }
                Message::Rotate(ack) => {
                    self.write(std::mem::take(&mut group));
                    let _ = ack.send(self.spool.rotate().map_err(|error| error.to_string()));
                }
                Message::Seal(ack) => {
                    self.write(std::mem::take(&mut group));
                    self.seal();
                    let _ = ack.send(());
                }
                Message::Stop(ack) => {
                    self.write(group);
                    return Some(ack);
                }
            }
            if group.len() < GROUP_RECORDS && bytes < GROUP_BYTES {
                next = queue.try_recv().ok();
            }
        }
        self.write(group);
        None
    }

    /// A disk that refused counts as well again once it takes a whole record: the few bytes left in a last page are no room.
    fn probe_if_due(&mut self) {
        if self.shared.failing.load(Ordering::Acquire) && self.probed.elapsed() >= RETRY {
            self.probed = Instant::now();
            let room = usize::try_from(self.shared.record_room()).unwrap_or(usize::MAX);
            self.shared.disk(self.spool.probe(room).map_err(|error| error.to_string()));
        }
    }

    fn retry(&mut self) {
        while !self.kept.is_empty() {
            let count = self.kept.len().min(GROUP_RECORDS);
            let group = self.kept.drain(..count).collect();
            if !self.write_group(group) {
                return;
            }
        }
    }

    fn write(&mut self, group: Vec<Append>) {
        self.retry();
        if !group.is_empty() {
            self.write_group(group);
        }
    }

    /// Writes a group, all or none; false when the disk refused.
    fn write_group(&mut self, group: Vec<Append>) -> bool {
        let frames = self.frame(group);
        self.write_frames(frames)
    }

    fn write_frames(&mut self, Frames { bytes, head, period, taken }: Frames) -> bool {
        let result = if taken.is_empty() { Ok(()) } else { self.spool.append(&bytes, head, period) };
        if let Err(error) = result {
            self.shared.disk(Err(error.to_string()));
            self.probed = Instant::now();
            self.reject(taken, &error);
            return false;
        }
        let synced = if self.fsync == Fsync::Always { self.spool.sync() } else { Ok(()) };
        let synced = synced.map_err(|error| format!("fsync: {error}"));
        if synced.is_err() {
            self.shared.disk(synced.clone());
        }
        self.settle(taken, head, &synced);
        true
    }

    /// Frames a group from the chain's head on. Records that need not or cannot be written are settled here.
    fn frame(&mut self, group: Vec<Append>) -> Frames {
        let mut frames = self.frames();
        for append in group {
            if let Mark::End(exchange) = append.event.mark
                && !self.open.remove(&exchange)
            {
                // Its begin was refused by the disk after the caller had gone: there is nothing to end.
                self.shared.release(2 * self.shared.record_room() + append.extra, 1);
                continue;
            }
            let mark = append.event.mark;
            if let Err(append) = self.push(&mut frames, append) {
                tracing::error!(seq = frames.head.seq + 1, "an audit event could not be serialised");
                self.give_back(append, "the event could not be serialised");
            } else if let Mark::Begin(exchange) = mark {
                self.open.insert(exchange);
            }
        }
        frames
    }

    /// No frames yet. When the day has changed, the first one seals the day before; when the period is not known, it says that
    /// one begins.
    fn frames(&mut self) -> Frames {
        let head = self.spool.head();
        let now = self.shared.clock.now();
        let today = day_of(now);
        let mut frames = Frames { bytes: Vec::new(), head, period: self.spool.period().cloned(), taken: Vec::new() };
        let begins = match &frames.period {
            Some(period) if period.day == today => return frames,
            Some(period) => Some(period.seal(&self.shared.node, (now, head), true, &self.key)),
            None if head.seq == 0 => None,
            None => Some(Period::new(today, head.seq + 1).seal(&self.shared.node, (now, head), false, &self.key)),
        };
        frames.period = Some(Period::new(today, head.seq + 1));
        if let Some(seal) = begins {
            self.push_seal(&mut frames, seal);
        }
        frames
    }

    /// Frames one record; gives it back when it cannot be.
    fn push(&self, frames: &mut Frames, append: Append) -> Result<(), Append> {
        let seq = frames.head.seq + 1;
        let Some(period) = &mut frames.period else { return Err(append) };
        let framed = append.event.body(&self.shared.node, &self.shared.region, seq, period.day).ok().and_then(|body| {
            let size = frame::push(&mut frames.bytes, frames.head.hash, &body, append.event.text())?;
            Some((Hash::of(frames.head.hash, &body), size as u64))
        });
        let Some((hash, size)) = framed else { return Err(append) };
        period.push(hash);
        frames.head = Head { seq, hash };
        frames.taken.push((append, size));
        Ok(())
    }

    fn push_seal(&self, frames: &mut Frames, seal: Seal) {
        let event = Prepared::new(&Event::Seal(Box::new(seal)), SYSTEM, None);
        let append = event.map(|event| Append { event, extra: 0, spends: Spends::Nothing, ack: None });
        // Numbers and hashes always serialise.
        if append.map_err(drop).and_then(|append| self.push(frames, append).map_err(drop)).is_err() {
            tracing::error!("a checkpoint of the audit could not be serialised");
        }
    }

    /// Signs the chain as it is, unless its last record is a seal. A disk that refuses is told by the next record as well.
    fn seal(&mut self) {
        if self.spool.head().seq <= self.sealed {
            return;
        }
        let mut frames = self.frames();
        if let (Some(period), true) = (&frames.period, frames.taken.is_empty()) {
            let now = self.shared.clock.now();
            let seal = period.seal(&self.shared.node, (now, frames.head), false, &self.key);
            self.push_seal(&mut frames, seal);
        }
        self.write_frames(frames);
        // Also after a refusal: not again and again while the disk is full.
        self.unsealed = None;
    }

    fn seal_if_due(&mut self) {
        let waits = self.spool.head().seq.saturating_sub(self.sealed);
        let is_old = self.unsealed.is_some_and(|since| since.elapsed() >= SEAL_EVERY);
        if waits >= SEAL_RECORDS || is_old {
            self.seal();
        }
    }

    fn settle(&mut self, taken: Vec<(Append, u64)>, head: Head, synced: &Result<(), String>) {
        let room = self.shared.record_room();
        self.shared.written.send_replace(head.seq);
        match taken.last() {
            Some((last, _)) if last.event.mark == Mark::Seal => (self.sealed, self.unsealed) = (head.seq, None),
            Some(_) => {
                self.unsealed.get_or_insert_with(Instant::now);
            }
            None => {}
        }
        for (append, size) in taken {
            match append.spends {
                Spends::Nothing => self.shared.spend(append.extra, size, 0),
                Spends::Record => self.shared.spend(room + append.extra, size, 0),
                Spends::RecordAndSlot => self.shared.spend(room + append.extra, size, 1),
            }
            if let Some(ack) = append.ack {
                let _ = ack.send(synced.clone().map_err(|why| Unsure { in_spool: true, why }));
            }
        }
    }

    fn reject(&mut self, taken: Vec<(Append, u64)>, error: &io::Error) {
        for (append, _) in taken {
            // Undo `frame`: the exchange is open exactly when its begin is in the spool.
            match append.event.mark {
                Mark::Begin(exchange) => {
                    self.open.remove(&exchange);
                }
                Mark::End(exchange) => {
                    self.open.insert(exchange);
                }
                // The next one seals what this one would have.
                Mark::Seal => continue,
                Mark::Other => {}
            }
            if append.ack.is_some() {
                self.give_back(append, &error.to_string());
            } else {
                self.kept.push_back(append);
            }
        }
    }

    /// Tells whoever waits that the record was not written. A begin's slot keeps its own room.
    fn give_back(&mut self, append: Append, error: &str) {
        match append.spends {
            Spends::RecordAndSlot => self.shared.release(self.shared.record_room() + append.extra, 1),
            Spends::Nothing | Spends::Record => self.shared.release(append.extra, 0),
        }
        if let Some(ack) = append.ack {
            let _ = ack.send(Err(Unsure { in_spool: false, why: error.to_owned() }));
        }
    }

    fn is_syncing(&self) -> bool {
        self.syncer.as_ref().is_some_and(Syncer::is_busy)
    }

    fn sync_if_due(&mut self) {
        let Fsync::EveryMs(ms) = self.fsync else { return };
        if self.syncer.as_ref().is_some_and(Syncer::has_failed) {
            self.spool.not_synced();
        }
        let is_due = self.spool.is_dirty() && self.synced.elapsed() >= Duration::from_millis(ms);
        if !is_due || self.is_syncing() {
            return;
        }
        match self.syncer.as_ref().map(|syncer| (syncer, self.spool.give_to_sync())) {
            Some((syncer, Ok(file))) => {
                self.synced = Instant::now();
                syncer.sync(file);
            }
            // Without another thread, or another handle of the file, here and now.
            Some((_, Err(_))) | None => self.sync(),
        }
    }

    fn sync(&mut self) {
        self.synced = Instant::now();
        if let Err(error) = self.spool.sync() {
            self.shared.disk(Err(format!("fsync: {error}")));
        }
    }
}

/// Frames that are not written yet, and where the chain stands after them.
struct Frames {
    bytes: Vec<u8>,
    head: Head,
    period: Option<Period>,
    /// The records in them, each with the size of its frame.
    taken: Vec<(Append, u64)>,
}

/// Longest that a record waits for a seal: how much the newest records could be changed by who may write to store and disk.
const SEAL_EVERY: Duration = Duration::from_secs(60);
/// Records after which a seal comes at once.
const SEAL_RECORDS: u64 = 10_000;
/// How soon a refused write is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How soon the thread looks again whether the disk has taken what it was given.
const SYNCING: Duration = Duration::from_millis(1);
/// How long the thread sleeps when nothing is due; only a bound, every message wakes it.
const IDLE: Duration = Duration::from_secs(60);
/// Records written with one `write`.
const GROUP_RECORDS: usize = 256;
/// Bytes gathered for one `write`.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
