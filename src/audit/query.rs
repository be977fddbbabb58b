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
use super::texts::keys::TextKeys;
use super::texts::{Direction, FullText, Owner, Sealed, Unread};
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
    /// With a recorded text, of the tenant above, that has all of these words.
    pub text: Option<String>,
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
    pub cost_nusd: Option<u64>,
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

impl ExchangeDetail {
    /// Whether a recorded text can be read in it.
    pub fn has_texts(&self) -> bool {
        let is_plain = |text: Option<&FullText>| matches!(text, Some(FullText::Plain(_)));
        is_plain(self.begin.as_ref().and_then(|begin| begin.prompt_text.as_ref()))
            || is_plain(self.end.as_ref().and_then(|end| end.reply_text.as_ref()))
    }

    /// Takes the recorded texts out.
    pub fn hide_texts(&mut self) {
        if let Some(begin) = &mut self.begin {
            begin.prompt_text = None;
        }
        if let Some(end) = &mut self.end {
            end.reply_text = None;
        }
        // Records of before schema 3 have texts in themselves.
        self.records.retain(|record| !record.body.contains("_text\":["));
    }
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

/// What became of wrapped keys.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Rewrapped {
    /// Texts whose keys are under the first master key now.
    pub rewrapped: u64,
    /// Texts that stay under another master key, by its id: it is not among the configured ones, or what is wrapped is damaged.
    pub left: BTreeMap<String, u64>,
}

/// A reader of the record.
#[derive(Debug)]
pub struct AuditReader {
    pub(super) store: Store,
    pub(super) folder: PathBuf,
    pub(super) node: Option<String>,
    pub(super) clock: Clock,
    pub(super) text_keys: TextKeys,
}

impl AuditReader {
    /// Connects to the store.
    ///
    /// # Errors
    /// A store that cannot be reached, or that holds no record.
    pub async fn open(config: &AuditConfig) -> Result<Self, AuditError> {
        let mut store = Store::new(&config.store)?;
        store.ready_to_read().await?;
        let (files, made) = (&config.text_keys, config.text_key_file());
        // Before the first start, and for whoever may read the store and not the keys, texts stay closed.
        let text_keys = match TextKeys::read(files, &made) {
            Err(_) if files.keys.is_empty() && files.search_key.is_none() => TextKeys::default(),
            keys => keys?,
        };
        Ok(Self { store, folder: config.folder(), node: config.node.clone(), clock: config.clock.clone(), text_keys })
    }

