//! The stores that records are shipped to: PostgreSQL and SQLite, the same tables in both.

pub(super) mod columns;
pub(super) mod postgres;
mod sqlite;
pub(super) mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use self::columns::Target;
use self::postgres::Postgres;
use self::sqlite::Sqlite;
use self::tables::Table;
use super::ask::sql::{Bind, Dialect, Sql};
use super::error::AuditError;
use super::proof::Part;
use super::query::{Filter, StoredEvent};
use super::rows::Rows;
use super::spool::Whose;
use super::texts::{Direction, Owner, Sealed, Shred};
use crate::base::{ExchangeId, Secret};

/// Which store, and where.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// PostgreSQL, version 14 or newer.
    Postgres {
        /// `postgres://user:password@host:port/database`, with sqlx's parameters (`sslmode`, `sslrootcert` …).
        url: Secret,
    },
    /// SQLite, for one machine.
    Sqlite {
        /// The database file; made when absent.
        path: PathBuf,
    },
}

/// Something of one day that a store holds, and that goes as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Held {
    pub(crate) part: Part,
    pub(crate) day: Date,
    /// `None` for the chain.
    pub(crate) class: Option<String>,
}

impl Held {
    /// The class, for people.
    pub(crate) fn class_name(&self) -> String {
        self.class.clone().unwrap_or_else(|| "all".to_owned())
    }
}

/// The wrapped key of a text.
#[derive(Debug)]
pub(crate) struct Wrapped {
    pub(crate) exchange: String,
    pub(crate) direction: String,
    pub(crate) tenant: String,
    pub(crate) key_id: String,
    pub(crate) wrapped: Vec<u8>,
}

impl Wrapped {
    /// Whose text it is; `None`: the row is odd.
    pub(crate) fn owner(&self) -> Option<Owner<'_>> {
        let exchange = self.exchange.parse().ok()?;
        Some(Owner { tenant: &self.tenant, exchange, direction: Direction::parse(&self.direction)? })
    }
}

impl<'r, R: Row> FromRow<'r, R> for Wrapped
where
    usize: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            exchange: row.try_get(0)?,
            direction: row.try_get(1)?,
            tenant: row.try_get(2)?,
            key_id: row.try_get(3)?,
            wrapped: row.try_get(4)?,
        })
    }
}

/// Direction, master key's id, wrapped key and ciphertext of a text.
type SealedRow = (String, String, Option<Vec<u8>>, Vec<u8>);

/// Texts by direction, without their words: whoever reads a text has no use for them.
fn sealed(rows: Vec<SealedRow>) -> Vec<(String, Sealed)> {
    let sealed = |(direction, key_id, wrapped, ciphertext)| {
        (direction, Sealed { key_id, wrapped, terms: Vec::new(), ciphertext })
    };
    rows.into_iter().map(sealed).collect()
}

/// A store and its one connection.
#[derive(Debug)]
pub(crate) enum Store {
    Postgres(Postgres),
    Sqlite(Sqlite),
}

/// Why a batch was not taken.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The store is away, or failed as a whole: the same batch is tried again.
    Away(AuditError),
    /// The store refuses something in the batch.
    Refused(AuditError),
}

impl Store {
    /// Reads the configuration; connects nothing.
    pub(crate) fn new(config: &StoreConfig) -> Result<Self, AuditError> {
        Ok(match config {
            StoreConfig::Postgres { url } => Self::Postgres(Postgres::new(url)?),
            StoreConfig::Sqlite { path } => Self::Sqlite(Sqlite::new(path)),
        })
    }

