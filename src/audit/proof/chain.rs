//! The proof of a chain: every record's hash is computed again, each must follow the one before, every seal must be signed and
//! say what is there, and what is gone must be told by a tombstone. Pure.

use std::collections::HashMap;

use serde::Serialize;

use super::graves::Graves;
use super::line::{Body, Line};
use super::period::Period;
use super::public_key::PublicKey;
use super::seal::{Anchored, Seal};
use crate::audit::event::Event;
use crate::audit::node;
use crate::audit::record::{Hash, Head, Record};

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
    /// A record is stored that the chain does not have.
    Inserted,
    /// One or more records are gone, and no tombstone says so.
    Missing,
    /// The record stands under a number that is not its own, or twice.
    Reordered,
    /// A seal or an anchor was signed by none of the trusted keys.
    Unsigned,
}

/// What a record is held against.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Keys that may have signed checkpoints. Signatures of a chain that no key is for are not checked.
    pub keys: Vec<TrustedKey>,
    /// Checkpoints that were kept elsewhere.
    pub anchors: Vec<Anchored>,
    /// The record may begin in the middle: what is before the first record of a chain is not asked for. For a part of it,
    /// exported.
    pub is_part: bool,
}

/// A key that may have signed checkpoints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// The chain that it is for; `None`: for all.
    pub node: Option<String>,
}

impl From<PublicKey> for TrustedKey {
    fn from(key: PublicKey) -> Self {
        Self { key, node: None }
    }
}

impl Evidence {
    /// The keys for a chain.
    pub(crate) fn keys_of(&self, node: &str) -> impl Iterator<Item = &PublicKey> {
        let is_for = move |key: &&TrustedKey| key.node.as_deref().is_none_or(|name| node::is_same(name, node));
        self.keys.iter().filter(is_for).map(|trusted| &trusted.key)
    }
}

