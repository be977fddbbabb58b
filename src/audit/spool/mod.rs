//! The local, append-only spool: segment files under the state folder, one writer, one chain.
//!
//! A record is safe from `kill -9` once `write` has returned, because the page cache belongs to the kernel. Against power
//! loss only `fsync` helps: see [`Fsync`]. A tail that a crash tore is cut at start; a damaged stretch in the middle is
//! copied to `quarantine/` and reported, and the records around it stay.

pub(super) mod frame;
pub(super) mod read;
pub(super) mod segment;
pub(super) mod sync;
pub(super) mod tail;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::frame::Stretch;
use self::segment::Segment;
use super::error::AuditError;
use super::event::Event;
use super::proof::period::Period;
use super::record::{Hash, Head, Mark, Record};
use crate::base::ExchangeId;

/// When the spool is forced to the disk. `kill -9` costs nothing in any of them; this is about power loss.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fsync {
    /// Before a record counts as written: power loss costs nothing. One fsync for each group of waiting records.
    Always,
    /// Every so many milliseconds: power loss costs at most the records of that time.
    EveryMs(u64),
    /// When the operating system pleases.
    Never,
}

/// What start-up found in the spool.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where the chain goes on.
    pub(crate) head: Head,
    /// The period that the chain is in; `None`: not known, a new one begins.
    pub(crate) period: Option<Period>,
    /// Exchanges begun and not ended.
    pub(crate) open: HashMap<ExchangeId, Whose>,
    /// Bytes cut from a torn tail.
    pub(crate) torn_bytes: u64,
    /// Damaged stretches, each told in a sentence.
    pub(crate) damage: Vec<String>,
}

/// To whom an open exchange belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Whose {
    /// The tenant.
    pub(crate) tenant: String,
    /// The retention class of its begin, and so of its end.
    pub(crate) class: String,
}

/// The writer's side of the spool.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    active: File,
    active_first: u64,
    active_bytes: u64,
    segment_bytes: u64,
    head: Head,
    period: Option<Period>,
    dirty: bool,
    /// A failed write may have left bytes after `active_bytes`.
    unclean: bool,
    _lock: File,
}

impl Spool {
    /// Opens the spool in `folder`, takes its lock, and reads what is there.
    pub(crate) fn open(folder: &Path, segment_bytes: u64) -> Result<(Self, Found), AuditError> {
        make_folder(folder)?;
        let lock = take_lock(folder)?;
        let segments = segment::list(folder)?;
        let mut found = read_all(folder, &segments)?;
        for known in [read_head(&folder.join(HEAD_FILE)), read_head(&folder.join(CURSOR_FILE))].into_iter().flatten() {
            if known.seq > found.head.seq {
                found.head = known;
            }
        }
        let head = found.head;
        let period = found.period.take_if(|period| period.head() == Some(head));
        found.period.clone_from(&period);
        let (active_first, active_path, active_bytes) = match segments.last() {
            Some(last) => {
                let bytes = fs::metadata(&last.path).map_err(spool_error("read", &last.path))?.len();
                (last.first, last.path.clone(), bytes)
            }
            None => (head.seq + 1, segment::path(folder, head.seq + 1), 0),
        };
        let active = open_segment(&active_path).map_err(spool_error("open", &active_path))?;
        segment::sync_folder(folder).map_err(spool_error("sync", folder))?;
        let spool = Self {
            folder: folder.to_owned(),
            active,
            active_first,
            active_bytes,
            segment_bytes,
            head,
            period,
            dirty: true,
            unclean: false,
            _lock: lock,
        };
        Ok((spool, found))
    }

    /// Where the chain stands.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The period that the chain is in; `None`: not known.
    pub(crate) fn period(&self) -> Option<&Period> {
        self.period.as_ref()
    }

    /// Appends frames that were made from [`Spool::head`] on, all or none. `head` and `period` are where the chain stands
    /// after them.
    pub(crate) fn append(&mut self, frames: &[u8], head: Head, period: Option<Period>) -> io::Result<()> {
        if self.unclean {
            self.active.set_len(self.active_bytes)?;
            self.unclean = false;
        }
        if self.active_bytes >= self.segment_bytes {
            self.rotate()?;
        }
        if let Err(error) = self.active.write_all_at(frames, self.active_bytes) {
            self.unclean = self.active.set_len(self.active_bytes).is_err();
            return Err(error);
        }
        self.active_bytes += frames.len() as u64;
        self.head = head;
        self.period = period;
        self.dirty = true;
        Ok(())
    }