    /// Exchanges, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&mut self, filter: &Filter) -> Result<Vec<ExchangeRow>, AuditError> {
        let terms = self.terms(filter)?;
        let rows = self.store.list(filter, terms.as_deref()).await?;
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
        let mut texts = Vec::new();
        for mut spooled in self.spooled(exchange).await? {
            let is_stored =
                |stored: &StoredEvent| stored.node == spooled.node && u64::try_from(stored.seq) == Ok(spooled.seq);
            if !records.iter().any(is_stored) {
                // What the store knows of a text counts: there it may have been destroyed since.
                if let (Some((_, direction, _)), Some(sealed)) = (spooled.event.text_ref(), spooled.text.take()) {
                    texts.push((direction.name().to_owned(), sealed));
                }
                records.push(spooled.into());
            }
        }
        self.detail(exchange, records, texts).await
    }

    /// As [`Self::show`], from the store alone: the spool is not read again for each of many exchanges.
    ///
    /// # Errors
    /// The store's, or a body that is no record.
    pub async fn stored(&mut self, exchange: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        let records = self.store.events_of(exchange).await?;
        self.detail(exchange, records, Vec::new()).await
    }

    /// One exchange, put together from its records, with its texts where they may be read here.
    async fn detail(
        &mut self,
        exchange: ExchangeId,
        records: Vec<StoredEvent>,
        mut texts: Vec<(String, Sealed)>,
    ) -> Result<Option<ExchangeDetail>, AuditError> {
        let Some(mut detail) = detail(records)? else { return Ok(None) };
        let has_text = |text: Option<&FullText>| matches!(text, Some(FullText::Kept(_)));
        let (begin, end) = (&mut detail.begin, &mut detail.end);
        if has_text(begin.as_ref().and_then(|begin| begin.prompt_text.as_ref()))
            || has_text(end.as_ref().and_then(|end| end.reply_text.as_ref()))
        {
            texts.extend(self.store.texts_of(exchange).await?);
        }
        if let Some(begin) = begin {
            self.read_text(exchange, (Direction::Request, &begin.tenant), &mut begin.prompt_text, &texts);
        }
        if let Some(end) = end {
            self.read_text(exchange, (Direction::Reply, &end.tenant), &mut end.reply_text, &texts);
        }
        Ok(Some(detail))
    }

    /// Puts a text in the place of what the record says of it, or why that cannot be.
    fn read_text(
        &self,
        exchange: ExchangeId,
        (direction, tenant): (Direction, &str),
        text: &mut Option<FullText>,
        texts: &[(String, Sealed)],
    ) {
        let Some(FullText::Kept(kept)) = text else { return };
        let sealed = texts.iter().find(|(of, _)| of == direction.name()).ok_or(Unread::Gone);
        let owner = Owner { tenant, exchange, direction };
        match sealed.and_then(|(_, sealed)| self.text_keys.open(owner, kept, sealed)) {
            Ok(plain) => *text = Some(plain),
            Err(why) => kept.unread = Some(why),
        }
    }

    /// The hashes of the words that a list is to be found by.
    fn terms(&self, filter: &Filter) -> Result<Option<Vec<i64>>, AuditError> {
        let Some(text) = &filter.text else { return Ok(None) };
        let wrong = |why: &str| Err(AuditError::Search(why.to_owned()));
        if !self.text_keys.can_search() {
            return wrong(
                "texts are not searchable: name a key as `audit.texts.search_key`; what is recorded from then on is found",
            );
        }
        let Some(tenant) = &filter.tenant else {
            return wrong("name a tenant: the words of each tenant's texts are hashed under a key of its own");
        };
        let terms = self.text_keys.terms(tenant, [text.as_str()].into_iter());
        if terms.is_empty() {
            return wrong("there is no word in it; a word has two letters or digits at least");
        }
        Ok(Some(terms))
    }

    /// Wraps the keys of texts that are under older master keys under the first one; texts stay as they are. Gives how many were,
    /// and how many cannot be, because their master key is not among the configured ones.
    ///
    /// # Errors
    /// The store's, or no key at all.
    pub async fn rewrap(&mut self) -> Result<Rewrapped, AuditError> {
        let Some((current, older)) = self.text_keys.ids() else {
            return Err(AuditError::Search("there is no key of recorded texts here".to_owned()));
        };
        let mut done = Rewrapped::default();
        for key_id in older {
            loop {
                let page = self.store.wrapped_under(&key_id).await?;
                let before = done.rewrapped;
                for text in page {
                    let Some(owner) = text.owner() else { continue };
                    if let Ok(wrapped) = self.text_keys.wrap_anew(owner, &text.key_id, &text.wrapped) {
                        self.store.wrap_anew(&text, &current, &wrapped).await?;
                        done.rewrapped += 1;
                    }
                }
                if done.rewrapped == before {
                    break;
                }
            }
        }
        done.left = self.store.wrapped_by_key().await?;
        done.left.remove(&current);
        Ok(done)
    }

    async fn spooled(&self, exchange: ExchangeId) -> Result<Vec<Record>, AuditError> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut records = Vec::new();
            read::read(&folder, |piece| {
                if let Piece::Record(record) = piece
                    && record.event.exchange() == Some(exchange)
                {
                    records.push(*record);
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