/// A walk along one chain, in order of the stored numbers.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    evidence: &'a Evidence,
    /// The hashes that were anchored, by chain and number: an output may have kept one for each minute of years.
    anchors: HashMap<(&'a str, u64), Vec<Hash>>,
    pub(crate) records: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    hash: Hash,
    /// What the first record says is before it, where nothing else does.
    pub(crate) begins_at: Option<Head>,
    period: Option<Period>,
    /// Seals met.
    pub(crate) seals: u64,
    /// The last record under a seal.
    pub(crate) sealed: u64,
    /// Records without a body.
    pub(crate) gone: u64,
    /// The records are of a schema that seals each day.
    is_sealing: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(evidence: &'a Evidence) -> Self {
        let mut anchors: HashMap<_, Vec<Hash>> = HashMap::new();
        for anchor in &evidence.anchors {
            anchors.entry((anchor.node.as_str(), anchor.last_seq)).or_default().push(anchor.hash);
        }
        Self {
            evidence,
            anchors,
            records: 0,
            first: 0,
            last: 0,
            hash: Hash::ZERO,
            begins_at: None,
            period: None,
            seals: 0,
            sealed: 0,
            gone: 0,
            is_sealing: false,
        }
    }

    /// Takes the next record, or says what is wrong with it; gives it back, if it has a body.
    pub(crate) fn step(&mut self, line: &Line, graves: &mut Graves) -> Result<Option<Record>, Break> {
        let seq = line.seq;
        let fail = |kind, detail: String| Break { seq, kind, detail };
        let hash = self.chained(line)?;
        let record = line.event.as_ref().map(|event| whole(line, event, hash)).transpose()?;
        let prev = self.follows(line, graves)?;
        match &record {
            Some(record) => {
                let expected = prev.unwrap_or(record.prev);
                if record.prev != expected {
                    let detail = match seq {
                        1 => "record 1 names a record before it".to_owned(),
                        _ => format!("record {seq} does not follow the one before it as that is now"),
                    };
                    return Err(fail(BreakKind::Changed, detail));
                }
                if prev.is_none() {
                    self.begins_at = Some(Head { seq: seq.saturating_sub(1), hash: record.prev });
                }
            }
            None if graves.lies(&line.node, seq, (line.day, &line.class), hash) => self.gone += 1,
            None => {
                return Err(fail(
                    BreakKind::Missing,
                    format!("the body of record {seq} is gone, and no tombstone says so"),
                ));
            }
        }
        if self.records == 0 {
            self.first = seq;
            // A period begins with its day: what is left of a chain begins with one, but for a part of it.
            self.period = (!self.evidence.is_part || seq == 1).then(|| Period::new(line.day, seq));
        }
        self.enter(line, record.as_ref(), hash)?;
        self.records += 1;
        self.last = seq;
        self.hash = hash;
        self.anchored(&line.node, seq, hash)?;
        Ok(record)
    }

    /// The hash that the chain has for this number.
    fn chained(&self, line: &Line) -> Result<Hash, Break> {
        let seq = line.seq;
        let fail = |kind, detail| Err(Break { seq, kind, detail });
        let Some(hash) = &line.hash else {
            return fail(
                BreakKind::Inserted,
                format!("a record {seq} of {} is stored that the chain does not have", line.day),
            );
        };
        match Hash::parse(hash) {
            Some(hash) => Ok(hash),
            None => fail(BreakKind::Changed, format!("record {seq} has a hash that is none")),
        }
    }

    /// The hash of the record before, as far as something other than this record says it.
    fn follows(&self, line: &Line, graves: &mut Graves) -> Result<Option<Hash>, Break> {
        let (seq, node) = (line.seq, line.node.as_str());
        let fail = |kind, detail| Err(Break { seq, kind, detail });
        if self.records == 0 {
            return match seq {
                0 => fail(BreakKind::Changed, "a record has the number 0".to_owned()),
                1 => Ok(Some(Hash::ZERO)),
                _ => Ok(graves.ends_before(node, seq)),
            };
        }
        if seq == self.last {
            return fail(BreakKind::Reordered, format!("record {seq} is stored twice"));
        }
        let first = self.last.saturating_add(1);
        if seq == first {
            return Ok(Some(self.hash));
        }
        if seq < first {
            return fail(BreakKind::Reordered, format!("record {seq} stands after record {}", self.last));
        }
        match graves.crosses(node, first, seq) {
            Some(hash) => Ok(Some(hash)),
            None if seq - 1 == first => fail(BreakKind::Missing, format!("record {first} is missing")),
            None => fail(BreakKind::Missing, format!("records {first} to {} are missing", seq - 1)),
        }
    }

    /// Takes a record into the period that it belongs to; a seal is first held against what is there.
    fn enter(&mut self, line: &Line, record: Option<&Record>, hash: Hash) -> Result<(), Break> {
        let seal = record.and_then(|record| match &record.event {
            Event::Seal(seal) => Some(&**seal),
            _ => None,
        });
        if let Some(seal) = seal {
            self.seal(line, seal)?;
        }
        let is_new_day = self.period.as_ref().is_some_and(|period| period.day != line.day);
        // The first schema had no seals.
        let ends_unsealed = is_new_day && self.is_sealing && !seal.is_some_and(|seal| seal.is_last);
        if let (true, Some(period)) = (ends_unsealed && record.is_some(), &self.period) {
            let detail = format!("{} ends with record {} without a seal", period.day, self.last);
            return Err(Break { seq: line.seq, kind: BreakKind::Missing, detail });
        }
        self.is_sealing |= record.is_some_and(|record| record.schema_version >= SEALING);
        // An empty seal says that a period begins with it; the one that closes a day is the first record of the next.
        let begins = seal.is_some_and(|seal| seal.size() == 0 || seal.is_last);
        if begins || is_new_day {
            self.period = Some(Period::new(line.day, line.seq));
        }
        if let Some(period) = &mut self.period {
            period.push(hash);
        }
        Ok(())
    }

    fn seal(&mut self, line: &Line, seal: &Seal) -> Result<(), Break> {
        let seq = line.seq;
        let fail = |kind, detail: String| Err(Break { seq, kind, detail });
        let mut keys = self.evidence.keys_of(&line.node).peekable();
        if keys.peek().is_some() && !keys.any(|key| seal.is_signed(&line.node, key)) {
            let detail = format!(
                "the seal in record {seq} is signed by none of the trusted keys (it names key {})",
                seal.key_id
            );
            return fail(BreakKind::Unsigned, detail);
        }
        let head = Head { seq: self.last, hash: self.hash };
        // At the start of a part there is nothing to hold the seal against.
        let is_at_start = self.records == 0;
        let agrees = match &self.period {
            _ if is_at_start => true,
            _ if seal.size() == 0 => (seal.last_seq, seal.hash) == (head.seq, head.hash),
            Some(period) => period.agrees(seal, head),
            None => (seal.last_seq, seal.hash) == (head.seq, head.hash),
        };
        if !agrees {
            let detail = format!(
                "the seal in record {seq} was put on other records than {} to {} as they are now",
                seal.first_seq, seal.last_seq
            );
            return fail(BreakKind::Changed, detail);
        }
        self.seals += 1;
        self.sealed = seal.last_seq;
        Ok(())
    }

    /// Holds a record against checkpoints that were kept elsewhere.
    fn anchored(&self, node: &str, seq: u64, hash: Hash) -> Result<(), Break> {
        if self.anchors.get(&(node, seq)).is_some_and(|here| here.iter().any(|anchored| *anchored != hash)) {
            let detail = format!("record {seq} is not the one that was anchored: the chain was written anew");
            return Err(Break { seq, kind: BreakKind::Changed, detail });
        }
        Ok(())
    }

    /// Holds the end of the walk against checkpoints that were kept elsewhere: they say how far the chain had come.
    pub(crate) fn reaches_anchors(&self, node: &str) -> Result<(), Break> {
        let last =
            self.evidence.anchors.iter().filter(|anchor| anchor.node == node).map(|anchor| anchor.last_seq).max();
        match last {
            Some(last) if last > self.last => Err(Break {
                seq: last,
                kind: BreakKind::Missing,
                detail: format!("records {} to {last} were anchored and are missing", self.last.saturating_add(1)),
            }),
            _ => Ok(()),
        }
    }

    /// Holds the end of the walk against a head known from elsewhere: the newest records could have been taken away whole.
    pub(crate) fn reaches(&self, known: Head) -> Result<(), Break> {
        let fail = |kind, detail| Err(Break { seq: known.seq, kind, detail });
        if self.last < known.seq {
            return fail(
                BreakKind::Missing,
                format!(
                    "records {} to {} were shipped by this machine and are missing",
                    self.last.saturating_add(1),
                    known.seq
                ),
            );
        }
        if self.last == known.seq && self.hash != known.hash {
            return fail(BreakKind::Changed, format!("record {} is not the one that this machine shipped", known.seq));
        }
        Ok(())
    }

    /// Where the chain stands at the end of the walk.
    pub(crate) fn head(&self) -> Head {
        Head { seq: self.last, hash: self.hash }
    }
}

