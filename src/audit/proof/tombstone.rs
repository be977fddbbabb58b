//! Tombstones: what was given up of the record, and why. A record of the chain itself, written and sealed before anything goes.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::archive::Archived;
use crate::audit::record::Hash;

/// What one day lost.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tombstone {
    /// When it was decided.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// What goes.
    pub part: Part,
    /// The day whose partitions go.
    pub day: Date,
    /// The retention class; `None` for [`Part::Chain`], which goes when no class has anything left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Where it was kept before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
    /// The records, chain by chain.
    pub chains: Vec<Gone>,
}

/// Records of one chain that a tombstone stands for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gone {
    /// The chain.
    pub node: String,
    /// The first of them.
    pub first_seq: u64,
    /// The last of them.
    pub last_seq: u64,
    /// How many: records of other classes may lie between.
    pub records: u64,
    /// The Merkle root over their hashes, in order.
    pub root: Hash,
    /// The hash of the last one, to which the next record of the chain is tied.
    pub hash: Hash,
}

/// Why something was given up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The time that its class is kept is over.
    Retention,
}

/// What of a day is given up.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The hashes of the chain: `audit_chain`.
    Chain,
    /// The bodies of records: `audit_event`.
    Events,
    /// The rows made from them for review: `exchange`, `verdict`, `finding`.
    Review,
    /// Prompts and replies in full: `passage_text`.
    Texts,
}

impl Part {
    /// The name in configuration, metrics and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Events => "events",
            Self::Review => "review",
            Self::Texts => "texts",
        }
    }
}
