//! Reads the spool from the last shipped record on, while the writer appends to it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::frame::{self, Stretch};
use super::segment::{self, Segment};
use super::{quarantine, spool_error};
use crate::audit::error::AuditError;
use crate::audit::record::Record;

/// A place in the spool.
#[derive(Debug)]
pub(crate) struct Tail {
    folder: PathBuf,
    /// The segment and the offset in it up to which everything was given out.
    place: Option<(u64, u64)>,
    /// Damage is put in quarantine, and told of; else it is passed over.
    tells_damage: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Whole records, in order.
    pub(crate) records: Vec<Record>,
    /// Damage seen for the first time.
    pub(crate) damage: Vec<String>,
}

impl Tail {
    /// From the start of what is there.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, place: None, tells_damage: true }
    }

    /// The same, for whoever reads beside the shipper: damage is told of once, and the shipper is the one to tell.
    pub(crate) fn beside(folder: PathBuf) -> Self {
        Self { tells_damage: false, ..Self::new(folder) }
    }

    /// The next records after `after` and up to `upto`, a bounded number of them. What is read is synced first: a record
    /// in the store but not on the disk would let power loss reuse its number.
    pub(crate) fn read(&mut self, after: u64, upto: u64) -> Result<Batch, AuditError> {
        let mut batch = Batch::default();
        let segments = segment::list(&self.folder)?;
        let start = self.start(&segments, after);
        for (index, segment) in segments.iter().enumerate().skip(start) {
            let offset = self.place.filter(|(first, _)| *first == segment.first).map_or(0, |(_, offset)| offset);
            let is_last = index + 1 == segments.len();
            let bytes = match load(segment, offset) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(spool_error("read", &segment.path)(error)),
            };
            let done = self.scan(&bytes, segment, offset, is_last, (after, upto), &mut batch)?;
            if done {
                break;
            }
        }
        Ok(batch)
    }

    /// The index of the segment to go on in: where the last read ended, or the one that holds the record after `after`.
    fn start(&self, segments: &[Segment], after: u64) -> usize {
        let first = self.place.map_or(after + 1, |(first, _)| first);
        segments.iter().rposition(|segment| segment.first <= first).unwrap_or(0)
    }

    /// Takes records out of one segment's bytes; true when the batch is complete.
    fn scan(
        &mut self,
        bytes: &[u8],
        segment: &Segment,
        start: u64,
        is_last: bool,
        (after, upto): (u64, u64),
        batch: &mut Batch,
    ) -> Result<bool, AuditError> {
        let mut at = 0;
        let mut size_in_batch = 0;
        let mut seq = after;
        self.place = Some((segment.first, start));
        while let Some(stretch) = bytes.get(at..).and_then(frame::next) {
            let offset = start + at as u64;
            match stretch {
                Stretch::Frame { prev, body, text, size } => {
                    let record = Record::framed(prev, body, text).map_err(|why| AuditError::Unreadable {
                        path: segment.path.clone(),
                        offset,
                        why,
                    })?;
                    if record.seq > upto {
                        return Ok(true);
                    }
                    at += size;
                    seq = record.seq;
                    if record.seq > after {
                        size_in_batch += size;
                        batch.records.push(record);
                    }
                }
                // The writer is in the middle of a record, or its last one is damaged: what follows will tell.
                Stretch::Tail(_) if is_last => return Ok(true),
                Stretch::Damaged(gone) | Stretch::Tail(gone) => {
                    if self.tells_damage {
                        batch.damage.extend(quarantine(&self.folder, segment.first, offset, gone, seq));
                    }
                    at += gone.len();
                }
            }
            self.place = Some((segment.first, start + at as u64));
            if batch.records.len() >= BATCH_RECORDS || size_in_batch >= BATCH_BYTES {
                return Ok(true);
            }
        }
        Ok(seq >= upto)
    }
}

fn load(segment: &Segment, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(&segment.path)?;
    file.sync_data()?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Records shipped with one commit.
const BATCH_RECORDS: usize = 1000;
/// Bytes shipped with one commit, about.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