/// The record in a body, proved to be the one that the chain names.
fn whole(line: &Line, event: &Body, hash: Hash) -> Result<Record, Break> {
    let seq = line.seq;
    let fail = |kind, detail: String| Err(Break { seq, kind, detail });
    let (Some(prev), Some(own)) = (Hash::parse(&event.prev_hash), Hash::parse(&event.hash)) else {
        return fail(BreakKind::Changed, format!("record {seq} has a hash that is none"));
    };
    if Hash::of(prev, event.body.as_bytes()) != own {
        return fail(BreakKind::Changed, format!("record {seq}: its bytes do not give its hash"));
    }
    if own != hash {
        return fail(BreakKind::Changed, format!("record {seq} is not the one that the chain has under this number"));
    }
    let record = match Record::parse(prev, event.body.as_bytes()) {
        Ok(record) => record,
        Err(why) => return fail(BreakKind::Changed, format!("record {seq} is no record: {why}")),
    };
    if record.node != line.node || record.seq != seq {
        let detail = format!("the row of {} {seq} holds record {} of {}", line.node, record.seq, record.node);
        return fail(BreakKind::Reordered, detail);
    }
    if let Some(column) = line.differs(&record) {
        return fail(
            BreakKind::Changed,
            format!("record {seq}: its column `{column}` does not say what its bytes say"),
        );
    }
    Ok(record)
}

/// The first schema whose writers seal.
const SEALING: u32 = 2;
