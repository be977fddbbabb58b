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

use super::frame;
use super::record::{Hash, Head, Mark, Prepared};
use super::shared::Shared;
use super::spool::{Fsync, Spool};
use crate::base::ExchangeId;

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Message {
    /// Write a record.
    Append(Append),
    /// Answer once everything before is written, or waits for a full disk.
    Barrier(oneshot::Sender<()>),
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
    shared: Arc<Shared>,
    fsync: Fsync,
    open: HashSet<ExchangeId>,
    /// Records that the disk refused and nobody waits for.
    kept: VecDeque<Append>,
    synced: Instant,
    probed: Instant,
}

impl Writer {
    pub(crate) fn new(spool: Spool, shared: Arc<Shared>, fsync: Fsync, open: HashSet<ExchangeId>) -> Self {
        Self { spool, shared, fsync, open, kept: VecDeque::new(), synced: Instant::now(), probed: Instant::now() }
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
        self.sync();
        // The lock goes with the spool, and only then is whoever waits told: the next process must find it free.
        drop(self);
        drop(stop);
    }

    fn patience(&self) -> Duration {
        if self.shared.failing.load(Ordering::Acquire) || !self.kept.is_empty() {
            return RETRY;
        }
        match self.fsync {
            Fsync::EveryMs(ms) if self.spool.is_dirty() => {
                Duration::from_millis(ms.max(1)).saturating_sub(self.synced.elapsed())
            }
            _ => IDLE,
        }
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
        let (frames, head, taken) = self.frame(group);
        let result = if taken.is_empty() { Ok(()) } else { self.spool.append(&frames, head) };
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
    fn frame(&mut self, group: Vec<Append>) -> (Vec<u8>, Head, Vec<(Append, u64)>) {
        let mut frames = Vec::new();
        let mut head = self.spool.head();
        let mut taken = Vec::with_capacity(group.len());
        for append in group {
            if let Mark::End(exchange) = append.event.mark
                && !self.open.remove(&exchange)
            {
                // Its begin was refused by the disk after the caller had gone: there is nothing to end.
                self.shared.release(2 * self.shared.record_room() + append.extra, 1);
                continue;
            }
            let seq = head.seq + 1;
            let framed = append.event.body(&self.shared.node, &self.shared.region, seq).ok().and_then(|body| {
                let size = frame::push(&mut frames, head.hash, &body)?;
                Some((Head { seq, hash: Hash::of(head.hash, &body) }, size as u64))
            });
            let Some((next, size)) = framed else {
                tracing::error!(seq, "an audit event could not be serialised");
                self.give_back(append, "the event could not be serialised");
                continue;
            };
            if let Mark::Begin(exchange) = append.event.mark {
                self.open.insert(exchange);
            }
            head = next;
            taken.push((append, size));
        }
        (frames, head, taken)
    }

    fn settle(&mut self, taken: Vec<(Append, u64)>, head: Head, synced: &Result<(), String>) {
        let room = self.shared.record_room();
        self.shared.written.send_replace(head.seq);
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

    fn sync_if_due(&mut self) {
        if let Fsync::EveryMs(ms) = self.fsync
            && self.spool.is_dirty()
            && self.synced.elapsed() >= Duration::from_millis(ms)
        {
            self.sync();
        }
    }

    fn sync(&mut self) {
        self.synced = Instant::now();
        if let Err(error) = self.spool.sync() {
            self.shared.disk(Err(format!("fsync: {error}")));
        }
    }
}

/// How soon a refused write is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How long the thread sleeps when nothing is due; only a bound, every message wakes it.
const IDLE: Duration = Duration::from_secs(60);
/// Records written with one `write`.
const GROUP_RECORDS: usize = 256;
/// Bytes gathered for one `write`.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
