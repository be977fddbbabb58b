//! The chain's name: the configured node (or `node`) and a random part that is made with the state folder.
//!
//! The random part keeps two chains apart when a state folder is lost or two machines are given the same name: each
//! (node, sequence) pair is used once, ever.

use std::fs;
use std::io;
use std::path::Path;

use super::error::AuditError;
use super::fit::NODE_BYTES;
use super::spool::{segment, spool_error};

/// The name kept in `folder`, made when there is none. A changed configured name starts a new chain name with the same
/// random part.
pub(crate) fn name(folder: &Path, configured: Option<&str>) -> Result<String, AuditError> {
    let configured = configured.unwrap_or(DEFAULT);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if configured.is_empty() || configured.len() > NODE_BYTES - 1 - SUFFIX_DIGITS || !configured.chars().all(allowed) {
        return Err(AuditError::Limits(format!(
            "the node's name must be 1 to {} letters, digits, '-', '_' or '.'",
            NODE_BYTES - 1 - SUFFIX_DIGITS
        )));
    }
    let path = folder.join("node");
    let suffix = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let suffix = random()?;
            segment::replace(&path, format!("{suffix}\n").as_bytes()).map_err(spool_error("write", &path))?;
            suffix
        }
        Err(error) => return Err(spool_error("read", &path)(error)),
    };
    if suffix.len() != SUFFIX_DIGITS || !suffix.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(AuditError::Limits(format!(
            "{} must hold {SUFFIX_DIGITS} hex digits; restore it, or move the folder away to start a new chain",
            path.display()
        )));
    }
    Ok(format!("{configured}-{suffix}"))
}

/// Whether two chains are of one machine: the random part is the same.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let suffix = |name: &str| name.rsplit_once('-').map(|(_, suffix)| suffix.to_owned());
    suffix(one).is_some() && suffix(one) == suffix(other)
}

/// The name in `folder`, for readers; `None` when there is none yet.
pub(crate) fn peek(folder: &Path, configured: Option<&str>) -> Option<String> {
    let suffix = fs::read_to_string(folder.join("node")).ok()?;
    Some(format!("{}-{}", configured.unwrap_or(DEFAULT), suffix.trim()))
}

fn random() -> Result<String, AuditError> {
    let mut bytes = [0u8; SUFFIX_DIGITS / 2];
    getrandom::fill(&mut bytes).map_err(|error| AuditError::Limits(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The name of a node that was given none.
const DEFAULT: &str = "node";
const SUFFIX_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_and_differs_between_folders() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = name(one.path(), Some("edge")).unwrap();
        assert_eq!(name(one.path(), Some("edge")).unwrap(), first);
        assert_ne!(name(two.path(), Some("edge")).unwrap(), first);
        assert!(first.starts_with("edge-") && first.len() == 13);
    }

    #[test]
    fn bad_names_and_a_damaged_file_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "a b", "é", "x\ny"] {
            assert!(name(folder.path(), Some(bad)).is_err(), "{bad:?}");
        }
        assert!(name(folder.path(), Some(&"n".repeat(NODE_BYTES - 9))).is_ok());
        assert!(name(folder.path(), Some(&"n".repeat(NODE_BYTES - 8))).is_err());
        fs::write(folder.path().join("node"), "gone").unwrap();
        assert!(name(folder.path(), None).unwrap_err().to_string().contains("hex digits"));
    }
}
