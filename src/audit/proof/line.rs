//! A record as the proof takes it: what a store, a spool or an exported file holds under one number.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::event::Event;
use crate::audit::record::{Hash, Record};

/// One number of a chain, as it is found. Nothing in it is believed yet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Line {
    /// The chain.
    pub node: String,
    /// The number.
    pub seq: u64,
    /// The day that it is stored under.
    pub day: Date,
    /// The retention class that it is stored under.
    pub class: String,
    /// The hash that the chain has for it, in hex; `None`: the chain has none.
    pub hash: Option<String>,
    /// The record; `None`: it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Body>,
}

/// A record's own columns.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Body {
    /// The hash of the record before, in hex.
    pub prev_hash: String,
    /// Its own hash, in hex.
    pub hash: String,
    /// The canonical bytes: JSON.
    pub body: String,
    /// What is stored beside the bytes, so that it can be asked for; a spool has none.
    #[serde(flatten)]
    pub columns: Option<Columns>,
}

/// Columns that repeat what the body says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Columns {
    /// The node's region.
    pub region: String,
    /// The tenant.
    pub tenant: String,
    /// When it happened, microseconds since 1970.
    pub at_us: i64,
    /// Its kind.
    pub kind: String,
    /// The exchange.
    pub exchange_id: Option<String>,
}

impl Columns {
    /// The columns of a record.
    fn of(record: &Record) -> Self {
        Self {
            region: record.region.clone(),
            tenant: record.event.tenant().to_owned(),
            at_us: record.event.at().as_microsecond(),
            kind: record.event.kind().to_owned(),
            exchange_id: record.event.exchange().map(|id| id.to_string()),
        }
    }
}

impl Line {
    /// What a whole record in a spool comes to.
    pub(crate) fn of_record(record: &Record) -> Self {
        Self {
            node: record.node.clone(),
            seq: record.seq,
            day: record.day,
            class: record.class.clone(),
            hash: Some(record.hash.to_string()),
            event: Some(Body {
                prev_hash: record.prev.to_string(),
                hash: record.hash.to_string(),
                body: record.body.clone(),
                columns: None,
            }),
        }
    }

    /// The first thing in which what is stored around the record differs from what the record says.
    pub(crate) fn differs(&self, record: &Record) -> Option<&'static str> {
        let Some(columns) = self.event.as_ref().and_then(|event| event.columns.as_ref()) else {
            return (self.day != record.day).then_some("day").or((self.class != record.class).then_some("class"));
        };
        let own = Columns::of(record);
        let pairs = [
            ("day", self.day == record.day),
            ("class", self.class == record.class),
            ("region", columns.region == own.region),
            ("tenant", columns.tenant == own.tenant),
            ("at", columns.at_us == own.at_us),
            ("kind", columns.kind == own.kind),
            ("exchange_id", columns.exchange_id == own.exchange_id),
        ];
        pairs.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }

    /// The tombstone in it, if it is one; believed no more than the rest until it is walked over.
    pub(crate) fn tombstone(&self) -> Option<super::Tombstone> {
        let event = self.event.as_ref().filter(|event| event.body.contains("\"tombstone\""))?;
        match Record::parse(Hash::ZERO, event.body.as_bytes()).ok()?.event {
            Event::Tombstone(tombstone) => Some(*tombstone),
            _ => None,
        }
    }
}
