//! What is in the archive of one part of one day: a JSON object beside the files.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::proof::{Gone, Part};

/// The version of the manifests' shape.
pub(super) const FORMAT: u32 = 1;

/// The files of one part of one day and class.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// What of the day.
    pub part: Part,
    /// The day.
    pub day: Date,
    /// The retention class; `None`: all.
    pub class: Option<String>,
    /// The machine that wrote it.
    pub node: String,
    /// When it was written last.
    pub at: Timestamp,
    /// Whether everything is there. What is not is gone on with.
    pub complete: bool,
    /// The files, table by table, in order.
    pub files: Vec<ArchivedFile>,
    /// The records, chain by chain, as the tombstone has them.
    pub chains: Vec<Gone>,
}

/// A Parquet file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ArchivedFile {
    /// The table that its rows are of.
    pub table: String,
    /// Its name, under the archive's prefix.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// The SHA-256 of its rows as lines of JSON, in hex: what the store had.
    pub rows_sha256: String,
    /// The key of its last row, as JSON: where the next file goes on.
    pub last: String,
}

impl Manifest {
    /// Its own name, under the archive's prefix.
    pub fn name(&self) -> String {
        name(self.part, self.day, self.class.as_deref())
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// The name of a manifest.
pub(super) fn name(part: Part, day: Date, class: Option<&str>) -> String {
    match class {
        Some(class) => format!("{FOLDER}/{day}/{}-{class}.json", part.name()),
        None => format!("{FOLDER}/{day}/{}.json", part.name()),
    }
}

/// Where manifests lie.
pub(super) const FOLDER: &str = "manifests";