    /// Forces what was written to the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.active.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// The file that is to be forced to the disk by somebody else: from now on what was written counts as synced.
    pub(crate) fn give_to_sync(&mut self) -> io::Result<File> {
        let file = self.active.try_clone()?;
        self.dirty = false;
        Ok(file)
    }

    /// What was given to somebody else to sync is not on the disk.
    pub(crate) fn not_synced(&mut self) {
        self.dirty = true;
    }

    /// True when something was written since the last [`Spool::sync`].
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Tries whether the disk takes `bytes` more, without touching the record.
    pub(crate) fn probe(&self, bytes: usize) -> io::Result<()> {
        let path = self.folder.join("probe.tmp");
        let tried = File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0; bytes])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&path);
        tried.and(removed)
    }

    /// Begins a new segment, unless this one is empty.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        if self.active_bytes == 0 {
            return Ok(());
        }
        // A closed segment is never synced again, so it must be on the disk now.
        self.active.sync_data()?;
        // What of the period lies in older segments is known from this file alone once they are deleted.
        let period = serde_json::to_vec(&self.period)?;
        segment::replace(&self.folder.join(PERIOD_FILE), &period)?;
        segment::replace(&self.folder.join(HEAD_FILE), &write_head(self.head))?;
        let first = self.head.seq + 1;
        self.active = open_segment(&segment::path(&self.folder, first))?;
        segment::sync_folder(&self.folder)?;
        self.active_first = first;
        self.active_bytes = 0;
        Ok(())
    }
}

/// The file that remembers the chain's head when its segments are gone.
pub(crate) const HEAD_FILE: &str = "head";
/// The file that remembers the period at the same time.
const PERIOD_FILE: &str = "period";
/// The file that remembers the last shipped record.
pub(crate) const CURSOR_FILE: &str = "shipped";

/// `seq hash\n`, as in the head and cursor files.
pub(crate) fn write_head(head: Head) -> Vec<u8> {
    format!("{} {}\n", head.seq, head.hash).into_bytes()
}

/// Reads a head or cursor file; `None` when it is absent or damaged (then the segments or the store tell).
pub(crate) fn read_head(path: &Path) -> Option<Head> {
    let text = fs::read_to_string(path).ok()?;
    let (seq, hash) = text.trim_end().split_once(' ')?;
    Some(Head { seq: seq.parse().ok()?, hash: Hash::parse(hash)? })
}

/// Copies damaged bytes to quarantine. Gives the sentence for the log, or `None` when that stretch was reported before.
pub(crate) fn quarantine(folder: &Path, first: u64, offset: u64, bytes: &[u8], after: u64) -> Option<String> {
    let path = folder.join("quarantine").join(format!("segment-{first:020}-{offset}.bin"));
    if path.exists() {
        return None;
    }
    let kept = keep(folder, &path, bytes).map_or_else(
        |error| format!("they could not be copied to quarantine: {error}"),
        |()| format!("they are kept in {}", path.display()),
    );
    Some(format!(
        "{} damaged bytes at offset {offset} of segment {first}, after record {after}: the records in them are lost to the \
         store; {kept}",
        bytes.len()
    ))
}

fn keep(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), String> {
    make_folder(&folder.join("quarantine")).map_err(|error| error.to_string())?;
    segment::replace(path, bytes).map_err(|error| error.to_string())
}

/// A spool error with its deed and path.
pub(crate) fn spool_error<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> AuditError + use<'a> {
    move |source| AuditError::Spool { what, path: path.to_owned(), source }
}

/// Makes a folder that only its owner can read: audit records name people.
pub(crate) fn make_folder(folder: &Path) -> Result<(), AuditError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(spool_error("create", folder))
}

