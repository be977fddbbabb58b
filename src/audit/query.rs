//! Reading the record: lists, and one exchange in full. Works while the appliance runs and while it is
//! stopped; takes no lock and writes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::error::AuditError;
use super::event::{Begin, End, Event, Refused};
use super::handle::AuditConfig;
use super::record::{Hash, Record};
use super::spool::read::{self, Piece};
use super::store::Store;
use crate::base::{Clock, ExchangeId};
use crate::verdict::Action;

/// Which exchanges to list, newest first. Everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Begun at this time or later.
    pub since: Option<Timestamp>,
    /// Begun before this time.
    pub until: Option<Timestamp>,
    /// With this action in either direction.
    pub action: Option<Action>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// With a finding of this rule (or model label).
    pub rule: Option<String>,
    /// At most so many; `None`: [`LIST_DEFAULT`]; never more than [`LIST_MAX`].
    pub limit: Option<u32>,
    /// Older than this one: the last id of the page before.
    pub before: Option<ExchangeId>,
}

/// Exchanges listed when nothing is said.
pub const LIST_DEFAULT: u32 = 50;
/// Exchanges listed at most.
pub const LIST_MAX: u32 = 10_000;

impl Filter {
    pub(crate) fn since_us(&self) -> Option<i64> {
        self.since.map(Timestamp::as_microsecond)
    }

    pub(crate) fn until_us(&self) -> Option<i64> {
        self.until.map(Timestamp::as_microsecond)
    }

    pub(crate) fn limit(&self) -> i64 {
        i64::from(self.limit.unwrap_or(LIST_DEFAULT).min(LIST_MAX))
    }
}

/// One exchange in a list. What is not known (yet) is `None`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of table `exchange`: docs/audit-schema.md")]
pub struct ExchangeRow {
    pub exchange_id: String,
    pub node: String,
    pub region: String,
    pub tenant: String,
    pub principal: Option<String>,
    pub key_id: Option<String>,
    pub client_addr: Option<String>,
    pub dialect: Option<String>,
    pub route: Option<String>,
    pub method: Option<String>,
    pub path: Option<String>,
    pub model_asked: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub stream: Option<bool>,
    pub policy_version: Option<String>,
    #[serde(rename(deserialize = "started_us"), deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    pub request_action: Option<Action>,
    pub request_score: Option<u32>,
    pub request_bytes: Option<u64>,
    #[serde(rename(deserialize = "ended_us"), deserialize_with = "time")]
    pub ended_at: Option<Timestamp>,
    /// `None`: still open.
    pub outcome: Option<String>,
    pub status: Option<u16>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub upstream_status: Option<u16>,
    pub reply_action: Option<Action>,
    pub reply_score: Option<u32>,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub reply_bytes: Option<u64>,
    pub fault_cause: Option<String>,
    pub fault_blame: Option<String>,
    pub fault_detail: Option<String>,
    pub latency_us: Option<BTreeMap<String, u64>>,
}

impl ExchangeRow {
    /// The stronger of both directions' actions.
    pub fn action(&self) -> Action {
        self.request_action.max(self.reply_action).unwrap_or_default()
    }
}

/// One exchange in full.
#[derive(Clone, Debug, Serialize)]
pub struct ExchangeDetail {
    /// The request and its verdict.
    pub begin: Option<Begin>,
    /// How it ended; `None`: still open.
    pub end: Option<End>,
    /// A request that was refused before there was an exchange.
    pub refused: Option<Refused>,
    /// Its records in the chain, in order.
    pub records: Vec<StoredEvent>,
}

/// One record as stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredEvent {
    /// The chain.
    pub node: String,
    /// The number in it.
    pub seq: i64,
    /// The hash of the record before, in hex.
    pub prev_hash: String,
    /// Its own hash, in hex.
    pub hash: String,
    /// The canonical bytes: JSON.
    pub body: String,
}

impl From<Record> for StoredEvent {
    fn from(record: Record) -> Self {
        Self {
            node: record.node,
            seq: i64::try_from(record.seq).unwrap_or(i64::MAX),
            prev_hash: record.prev.to_string(),
            hash: record.hash.to_string(),
            body: record.body,
        }
    }
}

