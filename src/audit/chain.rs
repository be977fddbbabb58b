//! The proof of a chain: every record's hash is computed again and each must name its predecessor. Pure.

use serde::Serialize;

use super::query::StoredEvent;
use super::record::{Hash, Head};

/// The first thing in a chain that does not hang together.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Break {
    /// The record at which it shows.
    pub seq: u64,
    /// What is wrong.
    pub kind: BreakKind,
    /// For people.
    pub detail: String,
}

/// What can be wrong with a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// The record's bytes, its previous hash or its hash were changed.
    Changed,
    /// One or more records before this one are gone.
    Missing,
    /// The record stands under a number that is not its own, or twice.
    Reordered,
}

/// A walk along one chain, in order of the stored numbers.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) records: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    hash: Hash,
}

impl Walk {
    /// Takes the next record, or says what is wrong with it.
    pub(crate) fn step(&mut self, stored: &StoredEvent) -> Result<(), Break> {
        let seq = u64::try_from(stored.seq).unwrap_or(0);
        let fail = |kind, detail: String| Err(Break { seq, kind, detail });
        let (Some(prev), Some(hash)) = (Hash::parse(&stored.prev_hash), Hash::parse(&stored.hash)) else {
            return fail(BreakKind::Changed, format!("record {seq} has a hash that is none"));
        };
        if Hash::of(prev, stored.body.as_bytes()) != hash {
            return fail(BreakKind::Changed, format!("record {seq}: its bytes do not give its hash"));
        }
        match inner(&stored.body) {
            Some((node, inside)) if node == stored.node && inside == seq => {}
            Some((node, inside)) => {
                return fail(
                    BreakKind::Reordered,
                    format!("the row of {} {seq} holds record {inside} of {node}", stored.node),
                );
            }
            None => return fail(BreakKind::Changed, format!("record {seq} is no record")),
        }
        if self.records > 0 {
            if seq == self.last {
                return fail(BreakKind::Reordered, format!("record {seq} is stored twice"));
            }
            if seq != self.last + 1 {
                return fail(BreakKind::Missing, format!("records {} to {} are missing", self.last + 1, seq - 1));
            }
            if prev != self.hash {
                let last = self.last;
                return fail(BreakKind::Changed, format!("record {seq} does not follow record {last} as it is now"));
            }
        } else if seq == 1 && prev != Hash::ZERO {
            return fail(BreakKind::Changed, "record 1 names a record before it".to_owned());
        } else {
            self.first = seq;
        }
        self.records += 1;
        self.last = seq;
        self.hash = hash;
        Ok(())
    }

    /// Holds the end of the walk against a head known from elsewhere: the newest records could have been taken away whole.
    pub(crate) fn reaches(&self, known: Head) -> Result<(), Break> {
        let fail = |kind, detail| Err(Break { seq: known.seq, kind, detail });
        if self.last < known.seq {
            return fail(
                BreakKind::Missing,
                format!("records {} to {} were shipped by this machine and are missing", self.last + 1, known.seq),
            );
        }
        if self.last == known.seq && self.hash != known.hash {
            return fail(BreakKind::Changed, format!("record {} is not the one that this machine shipped", known.seq));
        }
        Ok(())
    }
}

fn inner(body: &str) -> Option<(String, u64)> {
    #[derive(serde::Deserialize)]
    struct Inner {
        node: String,
        seq: u64,
    }
    serde_json::from_str::<Inner>(body).ok().map(|inner| (inner.node, inner.seq))
}