fn open_segment(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn take_lock(folder: &Path) -> Result<File, AuditError> {
    let path = folder.join("lock");
    let mut file = open_segment(&path).map_err(spool_error("open", &path))?;
    let mut locked = file.try_lock();
    for _ in 0..LOCK_TRIES {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        // A predecessor that is just stopping.
        thread::sleep(LOCK_WAIT);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => {
            // For the message that a second process gets; the lock itself is the kernel's and dies with us.
            let pid = format!("{}\n", std::process::id());
            file.set_len(0).and_then(|()| file.write_all_at(pid.as_bytes(), 0)).map_err(spool_error("write", &path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let pid = file.read_to_string(&mut pid).ok().and_then(|_| pid.trim().parse().ok());
            Err(AuditError::Locked { path: folder.to_owned(), pid })
        }
        Err(TryLockError::Error(source)) => Err(spool_error("lock", &path)(source)),
    }
}

fn read_all(folder: &Path, segments: &[Segment]) -> Result<Found, AuditError> {
    let mut found = Found { period: read_period(&folder.join(PERIOD_FILE)), ..Found::default() };
    for (index, segment) in segments.iter().enumerate() {
        let bytes = fs::read(&segment.path).map_err(spool_error("read", &segment.path))?;
        let is_last = index + 1 == segments.len();
        let mut offset = 0;
        while let Some(stretch) = bytes.get(offset..).and_then(frame::next) {
            match stretch {
                Stretch::Frame { prev, body, text, size } => {
                    note(&mut found, prev, body, text).map_err(|why| AuditError::Unreadable {
                        path: segment.path.clone(),
                        offset: offset as u64,
                        why,
                    })?;
                    offset += size;
                }
                Stretch::Damaged(gone) => {
                    found.damage.extend(quarantine(folder, segment.first, offset as u64, gone, found.head.seq));
                    offset += gone.len();
                }
                Stretch::Tail(gone) if is_last => {
                    cut(folder, segment, offset as u64, gone, &mut found)?;
                    break;
                }
                Stretch::Tail(gone) => {
                    found.damage.extend(quarantine(folder, segment.first, offset as u64, gone, found.head.seq));
                    break;
                }
            }
        }
    }
    Ok(found)
}

fn note(found: &mut Found, prev: Hash, body: &[u8], text: Option<&[u8]>) -> Result<(), String> {
    let record = Record::framed(prev, body, text)?;
    follow(&mut found.period, &record);
    match Mark::of(&record.event) {
        Mark::Begin(exchange) => {
            let tenant = record.event.tenant().to_owned();
            found.open.insert(exchange, Whose { tenant, class: record.class.clone() });
        }
        Mark::End(exchange) => {
            found.open.remove(&exchange);
        }
        Mark::Other | Mark::Seal => {}
    }
    found.head = Head { seq: record.seq, hash: record.hash };
    Ok(())
}

/// Takes a record into the period. One that does not follow on costs the period: the writer then begins a new one.
fn follow(period: &mut Option<Period>, record: &Record) {
    let begins = matches!(&record.event, Event::Seal(seal) if seal.size() == 0);
    match period {
        // What the file knows already.
        Some(known) if record.seq < known.next_seq() => {}
        Some(known) if record.seq == known.next_seq() && !begins => {
            if known.day != record.day {
                *known = Period::new(record.day, record.seq);
            }
            known.push(record.hash);
        }
        _ if record.seq == 1 || begins => {
            let mut fresh = Period::new(record.day, record.seq);
            fresh.push(record.hash);
            *period = Some(fresh);
        }
        _ => *period = None,
    }
}

fn read_period(path: &Path) -> Option<Period> {
    let period: Option<Period> = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    period.filter(Period::is_sound)
}

/// Cuts the torn tail, which no caller was ever told to be written; its bytes go to quarantine all the same.
fn cut(folder: &Path, segment: &Segment, offset: u64, gone: &[u8], found: &mut Found) -> Result<(), AuditError> {
    // Best effort: a full disk must not keep the appliance from starting.
    let _ = keep(folder, &folder.join("quarantine").join(format!("torn-{:020}-{offset}.bin", segment.first)), gone);
    open_segment(&segment.path)
        .and_then(|file| {
            file.set_len(offset)?;
            file.sync_all()
        })
        .map_err(spool_error("cut the torn tail of", &segment.path))?;
    found.torn_bytes += gone.len() as u64;
    Ok(())
}

/// How often, and how far apart, the lock is tried.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(50);
