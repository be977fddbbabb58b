//! Where an output reads records: in the spool while they are there, so that a store that is away keeps nobody from hearing of an
//! attack; in the store when they are not there any more.

use std::path::PathBuf;

use crate::audit::error::AuditError;
use crate::audit::proof::Line;
use crate::audit::record::{Hash, Record};
use crate::audit::spool::tail::Tail;
use crate::audit::store::Store;

/// Reads one chain in order.
#[derive(Debug)]
pub(super) struct Source {
    folder: PathBuf,
    node: String,
    tail: Tail,
    store: Store,
}

impl Source {
    pub(super) fn new(folder: PathBuf, node: String, store: Store) -> Self {
        Self { tail: Tail::new(folder.clone()), folder, node, store }
    }

    /// The next records after `after` and up to `upto`, a bounded number of them; numbers that are missing are gone for good.
    ///
    /// # Errors
    /// The spool's or the store's.
    pub(super) async fn next(&mut self, after: u64, upto: u64) -> Result<Vec<Record>, AuditError> {
        let spooled = self.spooled(after, upto).await?;
        if spooled.first().is_some_and(|first| first.seq == after + 1) {
            return Ok(spooled);
        }
        let before = spooled.first().map_or(upto, |first| first.seq - 1);
        let mut stored = self.stored(after, before).await?;
        if stored.is_empty() {
            stored = spooled;
        } else {
            // What comes next may be in the spool, and is not where the reading of it stands.
            self.again();
        }
        Ok(stored)
    }

    /// Reads from the beginning again: what was read last was not delivered.
    pub(super) fn again(&mut self) {
        self.tail = Tail::new(self.folder.clone());
    }

    async fn spooled(&mut self, after: u64, upto: u64) -> Result<Vec<Record>, AuditError> {
        let mut tail = std::mem::replace(&mut self.tail, Tail::new(self.folder.clone()));
        let reading = tokio::task::spawn_blocking(move || {
            let read = tail.read(after, upto);
            (tail, read)
        });
        let (tail, read) =
            reading.await.map_err(|error| AuditError::Store(format!("reading the spool was cut short: {error}")))?;
        self.tail = tail;
        // Of damage the shipper tells: it reads the same bytes.
        Ok(read?.records)
    }

    async fn stored(&mut self, after: u64, upto: u64) -> Result<Vec<Record>, AuditError> {
        self.store.ready().await?;
        let lines = self.store.bodies(&self.node, (after + 1, upto), PAGE).await?;
        let mut records: Vec<Record> = Vec::with_capacity(lines.len());
        let mut last = after;
        for line in lines {
            // What somebody changed until it cannot be read any more is told as gone; `audit verify` says more.
            let read = serde_json::from_str::<Line>(&line).map_err(|error| error.to_string()).and_then(|line| {
                let event = line.event.ok_or("it has no body")?;
                let record = Record::parse(Hash::ZERO, event.body.as_bytes())?;
                // A body may say anything; the number that the store has it under is the one that was asked for.
                if record.seq == line.seq {
                    Ok(record)
                } else {
                    Err(format!("record {} says that it is {}", line.seq, record.seq))
                }
            });
            match read {
                Ok(record) if record.seq > last => {
                    last = record.seq;
                    records.push(record);
                }
                Ok(_) => {}
                Err(why) => tracing::error!(node = self.node, %why, "a record in the store cannot be read"),
            }
        }
        Ok(records)
    }
}

/// Records read from the store at once.
const PAGE: i64 = 500;
