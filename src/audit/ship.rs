//! The shipper: replays the spool into the store, in order and idempotently, for as long as it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::error::AuditError;
use super::event::{Event, System, SystemKind};
use super::fit;
use super::handle::{interrupted, send_plain};
use super::record::{Head, Record};
use super::rows::Rows;
use super::shared::Shared;
use super::spool::tail::Tail;
use super::spool::{CURSOR_FILE, segment, spool_error, write_head};
use super::store::{AppendError, Store};
use super::writer::{Append, Message, Spends};

pub(crate) struct Shipper {
    shared: Arc<Shared>,
    queue: Sender<Message>,
    store: Store,
    folder: PathBuf,
    tail: Tail,
    /// The chain's head at start: what was open before it, and is open in the store, will never end by itself.
    head: Head,
    /// The last record that start-up itself made, or `None` once the store was asked for open exchanges.
    recovered: Option<u64>,
}

impl Shipper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        queue: Sender<Message>,
        store: Store,
        folder: PathBuf,
        head: Head,
        recovered: u64,
    ) -> Self {
        let tail = Tail::new(folder.clone());
        Self { shared, queue, store, folder, tail, head, recovered: Some(head.seq + recovered) }
    }

    /// Works until it is aborted. Being cut off anywhere is the same as a crash: the cursor follows the commit.
    pub(crate) async fn run(mut self) {
        let mut written = self.shared.written.subscribe();
        let mut failures = 0;
        loop {
            match self.step().await {
                Ok(Step::Shipped) => failures = 0,
                Ok(Step::Idle) => {
                    failures = 0;
                    // A store that dies while nothing is shipped shows in the status all the same.
                    match tokio::time::timeout(PING, written.changed()).await {
                        Ok(Ok(())) | Err(_) => {}
                        Ok(Err(_)) => return,
                    }
                }
                Err(error) => {
                    self.shared.store(Err(error.to_string()));
                    tokio::time::sleep(backoff(failures)).await;
                    failures += 1;
                }
            }
            let _ = written.borrow_and_update();
        }
    }

    async fn step(&mut self) -> Result<Step, AuditError> {
        let (shipped, upto) = (*self.shared.shipped.borrow(), *self.shared.written.borrow());
        if shipped >= upto {
            self.store.ping().await?;
            self.shared.store(Ok(()));
            return self.close_left_open(shipped).await;
        }
        let mut tail = std::mem::replace(&mut self.tail, Tail::new(self.folder.clone()));
        let (tail, read) = tokio::task::spawn_blocking(move || {
            let read = tail.read(shipped, upto);
            (tail, read)
        })
        .await
        .map_err(|error| AuditError::Store(format!("reading the spool was cut short: {error}")))?;
        self.tail = tail;
        let read = read?;
        for damage in read.damage {
            tracing::error!(%damage, "the audit spool is damaged");
            self.shared.damaged.fetch_add(1, Ordering::Relaxed);
            send_plain(&self.queue, &self.shared, Event::System(System::new(SystemKind::Corrupt, damage)));
        }
        let Some(last) = read.records.last() else { return Ok(Step::Idle) };
        let head = Head { seq: last.seq, hash: last.hash };
        if let Err(error) = self.append(&read.records).await {
            // Read the same records again next time.
            self.tail = Tail::new(self.folder.clone());
            return Err(error);
        }
        let folder = self.folder.clone();
        let freed = tokio::task::spawn_blocking(move || commit(&folder, head))
            .await
            .map_err(|error| AuditError::Store(format!("the cursor was not written: {error}")))??;
        self.shared.freed(freed);
        self.shared.shipped.send_replace(head.seq);
        self.shared.store(Ok(()));
        Ok(Step::Shipped)
    }

    /// A batch that the store refuses is halved until the one record is found; that one is stored without its rows for
    /// review. Nothing is skipped.
    async fn append(&mut self, records: &[Record]) -> Result<(), AuditError> {
        let mut parts = vec![records];
        while let Some(part) = parts.pop() {
            match self.store.append(&Rows::of(part)).await {
                Ok(()) => {}
                Err(AppendError::Away(error)) => return Err(error),
                Err(AppendError::Refused(error)) if part.len() > 1 => {
                    tracing::warn!(%error, records = part.len(), "the audit store refused a batch; it is sent in halves");
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(AppendError::Refused(error)) => {
                    self.store.append(&Rows::chain_of(part)).await.map_err(|error| match error {
                        AppendError::Away(error) | AppendError::Refused(error) => error,
                    })?;
                    tracing::error!(%error, "the audit store refused a record's rows for review; the record itself is stored");
                    self.shared.bare.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    /// Once everything of earlier runs is in the store: exchanges of this node that are open there were cut by a crash
    /// whose segments are gone.
    async fn close_left_open(&mut self, shipped: u64) -> Result<Step, AuditError> {
        if self.recovered.is_some_and(|recovered| shipped >= recovered) {
            for (exchange, whose) in self.store.open_exchanges(&self.shared.node, self.head.seq).await? {
                let event = fit::prepare(
                    interrupted(exchange, whose.tenant),
                    &whose.class,
                    &self.shared.limits,
                    &self.shared.text_keys,
                )
                .map_err(|error| AuditError::Store(error.to_string()))?
                .unmarked();
                let append = Append { event, extra: 0, spends: Spends::Nothing, ack: None };
                self.queue.send(Message::Append(append)).map_err(|_| AuditError::Stopped)?;
            }
            self.recovered = None;
        }
        Ok(Step::Idle)
    }
}

enum Step {
    Idle,
    Shipped,
}

/// Remembers the last shipped record, then deletes the segments that hold nothing else; gives the bytes freed.
fn commit(folder: &Path, head: Head) -> Result<u64, AuditError> {
    let cursor = folder.join(CURSOR_FILE);
    segment::replace(&cursor, &write_head(head)).map_err(spool_error("write", &cursor))?;
    let segments = segment::list(folder)?;
    let mut freed = 0;
    for (old, next) in segments.iter().zip(segments.iter().skip(1)) {
        if next.first > head.seq + 1 {
            break;
        }
        fs::remove_file(&old.path).map_err(spool_error("delete", &old.path))?;
        freed += old.bytes;
    }
    Ok(freed)
}

/// 0.1 s, doubling up to 10 s, and half of it at random, so that nodes do not knock together.
pub(crate) fn backoff(failures: u32) -> Duration {
    let full = BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX);
    let mut byte = [0u8; 1];
    // Without randomness the wait is only less spread.
    let _ = getrandom::fill(&mut byte);
    full / 2 + full.mul_f64(f64::from(byte[0]) / 512.0)
}

/// How often an idle store is asked whether it is there.
const PING: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_and_stays_bounded() {
        assert!(backoff(0) <= BACKOFF_MIN);
        assert!((BACKOFF_MAX / 2..=BACKOFF_MAX).contains(&backoff(u32::MAX)));
    }
}
