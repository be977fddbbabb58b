//! The terms on which sets are made.

use std::collections::{BTreeMap, BTreeSet};

use crate::egress::ObjectsConfig;
use crate::rules::Family;

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
