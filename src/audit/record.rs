//! One record of the chain: its envelope, its canonical bytes and its hash.
//!
//! `hash = SHA-256(prev_hash || body)`, where `body` is the record's JSON exactly as it was written: the stores keep the
//! same bytes, so that anybody can compute the chain again.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::event::{Event, SCHEMA_VERSION};
use super::retention::{Classes, SYSTEM};
use super::texts::Sealed;
use crate::base::ExchangeId;

/// A SHA-256 value; 64 lower-case hex digits in text.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first record of a chain has as its previous hash.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of a record with this predecessor and body.
    pub fn of(prev: Self, body: &[u8]) -> Self {
        Self(Sha256::new().chain_update(prev.0).chain_update(body).finalize().into())
    }

    /// The raw bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 hex digits; `None` for anything else.
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(from)?;
        Self::parse(&hex).ok_or_else(|| serde::de::Error::custom("a hash has 64 hex digits"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The place of a record in its node's chain: where the next one goes on from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// Sequence number of the last record; 0: none yet.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A record as read back.
#[derive(Clone, Debug)]
pub struct Record {
    /// The version of its shape.
    pub schema_version: u32,
    /// Who wrote it, and where.
    pub node: String,
    /// The node's region.
    pub region: String,
    /// Its number in the node's chain, from 1.
    pub seq: u64,
    /// The day (UTC) on which the writer took it. Every table's rows of it lie in partitions of this day, or of its exchange's.
    pub day: Date,
    /// Its retention class.
    pub class: String,
    /// The hash of the record before it.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// The event.
    pub event: Event,
    /// The canonical bytes.
    pub body: String,
    /// The text that is kept beside it.
    pub(crate) text: Option<Sealed>,
}

#[derive(Deserialize)]
struct Envelope {
    schema_version: u32,
    node: String,
    region: String,
    seq: u64,
    /// Absent in schema 1.
    day: Option<Date>,
    class: Option<String>,
    event: Event,
}

impl Record {
    /// Reads a body back. The error says what is wrong with it.
    pub(crate) fn parse(prev: Hash, body: &[u8]) -> Result<Self, String> {
        let body = std::str::from_utf8(body).map_err(|error| format!("not UTF-8: {error}"))?;
        let envelope: Envelope = serde_json::from_str(body).map_err(|error| error.to_string())?;
        if envelope.schema_version > SCHEMA_VERSION {
            return Err(format!(
                "schema version {} is newer than this program's {SCHEMA_VERSION}",
                envelope.schema_version
            ));
        }
        Ok(Self {
            schema_version: envelope.schema_version,
            node: envelope.node,
            region: envelope.region,
            seq: envelope.seq,
            day: envelope.day.unwrap_or_else(|| day_of(envelope.event.at())),
            class: envelope.class.unwrap_or_else(|| envelope.event.class(&Classes::default()).to_owned()),
            prev,
            hash: Hash::of(prev, body.as_bytes()),
            event: envelope.event,
            body: body.to_owned(),
            text: None,
        })
    }

    /// Reads a frame of the spool back.
    pub(crate) fn framed(prev: Hash, body: &[u8], text: Option<&[u8]>) -> Result<Self, String> {
        let text = text.map(|text| Sealed::parse(text).ok_or("its text is none")).transpose()?;
        Ok(Self { text, ..Self::parse(prev, body)? })
    }
}

/// An event made ready by its caller, so that the writer's one thread only has to number and hash it.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Its kind, for the writer's bookkeeping.
    pub(crate) mark: Mark,
    class: String,
    event: Box<RawValue>,
    /// The text that is kept beside it: see [`Sealed::to_bytes`].
    text: Option<Vec<u8>>,
}

/// What a frame with a text has more than one without, beside the text.
const TEXT_LENGTH_BYTES: usize = 4;

/// The day (UTC) of a time.
pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// What the writer must know of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// Opens this exchange.
    Begin(ExchangeId),
    /// Closes this exchange.
    End(ExchangeId),
    /// A checkpoint: made by the writer, and stale when it could not be written.
    Seal,
    /// Neither.
    Other,
}

impl Mark {
    /// The mark of an event.
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Begin(begin) => Self::Begin(begin.exchange),
            Event::End(end) => end.exchange.map_or(Self::Other, Self::End),
            Event::Seal(_) => Self::Seal,
            Event::Refused(_) | Event::System(_) | Event::Tombstone(_) => Self::Other,
        }
    }
}

impl Prepared {
    /// Serialises an event of a retention class, with the text that is kept beside it.
    pub(crate) fn new(event: &Event, class: &str, text: Option<&Sealed>) -> Result<Self, serde_json::Error> {
        let json = serde_json::value::to_raw_value(event)?;
        Ok(Self { mark: Mark::of(event), class: class.to_owned(), event: json, text: text.map(Sealed::to_bytes) })
    }