impl<'r, R: Row> FromRow<'r, R> for StoredEvent
where
    usize: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            node: row.try_get(0)?,
            seq: row.try_get(1)?,
            prev_hash: row.try_get(2)?,
            hash: row.try_get(3)?,
            body: row.try_get(4)?,
        })
    }
}

/// A reader of the record.
#[derive(Debug)]
pub struct AuditReader {
    pub(super) store: Store,
    pub(super) folder: PathBuf,
    pub(super) node: Option<String>,
    pub(super) clock: Clock,
}

impl AuditReader {
    /// Connects to the store.
    ///
    /// # Errors
    /// A store that cannot be reached, or that holds no record.
    pub async fn open(config: &AuditConfig) -> Result<Self, AuditError> {
        let mut store = Store::new(&config.store)?;
        store.ready_to_read().await?;
        Ok(Self { store, folder: config.folder(), node: config.node.clone(), clock: config.clock.clone() })
    }

    /// Exchanges, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&mut self, filter: &Filter) -> Result<Vec<ExchangeRow>, AuditError> {
        let rows = self.store.list(filter).await?;
        rows.iter()
            .map(|row| {
                serde_json::from_str(row)
                    .map_err(|error| AuditError::Store(format!("an exchange's row is odd: {error}")))
            })
            .collect()
    }

    /// One exchange in full, whether its records are in the store or still in this machine's spool; `None` when it is in
    /// neither.
    ///
    /// # Errors
    /// The store's, or a body that is no record.
    pub async fn show(&mut self, exchange: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        let mut records = self.store.events_of(exchange).await?;
        for spooled in self.spooled(exchange).await? {
            if !records.iter().any(|stored| (&stored.node, stored.seq) == (&spooled.node, spooled.seq)) {
                records.push(spooled);
            }
        }
        detail(records)
    }

    /// As [`Self::show`], from the store alone: the spool is not read again for each of many exchanges.
    ///
    /// # Errors
    /// The store's, or a body that is no record.
    pub async fn stored(&mut self, exchange: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        detail(self.store.events_of(exchange).await?)
    }

    async fn spooled(&self, exchange: ExchangeId) -> Result<Vec<StoredEvent>, AuditError> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut records = Vec::new();
            read::read(&folder, |piece| {
                if let Piece::Record(record) = piece
                    && record.event.exchange() == Some(exchange)
                {
                    records.push(StoredEvent::from(*record));
                }
            })?;
            Ok(records)
        })
        .await
    }
}

/// One exchange, put together from its records; `None` without any.
fn detail(records: Vec<StoredEvent>) -> Result<Option<ExchangeDetail>, AuditError> {
    if records.is_empty() {
        return Ok(None);
    }
    let mut detail = ExchangeDetail { begin: None, end: None, refused: None, records: Vec::new() };
    for stored in &records {
        let record = Record::parse(Hash::ZERO, stored.body.as_bytes()).map_err(|error| {
            AuditError::Store(format!("record {} of {} cannot be read: {error}", stored.seq, stored.node))
        })?;
        match record.event {
            Event::Begin(begin) => detail.begin = Some(*begin),
            // The first end counts, as in table `exchange`.
            Event::End(end) => detail.end = detail.end.or(Some(*end)),
            Event::Refused(refused) => detail.refused = Some(*refused),
            Event::Seal(_) | Event::System(_) | Event::Tombstone(_) => {}
        }
    }
    detail.records = records;
    Ok(Some(detail))
}

/// Work that blocks, off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuditError> + Send + 'static,
) -> Result<T, AuditError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| AuditError::Store(format!("reading the spool was cut short: {error}")))?
}

fn flag<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(Option::<u8>::deserialize(from)?.map(|flag| flag != 0))
}

fn time<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let micros = Option::<i64>::deserialize(from)?;
    micros.map(Timestamp::from_microsecond).transpose().map_err(serde::de::Error::custom)
}
