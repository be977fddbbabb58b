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
        Self { tail: Tail::beside(folder.clone()), folder, node, store }
    }

    /// The next records after `after` and up to `upto`, a bounded number of them; numbers that are missing are gone for good.
    ///
    /// # Errors
    /// The spool's or the store's.
    pub(super) async fn next(&mut self, after: u64, upto: u64) -> Result<Vec<Record>, AuditError> {
        let mut spooled = self.spooled(after, upto).await?;
        // A hole may be a segment that was shipped and deleted between two reads, and is in the store then: what is before it goes
        // first, and the next call asks for what is in it.
        let whole = spooled.windows(2).take_while(|pair| pair[1].seq == pair[0].seq + 1).count() + 1;
        if whole < spooled.len() {
            spooled.truncate(whole);
            self.again();
        }
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
        self.tail = Tail::beside(self.folder.clone());
    }

    async fn spooled(&mut self, after: u64, upto: u64) -> Result<Vec<Record>, AuditError> {
        let mut tail = std::mem::replace(&mut self.tail, Tail::beside(self.folder.clone()));
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
        let (mut records, mut last): (Vec<Record>, u64) = (Vec::new(), after);
        // A page of which nothing can be read is no end: what comes after it is there.
        while records.is_empty() && last < upto {
            let lines = self.store.bodies(&self.node, (last + 1, upto), PAGE).await?;
            if lines.is_empty() {
                break;
            }
            for line in lines {
                let line: Line = serde_json::from_str(&line)
                    .map_err(|error| AuditError::Store(format!("a record's row is odd: {error}")))?;
                // Of two under one number the first counts.
                if line.seq <= last {
                    continue;
                }
                last = line.seq;
                match read(&line) {
                    Ok(record) => records.push(record),
                    // What somebody changed until it cannot be read any more is told as gone; `audit verify` says more.
                    Err(why) => {
                        tracing::error!(node = self.node, seq = line.seq, %why, "a record in the store cannot be read")
                    }
                }
            }
        }
        Ok(records)
    }
}

/// The record of a line. A body may say anything; the number that the store has it under is the one that was asked for.
fn read(line: &Line) -> Result<Record, String> {
    let event = line.event.as_ref().ok_or("it has no body")?;
    let record = Record::parse(Hash::ZERO, event.body.as_bytes())?;
    if record.seq != line.seq {
        return Err(format!("it says that it is record {}", record.seq));
    }
    Ok(record)
}

/// Records read from the store at once.
const PAGE: i64 = 500;
