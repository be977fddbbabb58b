//! Reviewed incidents and samples become labelled, versioned, deduplicated sets for training and judging classifiers.
//!
//! ```text
//! record ─► gather ─► label ─► redact ─► near duplicates ─► quarantine, caps ─► train or eval ─► files and manifest ─► object store
//! ```
//!
//! Nobody's texts are taken who did not consent in the configuration; nothing of the redacted families leaves the record; one
//! principal, one hurried reviewer or one lie about a text does not get to teach the next model. See docs/datasets.md.

mod assemble;
mod gather;
mod label;
mod manifest;
mod near;
mod redact;
mod row;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use crate::egress::ObjectsConfig;
use crate::rules::Family;

pub use assemble::{Built, Past, assemble};
pub use gather::{GatherError, Gathered, Gatherer, Sample, Window};
pub use manifest::{EVAL, FORMAT, File, Manifest, Name, QUARANTINE, TRAIN, Terms, Version};
pub use row::{Kind, Label, Row, RowId};
pub use shelf::{Describe, Frozen, Listed, Shelf, ShelfError};

/// Section `datasets`.
#[derive(Clone, Debug)]
pub struct DatasetsConfig {
    /// Where sets are kept.
    pub store: ObjectsConfig,
    /// Whose texts may be taken, by tenant, and under which licence.
    pub consent: BTreeMap<String, String>,
    /// Families of rules whose findings are taken out of texts.
    pub redact: BTreeSet<Family>,
    /// Rows that one principal may give.
    pub per_principal: usize,
    /// Days that a disposition must have stood.
    pub quarantine_days: u32,
    /// Of a hundred groups of alike texts, those for judging.
    pub eval_percent: u8,
}

/// Rows that one principal may give, when nothing is said.
pub const PER_PRINCIPAL: usize = 100;
/// Days that a disposition must have stood, when nothing is said.
pub const QUARANTINE_DAYS: u32 = 7;
/// Of a hundred groups of alike texts, those for judging, when nothing is said.
pub const EVAL_PERCENT: u8 = 20;
/// Rows of one set at most.
pub const ROWS_MAX: usize = 100_000;
/// Bytes of all texts of one set at most.
pub const TEXTS_MAX: usize = 256 * 1024 * 1024;
/// Bytes of one text at most.
pub const TEXT_MAX: usize = 64 * 1024;
