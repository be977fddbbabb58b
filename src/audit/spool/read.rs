//! The spool for readers: its records, without its lock, while the appliance may be writing and deleting segments.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::frame::{self, Stretch};
use super::segment;
use super::spool_error;
use crate::audit::error::AuditError;
use crate::audit::record::{Hash, Record};

/// What a reader meets in the spool.
pub(crate) enum Piece {
    /// A stretch that holds no record, told in a sentence.
    Damage(String),
    /// A record.
    Record(Box<Record>),
}

/// Gives every piece of the spool to `each`, oldest first. An absent spool has none.
pub(crate) fn read(folder: &Path, mut each: impl FnMut(Piece)) -> Result<(), AuditError> {
    if !folder.exists() {
        return Ok(());
    }
    // All are opened before any is read: the appliance deletes the oldest first, and an open file stays readable, so that
    // no hole can appear in the middle.
    let mut files = Vec::new();
    for segment in segment::list(folder)? {
        match File::open(&segment.path) {
            Ok(file) => files.push((segment, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => files.clear(),
            Err(error) => return Err(spool_error("open", &segment.path)(error)),
        }
    }
    let count = files.len();
    for (index, (segment, mut file)) in files.into_iter().enumerate() {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(spool_error("read", &segment.path))?;
        let mut at = 0;
        while let Some(stretch) = bytes.get(at..).and_then(frame::next) {
            at += match stretch {
                Stretch::Frame { prev, body, text, size } => {
                    each(record(prev, body, text));
                    size
                }
                // A record that is being written, or was torn by a crash and is cut at the next start.
                Stretch::Tail(_) if index + 1 == count => break,
                Stretch::Damaged(gone) | Stretch::Tail(gone) => {
                    let name = segment.path.file_name().unwrap_or_default().display();
                    each(Piece::Damage(format!("{} damaged bytes at offset {at} of {name}", gone.len())));
                    gone.len()
                }
            };
        }
    }
    Ok(())
}

fn record(prev: Hash, body: &[u8], text: Option<&[u8]>) -> Piece {
    match Record::framed(prev, body, text) {
        Ok(record) => Piece::Record(Box::new(record)),
        Err(why) => Piece::Damage(format!("a whole frame holds no record: {why}")),
    }
}
