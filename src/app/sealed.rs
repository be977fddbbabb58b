//! Small files that are whole or not there: written beside, flushed, renamed, with a checksum in front.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Bytes of one such file; far more than any that is written.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Writes a value in place of an earlier one. When this returns, it outlives a power cut.
pub(super) fn replace(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write(&beside, value)?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), flush_folder)
}

/// Writes a value into a new file.
pub(super) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    write_bytes(path, format!("{}\n{json}\n", digest(json.as_bytes())).as_bytes())
}

/// Writes a new file that its owner alone can read, and flushes it.
pub(super) fn write_bytes(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Reads what [`replace`] or [`write`] wrote; `None`: there is no such file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    let (sum, json) = text.split_once('\n').unwrap_or_default();
    let json = json.trim_end();
    if digest(json.as_bytes()) != sum {
        return Err(io::Error::other("its checksum does not fit: it was damaged or changed by hand"));
    }
    serde_json::from_str(json).map(Some).map_err(io::Error::other)
}

/// Makes a folder, with those above it, that its owner alone can enter.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes names in a folder outlive a power cut.
pub(super) fn flush_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value.json");
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), None);
        replace(&path, &[1, 2]).unwrap();
        replace(&path, &[1, 2, 3]).unwrap();
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), Some(vec![1, 2, 3]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() - 1 {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(read::<Vec<u32>>(&path).is_err(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(read::<Vec<u32>>(&path).is_err(), "cut at {at}");
        }
    }
}
