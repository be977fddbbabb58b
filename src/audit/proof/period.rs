//! The period that is being written: the records of one node and day, as a growing Merkle tree.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::key::SigningKey;
use super::merkle::Frontier;
use super::seal::{Seal, Unsigned};
use crate::audit::record::{Hash, Head};

/// A period, and where the chain stands in it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Period {
    /// Its day.
    pub(crate) day: Date,
    /// Its first record.
    first_seq: u64,
    tree: Frontier,
    /// The hash of its last record.
    hash: Hash,
}

impl Period {
    /// A period without records, whose first one will be `seq`.
    pub(crate) fn new(day: Date, seq: u64) -> Self {
        Self { day, first_seq: seq, tree: Frontier::default(), hash: Hash::ZERO }
    }

    /// Where the chain stands; `None` before the first record.
    pub(crate) fn head(&self) -> Option<Head> {
        (self.tree.size() > 0).then(|| Head { seq: self.next_seq() - 1, hash: self.hash })
    }

    /// The number of the record that it takes next.
    pub(crate) fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(self.tree.size())
    }

    /// Takes the next record of its day.
    pub(crate) fn push(&mut self, hash: Hash) {
        self.tree.push(hash);
        self.hash = hash;
    }

    /// A seal over all of it. `head`: where the chain stands, also when this period has no record yet.
    pub(crate) fn seal(&self, node: &str, (at, head): (Timestamp, Head), is_last: bool, key: &SigningKey) -> Seal {
        let unsigned = Unsigned {
            at,
            day: self.day,
            first_seq: self.first_seq,
            last_seq: head.seq,
            root: self.tree.root(),
            hash: head.hash,
            is_last,
        };
        Seal::sign(node, unsigned, key)
    }

    /// Whether a seal in record `seq` says what is here.
    pub(crate) fn agrees(&self, seal: &Seal, head: Head) -> bool {
        (seal.day, seal.first_seq, seal.last_seq) == (self.day, self.first_seq, head.seq)
            && (seal.root, seal.hash) == (self.tree.root(), head.hash)
    }

    /// True when it could have come about by adding records: for what was read from a file.
    pub(crate) fn is_sound(&self) -> bool {
        self.tree.is_sound() && self.first_seq > 0
    }
}