    /// Connects where needed, checks the server and brings the schema up to date.
    pub(crate) async fn ready(&mut self) -> Result<(), AuditError> {
        let done = match self {
            Self::Postgres(store) => within(CONNECT, store.ready()).await,
            Self::Sqlite(store) => within(CONNECT, store.ready()).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Asks a connected store whether it is still there.
    pub(crate) async fn ping(&mut self) -> Result<(), AuditError> {
        self.ready().await?;
        let done = match self {
            Self::Postgres(store) => within(CONNECT, store.ping()).await,
            Self::Sqlite(store) => within(CONNECT, store.ping()).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Connects for reading: refuses a database without our schema, changes nothing.
    pub(crate) async fn ready_to_read(&mut self) -> Result<(), AuditError> {
        match self {
            Self::Postgres(store) => within(CONNECT, store.ready_to_read()).await,
            Self::Sqlite(store) => within(CONNECT, store.ready_to_read()).await,
        }
    }

    /// Commits rows. Rows that are there already are left alone, so that a batch may be sent again.
    pub(crate) async fn append(&mut self, rows: &Rows) -> Result<(), AppendError> {
        self.ready().await.map_err(AppendError::Away)?;
        let work = async {
            match self {
                Self::Postgres(store) => store.append(rows).await,
                Self::Sqlite(store) => store.append(rows).await,
            }
        };
        let done = tokio::time::timeout(STATEMENT, work).await;
        let done = done.unwrap_or_else(|_| Err(AppendError::Away(late(STATEMENT))));
        self.forget_if(done.is_err());
        done
    }

    /// Exchanges of `node` begun at or before `seq` that have no end.
    pub(crate) async fn open_exchanges(
        &mut self,
        node: &str,
        seq: u64,
    ) -> Result<Vec<(ExchangeId, Whose)>, AuditError> {
        self.ready().await?;
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.open_exchanges(node, signed(seq))).await,
            Self::Sqlite(store) => within(STATEMENT, store.open_exchanges(node, signed(seq))).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Exchanges as JSON objects of [`super::query::ExchangeRow`], newest first.
    /// `terms`: only those of `filter.tenant` that have a text with all of these words.
    pub(crate) async fn list(&mut self, filter: &Filter, terms: Option<&[i64]>) -> Result<Vec<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.list(filter, terms)).await,
            Self::Sqlite(store) => within(STATEMENT, store.list(filter, terms)).await,
        }
    }

    /// Every record about one exchange, in order.
    pub(crate) async fn events_of(&mut self, exchange: ExchangeId) -> Result<Vec<StoredEvent>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.events_of(exchange)).await,
            Self::Sqlite(store) => within(STATEMENT, store.events_of(exchange)).await,
        }
    }

    /// The names of all chains.
    pub(crate) async fn nodes(&mut self) -> Result<Vec<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.nodes()).await,
            Self::Sqlite(store) => within(STATEMENT, store.nodes()).await,
        }
    }

    /// At most `limit` links of a chain from `seq` on, in order of their numbers: JSON of [`super::proof::Line`].
    pub(crate) async fn links(&mut self, node: &str, seq: u64, limit: i64) -> Result<Vec<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.links(node, signed(seq), limit)).await,
            Self::Sqlite(store) => within(STATEMENT, store.links(node, signed(seq), limit)).await,
        }
    }

    /// At most `limit` records of a chain between two numbers, in order, as the links are; none has the chain's hash.
    pub(crate) async fn bodies(
        &mut self,
        node: &str,
        (first, last): (u64, u64),
        limit: i64,
    ) -> Result<Vec<String>, AuditError> {
        let range = (signed(first), signed(last));
        match self {
            Self::Postgres(store) => within(STATEMENT, store.bodies(node, range, limit)).await,
            Self::Sqlite(store) => within(STATEMENT, store.bodies(node, range, limit)).await,
        }
    }

    /// Rows for review of some exchanges: see [`Target::select_postgres`].
    pub(in crate::audit) async fn derived(
        &mut self,
        target: Target,
        exchanges: &str,
    ) -> Result<Vec<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.derived(target, exchanges)).await,
            Self::Sqlite(store) => within(STATEMENT, store.derived(target, exchanges)).await,
        }
    }

    /// The texts of one exchange, by direction.
    pub(crate) async fn texts_of(&mut self, exchange: ExchangeId) -> Result<Vec<(String, Sealed)>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.texts_of(exchange)).await,
            Self::Sqlite(store) => within(STATEMENT, store.texts_of(exchange)).await,
        }
    }

    /// (exchange, direction, SHA-256 of the ciphertext in hex) of the texts of some exchanges: a JSON array of
    /// `{day, class, exchange_id}`.
    pub(crate) async fn text_hashes(&mut self, exchanges: &str) -> Result<Vec<(String, String, String)>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.text_hashes(exchanges)).await,
            Self::Sqlite(store) => within(STATEMENT, store.text_hashes(exchanges)).await,
        }
    }

    /// Forgets the keys and the words of texts; gives how many could be read before.
    pub(crate) async fn shred(&mut self, whose: &Shred) -> Result<u64, AuditError> {
        self.ready().await?;
        let done = match self {
            Self::Postgres(store) => within(DROP, store.shred(whose)).await,
            Self::Sqlite(store) => within(DROP, store.shred(whose)).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Some texts whose keys are wrapped under this master key.
    pub(crate) async fn wrapped_under(&mut self, key_id: &str) -> Result<Vec<Wrapped>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.wrapped_under(key_id)).await,
            Self::Sqlite(store) => within(STATEMENT, store.wrapped_under(key_id)).await,
        }
    }

    /// How many texts can be read with each master key.
    pub(crate) async fn wrapped_by_key(&mut self) -> Result<BTreeMap<String, u64>, AuditError> {
        let rows = match self {
            Self::Postgres(store) => within(DROP, store.wrapped_by_key()).await,
            Self::Sqlite(store) => within(DROP, store.wrapped_by_key()).await,
        };
        Ok(rows?.into_iter().map(|(key, count)| (key, u64::try_from(count).unwrap_or(0))).collect())
    }

    /// Puts another wrapping in the place of one, unless it was changed or forgotten meanwhile.
    pub(crate) async fn wrap_anew(&mut self, text: &Wrapped, key_id: &str, wrapped: &[u8]) -> Result<(), AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.wrap_anew(text, key_id, wrapped)).await,
            Self::Sqlite(store) => within(STATEMENT, store.wrap_anew(text, key_id, wrapped)).await,
        }
    }

    /// Exchanges of a chain that table `exchange` has and no record tells of; one of them is enough.
    pub(crate) async fn made_up(&mut self, node: &str) -> Result<Option<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(DROP, store.made_up(node)).await,
            Self::Sqlite(store) => within(DROP, store.made_up(node)).await,
        }
    }

    /// The body of the newest seal of a chain.
    pub(crate) async fn last_seal(&mut self, node: &str) -> Result<Option<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.last_seal(node)).await,
            Self::Sqlite(store) => within(STATEMENT, store.last_seal(node)).await,
        }
    }

    /// The body of the first seal of a chain after `seq`.
    pub(crate) async fn seal_after(&mut self, node: &str, seq: u64) -> Result<Option<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.seal_after(node, signed(seq))).await,
            Self::Sqlite(store) => within(STATEMENT, store.seal_after(node, signed(seq))).await,
        }
    }

    /// Every tombstone of every chain, as the records are.
    pub(crate) async fn tombstones(&mut self) -> Result<Vec<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.tombstones()).await,
            Self::Sqlite(store) => within(STATEMENT, store.tombstones()).await,
        }
    }

    /// The store's own clock.
    pub(crate) async fn clock(&mut self) -> Result<Timestamp, AuditError> {
        self.ready().await?;
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.clock()).await,
            // The same machine's.
            Self::Sqlite(_) => Ok(Timestamp::now()),
        };
        self.forget_if(done.is_err());
        done
    }

    /// All that retention may give up.
    pub(crate) async fn held(&mut self) -> Result<Vec<Held>, AuditError> {
        self.ready().await?;
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.held()).await,
            Self::Sqlite(store) => within(STATEMENT, store.held()).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Keeps other nodes from giving up at the same time; false: one is at it.
    pub(crate) async fn lock_retention(&mut self) -> Result<bool, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.lock_retention(true)).await,
            Self::Sqlite(_) => Ok(true),
        }
    }

    /// Lets others.
    pub(crate) async fn unlock_retention(&mut self) -> Result<(), AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.lock_retention(false)).await.map(drop),
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// A page of (node, number, hash in hex) of the records that would go, in order, after the last one of the page before.
    pub(crate) async fn hashes(
        &mut self,
        held: &Held,
        (node, seq): &(String, u64),
    ) -> Result<Vec<(String, u64, String)>, AuditError> {
        let after = (node.as_str(), signed(*seq));
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.hashes(held, after)).await,
            Self::Sqlite(store) => within(STATEMENT, store.hashes(held, after)).await,
        };
        self.forget_if(done.is_err());
        let number = |seq: i64| u64::try_from(seq).unwrap_or(0);
        done.map(|rows| rows.into_iter().map(|(node, seq, hash)| (node, number(seq), hash)).collect())
    }

    /// A page of the rows of a table that would go, in the order of its key: JSON of them, after the one whose key is `after`.
    pub(in crate::audit) async fn page(
        &mut self,
        table: &Table,
        held: &Held,
        after: Option<&str>,
    ) -> Result<Vec<String>, AuditError> {
        self.ready().await?;
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.page(table, held, after)).await,
            Self::Sqlite(store) => within(STATEMENT, store.page(table, held, after)).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// How it is asked.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// The one column, of text, of all rows that a question is answered with.
    pub(crate) async fn ask(&mut self, sql: &Sql) -> Result<Vec<String>, AuditError> {
        self.reconnect().await?;
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.ask(sql)).await,
            Self::Sqlite(store) => within(STATEMENT, store.ask(sql)).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Runs statements in one transaction; gives how many rows the last one touched.
    pub(crate) async fn run(&mut self, statements: &[Sql]) -> Result<u64, AuditError> {
        self.reconnect().await?;
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.run(statements)).await,
            Self::Sqlite(store) => within(STATEMENT, store.run(statements)).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Connects for reading where a failure cut the connection.
    async fn reconnect(&mut self) -> Result<(), AuditError> {
        let is_connected = match self {
            Self::Postgres(store) => store.is_connected(),
            Self::Sqlite(store) => store.is_connected(),
        };
        if is_connected { Ok(()) } else { self.ready_to_read().await }
    }

    /// Gives it up for good.
    pub(crate) async fn drop_part(&mut self, held: &Held) -> Result<(), AuditError> {
        let done = match self {
            Self::Postgres(store) => within(DROP, store.drop_part(held)).await,
            Self::Sqlite(store) => within(DROP, store.drop_part(held)).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// A connection that failed is not used again.
    fn forget_if(&mut self, failed: bool) {
        if failed {
            match self {
                Self::Postgres(store) => store.forget(),
                Self::Sqlite(store) => store.forget(),
            }
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, AuditError>>) -> Result<T, AuditError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late(limit)))
}

