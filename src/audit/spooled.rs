//! The spool for readers: its records, without its lock, while the appliance may be writing and deleting segments.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::error::AuditError;
use super::frame::{self, Stretch};
use super::query::StoredEvent;
use super::record::Hash;
use super::segment;
use super::spool::spool_error;

/// What a reader meets in the spool.
pub(crate) enum Piece {
    /// A stretch that holds no record, told in a sentence.
    Damage(String),
    /// A record.
    Record(StoredEvent),
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
                Stretch::Frame { prev, body, size } => {
                    each(record(prev, body));
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

fn record(prev: Hash, body: &[u8]) -> Piece {
    #[derive(Deserialize)]
    struct Name {
        node: String,
        seq: i64,
    }
    let text = std::str::from_utf8(body).ok();
    let name = text.and_then(|text| serde_json::from_str::<Name>(text).ok());
    match (text, name) {
        (Some(text), Some(Name { node, seq })) => Piece::Record(StoredEvent {
            node,
            seq,
            prev_hash: prev.to_string(),
            hash: Hash::of(prev, body).to_string(),
            body: text.to_owned(),
        }),
        _ => Piece::Damage("a whole frame holds no record".to_owned()),
    }
}
