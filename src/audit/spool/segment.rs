//! The spool's files: segments named by the first sequence number in them, and small files that are replaced whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::audit::error::AuditError;

/// One segment on disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Segment {
    /// The first sequence number it may hold; also its name.
    pub(crate) first: u64,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its size in bytes.
    pub(crate) bytes: u64,
}

/// The path of the segment that starts at `first`.
pub(crate) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{first:020}{SUFFIX}"))
}

/// All segments, oldest first.
pub(crate) fn list(folder: &Path) -> Result<Vec<Segment>, AuditError> {
    let failed = |source| AuditError::Spool { what: "list", path: folder.to_owned(), source };
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(first) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok())
        else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) => segments.push(Segment { first, path: entry.path(), bytes: metadata.len() }),
            // The appliance may delete a shipped segment while the command line reads.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// Writes a small file so that after a crash it is either the old one or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes names in a folder survive power loss.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".log";
