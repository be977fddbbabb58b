//! Reviewed incidents and samples become labelled, versioned, deduplicated sets for training and judging classifiers.
//!
//! ```text
//! record ─► gather ─► label ─► redact ─► near duplicates ─► quarantine, caps ─► train or eval ─► files and manifest ─► object store
//! ```
//!
//! Nobody's texts are taken who did not consent in the configuration; nothing of the redacted families leaves the record; one
//! principal, one hurried reviewer or one lie about a text does not get to teach the next model. See docs/datasets.md.

mod assemble;
mod config;
mod gather;
mod label;
mod manifest;
mod near;
mod redact;
mod row;
mod shelf;

pub use assemble::{Built, Past, assemble};
pub use config::{DatasetsConfig, EVAL_PERCENT, PER_PRINCIPAL, QUARANTINE_DAYS};
pub use gather::{GatherError, Gathered, Gatherer, Sample, Window};
pub use manifest::{EVAL, FORMAT, File, Manifest, Name, QUARANTINE, TRAIN, Terms, Version};
pub use row::{Kind, Label, Row, RowId};
pub use shelf::{Describe, Frozen, Listed, Shelf, ShelfError};

/// Rows of one set at most.
pub const ROWS_MAX: usize = 100_000;
/// Bytes of all texts of one set at most.
pub const TEXTS_MAX: usize = 256 * 1024 * 1024;
/// Bytes of one text at most.
pub const TEXT_MAX: usize = 64 * 1024;