    /// The same event, without the writer's check that its exchange is open: for what an earlier run left open.
    pub(crate) fn unmarked(self) -> Self {
        Self { mark: Mark::Other, ..self }
    }

    /// Bytes of the event and its text.
    pub(crate) fn bytes(&self) -> usize {
        self.event.get().len() + self.text_bytes()
    }

    /// Bytes of its text in the spool; 0 without one.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len() + TEXT_LENGTH_BYTES)
    }

    /// The text as it lies in the spool.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        self.text.as_deref()
    }

    /// The canonical bytes of this event as record `seq` of a node, taken on `day`.
    pub(crate) fn body(&self, node: &str, region: &str, seq: u64, day: Date) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            schema_version: u32,
            node: &'a str,
            region: &'a str,
            seq: u64,
            day: Date,
            class: &'a str,
            event: &'a RawValue,
        }
        let (class, event) = (self.class.as_str(), &*self.event);
        serde_json::to_vec(&Envelope { schema_version: SCHEMA_VERSION, node, region, seq, day, class, event })
    }
}

impl Event {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Begin(begin) => begin.at,
            Self::End(end) => end.at,
            Self::Refused(refused) => refused.at,
            Self::Seal(seal) => seal.at,
            Self::System(system) => system.at,
            Self::Tombstone(tombstone) => tombstone.at,
        }
    }

    /// The exchange that it is about.
    pub fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Begin(begin) => Some(begin.exchange),
            Self::End(end) => end.exchange,
            Self::Refused(refused) => Some(refused.exchange),
            Self::Seal(_) | Self::System(_) | Self::Tombstone(_) => None,
        }
    }

    /// The tenant; empty where there is none.
    pub fn tenant(&self) -> &str {
        match self {
            Self::Begin(begin) => &begin.tenant,
            Self::End(end) => &end.tenant,
            Self::Refused(refused) => &refused.tenant,
            Self::Seal(_) | Self::System(_) | Self::Tombstone(_) => "",
        }
    }

    /// The retention class that it is of, by its tenant; the appliance's own records are of one of their own.
    pub(crate) fn class<'a>(&self, classes: &'a Classes) -> &'a str {
        match self {
            Self::Begin(_) | Self::End(_) | Self::Refused(_) => classes.of_tenant(self.tenant()),
            Self::Seal(_) | Self::System(_) | Self::Tombstone(_) => SYSTEM,
        }
    }

    /// The name of its kind in the stores.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Begin(_) => "begin",
            Self::End(_) => "end",
            Self::Refused(_) => "refused",
            Self::Seal(_) => "seal",
            Self::System(_) => "system",
            Self::Tombstone(_) => "tombstone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{System, SystemKind};

    fn body(event: &Event, seq: u64) -> Vec<u8> {
        Prepared::new(event, "system", None).unwrap().body("n", "r", seq, "2026-11-23".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_body_reads_back_and_its_hash_is_of_its_own_bytes() {
        let event = Event::System(System::new(SystemKind::Start, "hello \u{0} \"quoted\""));
        let body = body(&event, 7);
        let record = Record::parse(Hash::ZERO, &body).unwrap();
        assert_eq!((record.seq, record.node.as_str(), &record.event), (7, "n", &event));
        assert_eq!(record.hash, Hash::of(Hash::ZERO, record.body.as_bytes()));
        assert_eq!(Hash::parse(&record.hash.to_string()), Some(record.hash));
    }

    #[test]
    fn records_of_the_first_schema_read_on() {
        let event =
            Event::System(System { at: "2026-11-22T23:59:59Z".parse().unwrap(), ..System::new(SystemKind::Start, "") });
        let body = String::from_utf8(body(&event, 1)).unwrap();
        let first = body.replace("\"schema_version\":3", "\"schema_version\":1");
        let first = first.replace("\"day\":\"2026-11-23\",\"class\":\"system\",", "");
        assert!(first.len() + 30 < body.len());
        let record = Record::parse(Hash::ZERO, first.as_bytes()).unwrap();
        assert_eq!((record.day.to_string().as_str(), record.class.as_str()), ("2026-11-22", "system"));
    }

    #[test]
    fn a_newer_schema_is_refused_by_name() {
        let event = Event::System(System::new(SystemKind::Start, ""));
        let body = String::from_utf8(body(&event, 1)).unwrap();
        let newer = body.replace("\"schema_version\":4", "\"schema_version\":5");
        assert!(Record::parse(Hash::ZERO, newer.as_bytes()).unwrap_err().contains("newer"));
    }

    #[test]
    fn hex_that_is_not_a_hash_is_refused() {
        assert_eq!(Hash::parse("ab"), None);
        assert_eq!(Hash::parse(&"+a".repeat(32)), None);
        assert_eq!(Hash::parse(&"é".repeat(32)), None);
    }
}
