//! What can go wrong around the record, in sentences that say what to do. No message ever holds the store's password.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// An error of the audit module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The archive cannot be used, or does not have what it should.
    #[error("the archive: {0}")]
    Archive(String),
    /// An export could not be written.
    #[error("the export: {0}")]
    Export(String),
    /// An exported file cannot be read.
    #[error("{}, line {number}: {why}; each line must be one that `portcullis audit export` wrote", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line; 0: the file itself.
        number: usize,
        /// What is wrong.
        why: String,
    },
    /// A limit that cannot work.
    #[error("audit limits: {0}")]
    Limits(String),
    /// A key of the audit cannot be used.
    #[error("the audit's key {}: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// An output cannot be started.
    #[error("output {name}: {why}")]
    Output {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// The record of another region cannot be opened.
    #[error("region {region}: {error}")]
    Region {
        /// The region.
        region: String,
        /// Why.
        error: Box<AuditError>,
    },
    /// A region that is none.
    #[error("there is no region `{name}` here; there is {}", known.join(", "))]
    NoRegion {
        /// What was asked for.
        name: String,
        /// The names of all.
        known: Vec<String>,
    },
    /// A search, or work on texts, that cannot be done.
    #[error("recorded texts: {0}")]
    Search(String),
    /// Another process owns the spool.
    #[error(
        "the audit spool {} is in use by another process{}; stop it, or give this one a state folder of its own (`state` in the configuration)",
        path.display(),
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The spool's folder.
        path: PathBuf,
        /// Who holds it, where known.
        pid: Option<u32>,
    },
    /// The spool's folder cannot be used.
    #[error("audit spool: cannot {what} {}: {source}{}", path.display(), advice(source))]
    Spool {
        /// The deed that failed.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A whole record that this program does not understand.
    #[error(
        "audit spool: the record at offset {offset} of {} is whole but unknown to this version ({why}); start the version \
         that wrote it until everything is shipped to the store",
        path.display()
    )]
    Unreadable {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Why.
        why: String,
    },
    /// Something cannot be proved.
    #[error("no proof: {0}")]
    Proof(String),
    /// A store is configured wrongly: nothing but a changed configuration or database helps.
    #[error("audit store: {0}")]
    StoreConfig(String),
    /// A store could not be reached or failed; it is tried again.
    #[error("audit store: {0}")]
    Store(String),
    /// The appliance is stopping.
    #[error("the audit writer has stopped")]
    Stopped,
}

impl AuditError {
    /// True when trying again cannot help without a change by a person.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; let the user that runs Portcullis own that folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free space on that disk",
        io::ErrorKind::ReadOnlyFilesystem => "; the state folder must be on a writable file system",
        _ => "",
    }
}
