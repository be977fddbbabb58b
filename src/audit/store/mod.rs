//! The stores that records are shipped to: PostgreSQL and SQLite, the same tables in both.

mod columns;
mod postgres;
mod sqlite;

use std::path::PathBuf;
use std::time::Duration;

use sqlx::{ColumnIndex, Decode, Row, Type};

use self::postgres::Postgres;
use self::sqlite::Sqlite;
use super::error::AuditError;
use super::query::{Filter, StoredEvent};
use super::rows::Rows;
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

    /// Exchanges of `node` begun at or before `seq` that have no end, with their tenants.
    pub(crate) async fn open_exchanges(
        &mut self,
        node: &str,
        seq: u64,
    ) -> Result<Vec<(ExchangeId, String)>, AuditError> {
        self.ready().await?;
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let done = match self {
            Self::Postgres(store) => within(STATEMENT, store.open_exchanges(node, seq)).await,
            Self::Sqlite(store) => within(STATEMENT, store.open_exchanges(node, seq)).await,
        };
        self.forget_if(done.is_err());
        done
    }

    /// Exchanges as JSON objects of [`super::query::ExchangeRow`], newest first.
    pub(crate) async fn list(&mut self, filter: &Filter) -> Result<Vec<String>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.list(filter)).await,
            Self::Sqlite(store) => within(STATEMENT, store.list(filter)).await,
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

    /// At most `limit` records of a chain from `seq` on, in order of their numbers.
    pub(crate) async fn chain(&mut self, node: &str, seq: i64, limit: i64) -> Result<Vec<StoredEvent>, AuditError> {
        match self {
            Self::Postgres(store) => within(STATEMENT, store.chain(node, seq, limit)).await,
            Self::Sqlite(store) => within(STATEMENT, store.chain(node, seq, limit)).await,
        }
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

/// Rows of (exchange id as text, tenant).
fn open<'r, R: Row>(rows: &'r [R]) -> Result<Vec<(ExchangeId, String)>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let exchange = |text: String| text.parse::<ExchangeId>().map_err(|error| sqlx::Error::Decode(error.into()));
    rows.iter().map(|row| Ok((exchange(row.try_get(0)?)?, row.try_get(1)?))).collect()
}

fn late(limit: Duration) -> AuditError {
    AuditError::Store(format!("no answer within {} s", limit.as_secs()))
}

/// Time to connect, log in and bring the schema up to date.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for one batch or one question.
const STATEMENT: Duration = Duration::from_secs(60);
/// Said when the store holds another record under this node and sequence number.
const FOREIGN: &str = "the store holds another record with this node and sequence number: the record there was changed, or two \
                       machines share a copied state folder; nothing more of this node is shipped until that is resolved";