/// Rows of (exchange id as text, tenant, class).
fn open<'r, R: Row>(rows: &'r [R]) -> Result<Vec<(ExchangeId, Whose)>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let exchange = |text: String| text.parse::<ExchangeId>().map_err(|error| sqlx::Error::Decode(error.into()));
    let whose = |row: &'r R| Ok::<_, sqlx::Error>(Whose { tenant: row.try_get(1)?, class: row.try_get(2)? });
    rows.iter().map(|row| Ok((exchange(row.try_get(0)?)?, whose(row)?))).collect()
}

/// A record's number as the stores have it.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn late(limit: Duration) -> AuditError {
    AuditError::Store(format!("no answer within {} s", limit.as_secs()))
}

/// The names of all chains, each found by one step in the index after the one before: a table of a hundred million records has
/// few.
const NODES: &str = "WITH RECURSIVE linked(node) AS (SELECT min(node) FROM audit_chain UNION ALL \
                     SELECT (SELECT min(c.node) FROM audit_chain c WHERE c.node > linked.node) FROM linked WHERE node IS NOT NULL), \
                     stored(node) AS (SELECT min(node) FROM audit_event UNION ALL \
                     SELECT (SELECT min(e.node) FROM audit_event e WHERE e.node > stored.node) FROM stored WHERE node IS NOT NULL) \
                     SELECT node FROM linked WHERE node IS NOT NULL UNION SELECT node FROM stored WHERE node IS NOT NULL ORDER BY node";
/// Time to connect, log in and bring the schema up to date.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for one batch or one question.
const STATEMENT: Duration = Duration::from_secs(60);
/// Time to give up a day, or to look through a whole table.
const DROP: Duration = Duration::from_secs(600);
/// Wrapped keys fetched at once.
const WRAPPED: i64 = 500;
/// Rows fetched at once for an archive.
const ROWS: i64 = 2000;
/// Hashes fetched at once.
const HASHES: i64 = 10_000;
/// How many texts can be read with each master key, in both stores.
const WRAPPED_BY_KEY: &str = "SELECT key_id, count(*) FROM passage_text WHERE wrapped IS NOT NULL GROUP BY key_id";
/// Up to which record of a chain sums were made, in both stores.
const COUNTED: &str = "INSERT INTO counted (node, seq) VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET seq = excluded.seq \
                       WHERE excluded.seq > counted.seq";
/// Said when the store holds another record under this node and sequence number.
const FOREIGN: &str = "the store holds another record with this node and sequence number: the record there was changed, or two \
                       machines share a copied state folder; nothing more of this node is shipped until that is resolved";
