//! To the end of a file. One that is moved away or deleted, as logrotate does, is made anew before the next lines.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Line, Undelivered, text};

/// A file that lines are put at the end of.
pub(in crate::audit::outputs) struct File {
    path: PathBuf,
    open: Arc<Mutex<Option<fs::File>>>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: Arc::default() }
    }

    pub(super) async fn deliver(&self, lines: &[Line]) -> Result<(), Undelivered> {
        let (path, open, text) = (self.path.clone(), Arc::clone(&self.open), text(lines));
        let write = move || {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            let written = append(&path, &mut open, text.as_bytes());
            if written.is_err() {
                *open = None;
            }
            written.map_err(|error| format!("{}: {error}", path.display()))
        };
        tokio::task::spawn_blocking(write).await.map_err(Undelivered::away)?.map_err(Undelivered::away)
    }
}

/// Whole lines or, as far as the disk allows, none.
fn append(path: &Path, open: &mut Option<fs::File>, text: &[u8]) -> io::Result<()> {
    let is_same = |file: &fs::File| {
        let there = fs::metadata(path).ok();
        file.metadata().ok().zip(there).is_some_and(|(own, there)| (own.dev(), own.ino()) == (there.dev(), there.ino()))
    };
    if !open.as_ref().is_some_and(is_same) {
        *open = Some(reopen(path)?);
    }
    let Some(file) = open else { return Ok(()) };
    let before = file.metadata()?.len();
    let written = file.write_all(text).and_then(|()| file.sync_data());
    if written.is_err() {
        // The disk is full, most likely: half a line would be nobody's.
        let _ = file.set_len(before);
    }
    written
}

/// Only its owner may read it: excerpts are in it. A line that a crash tore is ended, so that the next one stands for itself.
fn reopen(path: &Path) -> io::Result<fs::File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_moved_away_is_made_anew_and_a_torn_line_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("eve.json"), folder.path().join("eve.json.1"));
        let mut open = None;
        append(&path, &mut open, b"{\"a\":1}\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        append(&path, &mut open, b"{\"a\":2}\n").unwrap();
        assert_eq!(fs::read(&moved).unwrap(), b"{\"a\":1}\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::write(&path, b"{\"a\":2}\n{\"torn").unwrap();
        append(&path, &mut None, b"{\"a\":3}\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"a\":2}\n{\"torn\n{\"a\":3}\n");
        fs::remove_file(&path).unwrap();
        append(&path, &mut open, b"{\"a\":4}\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"a\":4}\n");
    }

    #[test]
    fn a_full_disk_is_told_and_leaves_no_half_line() {
        let error = append(Path::new("/dev/full"), &mut None, b"{}\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
