//! Files of a model, read whole within a bound and held against the size and hash that the manifest names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::Limits;
use crate::model::error::ModelError;

/// One file as the manifest names it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its plain name in the model's folder.
    pub file: String,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl FileEntry {
    pub(super) fn problems(&self, key: &str, limits: &Limits) -> Vec<String> {
        let mut problems = Vec::new();
        if !is_plain_name(&self.file) {
            problems.push(format!("`{key}.file` {:?} must be a plain file name in the model's folder", self.file));
        }
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_hex) {
            problems.push(format!("`{key}.sha256` must be 64 lower-case hexadecimal digits"));
        }
        if self.bytes == 0 || self.bytes > limits.model_file_bytes {
            problems.push(format!(
                "`{key}.bytes` is {}; it must be 1 to {} (limit `model_file_bytes`)",
                self.bytes, limits.model_file_bytes
            ));
        }
        problems
    }

    /// Reads the file in `dir` and checks its size and hash. What comes back is what was checked: later changes on disk
    /// change nothing.
    pub fn read(&self, dir: &Path) -> Result<Vec<u8>, ModelError> {
        let path = dir.join(&self.file);
        let bytes = read_bounded(&path, self.bytes)?;
        if bytes.len() as u64 != self.bytes {
            let problem =
                format!("{} bytes, but the manifest says {}; fetch or export it again", bytes.len(), self.bytes);
            return Err(ModelError::file(path, problem));
        }
        let found = sha256_hex(&bytes);
        if found != self.sha256 {
            let problem = format!("sha256 is {found}, but the manifest says {}; fetch or export it again", self.sha256);
            return Err(ModelError::file(path, problem));
        }
        Ok(bytes)
    }
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let failed = |error: std::io::Error| ModelError::file(path, format!("cannot be read: {error}"));
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    let before = std::fs::metadata(path).map_err(failed)?;
    if !before.is_file() {
        return Err(ModelError::file(path, "is not a regular file"));
    }
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(ModelError::file(path, format!("{size} bytes; at most {limit} are expected")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // One byte more than allowed shows a file that grows while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(ModelError::file(path, format!("more than the expected {limit} bytes")));
    }
    Ok(bytes)
}

/// A name without folders, so that a manifest cannot point outside its own folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
