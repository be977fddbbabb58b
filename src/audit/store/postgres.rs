//! PostgreSQL: tables partitioned by day, made on demand; several nodes may write into one database.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlStr};

use super::AppendError;
use super::columns::{BEGIN, END, EVENT, FINDING, Target, VERDICT};
use crate::audit::error::AuditError;
use crate::audit::query::{Filter, StoredEvent};
use crate::audit::rows::{self, Rows};
use crate::base::{ExchangeId, Secret};

/// A PostgreSQL store.
pub(crate) struct Postgres {
    options: Box<PgConnectOptions>,
    /// `user@host:port/database`, for messages.
    place: String,
    connection: Option<PgConnection>,
    /// Days whose partitions this connection has seen.
    days: HashSet<i32>,
}

impl fmt::Debug for Postgres {
    /// sqlx's options print the password; the place does not hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({})", self.place)
    }
}

impl Postgres {
    pub(super) fn new(url: &Secret) -> Result<Self, AuditError> {
        let wrong = |why: &str| {
            AuditError::StoreConfig(format!(
                "the PostgreSQL URL cannot be read ({why}); write postgres://user:password@host:port/database"
            ))
        };
        let scheme = url.expose().split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("postgres" | "postgresql")) {
            return Err(wrong("it does not begin with postgres://"));
        }
        // The parser's own messages name a part of the URL at most, but that part may be the password: none is shown.
        let options = PgConnectOptions::from_str(url.expose()).map_err(|_| wrong("some part of it is malformed"))?;
        let options = options.application_name("portcullis");
        let place = format!(
            "{}@{}:{}/{}",
            options.get_username(),
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username())
        );
        Ok(Self { options: Box::new(options), place, connection: None, days: HashSet::new() })
    }

    pub(super) fn forget(&mut self) {
        self.connection = None;
        self.days.clear();
    }

    pub(super) async fn ready(&mut self) -> Result<(), AuditError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = self.connect().await?;
        migrator().run_direct(None, &mut connection, false).await.map_err(|error| self.migration_error(error))?;
        self.connection = Some(connection);
        Ok(())
    }

    pub(super) async fn ready_to_read(&mut self) -> Result<(), AuditError> {
        let mut connection = self.connect().await?;
        let found: Option<String> = sqlx::query_scalar("SELECT to_regclass('audit_event')::text")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| self.error(&error))?;
        if found.is_none() {
            return Err(AuditError::StoreConfig(format!(
                "PostgreSQL {} holds no Portcullis record; start the appliance once, or name the right database",
                self.place
            )));
        }
        self.connection = Some(connection);
        Ok(())
    }

    pub(super) async fn ping(&mut self) -> Result<(), AuditError> {
        let done = self.connection()?.ping().await;
        done.map_err(|error| self.error(&error))
    }

    pub(super) async fn append(&mut self, rows: &Rows) -> Result<(), AppendError> {
        let Self { connection, days, .. } = self;
        let connection = connection.as_mut().ok_or(AppendError::Away(AuditError::Stopped))?;
        let done = match partitions(connection, days, &rows.days()).await {
            Ok(()) => append(connection, rows).await,
            Err(error) => Err(error.into()),
        };
        done.map_err(|error| match error {
            AppendFailure::Sql(error) if is_refusal(&error) => AppendError::Refused(self.error(&error)),
            AppendFailure::Sql(error) => AppendError::Away(self.error(&error)),
            AppendFailure::Other(text) => AppendError::Refused(AuditError::Store(text)),
        })
    }

    pub(super) async fn open_exchanges(
        &mut self,
        node: &str,
        seq: i64,
    ) -> Result<Vec<(ExchangeId, String)>, AuditError> {
        const SQL: &str =
            "SELECT exchange_id::text, tenant FROM exchange WHERE node = $1 AND end_seq IS NULL AND begin_seq <= $2";
        let rows = sqlx::query(SQL).bind(node).bind(seq).fetch_all(self.connection()?).await;
        let rows = rows.map_err(|error| self.error(&error))?;
        super::open(&rows).map_err(|error| self.error(&error))
    }

    pub(super) async fn list(&mut self, filter: &Filter) -> Result<Vec<String>, AuditError> {
        let rows = sqlx::query_scalar(LIST)
            .bind(filter.since_us())
            .bind(filter.until_us())
            .bind(filter.action.map(|action| action.name()))
            .bind(&filter.tenant)
            .bind(&filter.rule)
            .bind(filter.before.map(|before| before.to_string()))
            .bind(filter.limit())
            .bind(filter.before.map(rows::exchange_day))
            // Skips older partitions; an id is made a moment before its exchange begins.
            .bind(filter.since.map(|since| rows::day(since) - 1))
            .fetch_all(self.connection()?)
            .await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn events_of(&mut self, exchange: ExchangeId) -> Result<Vec<StoredEvent>, AuditError> {
        const SQL: &str = "SELECT node, seq, prev_hash, hash, body FROM audit_event WHERE exchange_id = $1::text::uuid ORDER BY at, seq";
        let rows = sqlx::query_as(SQL).bind(exchange.to_string()).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn nodes(&mut self) -> Result<Vec<String>, AuditError> {
        const SQL: &str = "SELECT DISTINCT node FROM audit_event ORDER BY node";
        let rows = sqlx::query_scalar(SQL).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn chain(&mut self, node: &str, seq: i64, limit: i64) -> Result<Vec<StoredEvent>, AuditError> {
        const SQL: &str = "SELECT node, seq, prev_hash, hash, body FROM audit_event WHERE node = $1 AND seq >= $2 \
                           ORDER BY seq, day LIMIT $3";
        let rows = sqlx::query_as(SQL).bind(node).bind(seq).bind(limit).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    async fn connect(&self) -> Result<PgConnection, AuditError> {
        let mut connection = self.options.connect().await.map_err(|error| self.error(&error))?;
        let version: String = sqlx::query_scalar("SHOW server_version_num")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| self.error(&error))?;
        check_version(&version, &self.place)?;
        Ok(connection)
    }

    fn connection(&mut self) -> Result<&mut PgConnection, AuditError> {
        self.connection.as_mut().ok_or(AuditError::Stopped)
    }

    fn error(&self, error: &sqlx::Error) -> AuditError {
        let place = &self.place;
        let code = error.as_database_error().and_then(|error| error.code());
        let permanent = match code.as_deref() {
            Some("28P01" | "28000") => "check the user and password in the URL, and the server's pg_hba.conf",
            Some("3D000") => "create that database (createdb), owned by that user, or name another one",
            Some("42501") => "that user may not do this: let it own the database, or grant it CREATE on the schema",
            _ => "",
        };
        if !permanent.is_empty() {
            return AuditError::StoreConfig(format!("PostgreSQL {place}: {error}; {permanent}"));
        }
        match error {
            sqlx::Error::Configuration(_) => AuditError::StoreConfig(format!("PostgreSQL {place}: {error}")),
            sqlx::Error::Io(_) => AuditError::Store(format!(
                "PostgreSQL {place} is not reached: {error}; is it running, and does it listen there?"
            )),
            _ => AuditError::Store(format!("PostgreSQL {place}: {error}")),
        }
    }

    fn migration_error(&self, error: MigrateError) -> AuditError {
        match error {
            MigrateError::Execute(error) => self.error(&error),
            MigrateError::ExecuteMigration(error, number) => match self.error(&error) {
                AuditError::Store(text) if error.as_database_error().is_some() => AuditError::StoreConfig(format!(
                    "migration {number} failed: {text}; are there tables of another program in that database? Give \
                     Portcullis one of its own"
                )),
                other => other,
            },
            other => AuditError::StoreConfig(format!(
                "PostgreSQL {}: {other}; the database is of another version of Portcullis: run the newest one that used it",
                self.place
            )),
        }
    }
}

/// Refuses servers older than 14, the oldest whose partitioning and functions the schema relies on.
fn check_version(version: &str, place: &str) -> Result<(), AuditError> {
    match version.parse::<u32>() {
        Ok(number) if number >= VERSION_MIN => Ok(()),
        _ => Err(AuditError::StoreConfig(format!(
            "PostgreSQL {place} is version {version} (server_version_num); Portcullis needs {VERSION_MIN} or newer: \
             upgrade the server, or use SQLite"
        ))),
    }
}

/// Makes the partitions of these days. Nodes that do so at the same time wait for each other.
async fn partitions(connection: &mut PgConnection, seen: &mut HashSet<i32>, days: &[i32]) -> Result<(), sqlx::Error> {
    let fresh: Vec<_> = days.iter().copied().filter(|day| !seen.contains(day)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(PARTITION_LOCK).execute(&mut *transaction).await?;
    for day in &fresh {
        let (name, from, to): (String, String, String) = sqlx::query_as(
            "SELECT to_char(d, 'YYYYMMDD'), to_char(d, 'YYYY-MM-DD'), to_char(d + 1, 'YYYY-MM-DD') \
             FROM (SELECT date '1970-01-01' + $1 AS d) AS days",
        )
        .bind(day)
        .fetch_one(&mut *transaction)
        .await?;
        for table in ["audit_event", "exchange", "verdict", "finding"] {
            // Every part is a constant of ours or a date that the server printed.
            let make = format!(
                "CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}')"
            );
            sqlx::query(AssertSqlSafe(make)).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    seen.extend(fresh);
    Ok(())
}

enum AppendFailure {
    Sql(sqlx::Error),
    Other(String),
}

impl From<sqlx::Error> for AppendFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn append(connection: &mut PgConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let mut transaction = connection.begin().await?;
    let written = insert(&mut transaction, EVENT, &rows.events).await?;
    if written < rows.events.len() as u64 {
        const SQL: &str = "SELECT count(*) FROM json_to_recordset($1::text::json) AS r(day integer, node text, seq bigint, \
                           hash text) JOIN audit_event e ON e.day = date '1970-01-01' + r.day AND e.node = r.node \
                           AND e.seq = r.seq AND e.hash = r.hash";
        let same: i64 = sqlx::query_scalar(SQL).bind(json(&rows.events)?).fetch_one(&mut *transaction).await?;
        if same < rows.events.len() as i64 {
            return Err(AppendFailure::Other(super::FOREIGN.to_owned()));
        }
    }
    insert(&mut transaction, BEGIN, &rows.begins).await?;
    insert(&mut transaction, END, &rows.ends).await?;
    insert(&mut transaction, VERDICT, &rows.verdicts).await?;
    insert(&mut transaction, FINDING, &rows.findings).await?;
    transaction.commit().await?;
    Ok(())
}

async fn insert<T: Serialize>(connection: &mut PgConnection, target: Target, rows: &[T]) -> Result<u64, AppendFailure> {
    if rows.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(AssertSqlSafe(target.postgres())).bind(json(rows)?).execute(connection).await?;
    Ok(done.rows_affected())
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, AppendFailure> {
    serde_json::to_string(rows).map_err(|error| AppendFailure::Other(error.to_string()))
}

/// Cardinality (21), data (22), integrity (23) and program-limit (54) errors are about the rows, but for a partition that
/// somebody dropped (a check violation without a constraint's name); everything else is about the store.
fn is_refusal(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let no_partition = error.is_check_violation() && error.constraint().is_none();
    !no_partition
        && error.code().is_some_and(|code| ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "record", include_str!("../../../migrations/postgres/0001_record.sql")),
        migration(2, "standing", include_str!("../../../migrations/postgres/0002_standing.sql")),
    ])
}

const LIST: &str = "SELECT json_build_object('exchange_id', exchange_id, 'node', node, 'region', region, 'tenant', tenant, \
    'principal', principal, 'key_id', key_id, 'client_addr', client_addr, 'dialect', dialect, 'route', route, \
    'method', method, 'path', path, 'model_asked', model_asked, 'stream', stream::int, 'policy_version', policy_version, \
    'started_us', (extract(epoch FROM started_at) * 1000000)::bigint, 'request_action', request_action, \
    'request_score', request_score, 'request_bytes', request_bytes, \
    'ended_us', (extract(epoch FROM ended_at) * 1000000)::bigint, 'outcome', outcome, 'status', status, \
    'provider', provider, 'model', model, 'upstream_status', upstream_status, 'reply_action', reply_action, \
    'reply_score', reply_score, 'prompt_tokens', prompt_tokens, 'completion_tokens', completion_tokens, \
    'reply_bytes', reply_bytes, 'fault_cause', fault_cause, 'fault_blame', fault_blame, 'fault_detail', fault_detail, \
    'latency_us', coalesce(latency_us, begin_latency_us))::text \
    FROM exchange e \
    WHERE ($1::bigint IS NULL OR coalesce(started_at, ended_at) >= timestamptz 'epoch' + $1 * interval '1 microsecond') \
    AND ($2::bigint IS NULL OR coalesce(started_at, ended_at) < timestamptz 'epoch' + $2 * interval '1 microsecond') \
    AND ($3::text IS NULL OR request_action = $3 OR reply_action = $3) AND ($4::text IS NULL OR tenant = $4) \
    AND ($5::text IS NULL OR EXISTS (SELECT 1 FROM finding f WHERE f.day = e.day AND f.exchange_id = e.exchange_id \
    AND f.judge_id = $5)) AND ($6::text IS NULL OR exchange_id < $6::text::uuid) AND ($8::int IS NULL OR day <= date '1970-01-01' + $8) \
    AND ($9::int IS NULL OR day >= date '1970-01-01' + $9) \
    ORDER BY day DESC, exchange_id DESC LIMIT $7";

/// The oldest server that will do, as `server_version_num`.
const VERSION_MIN: u32 = 140_000;
/// The advisory lock under which partitions are made ("pcaudit" in ASCII).
const PARTITION_LOCK: i64 = 0x70_6361_7564_6974;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_url_is_told_without_its_password() {
        for url in
            ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h:notaport/d", "hunter2", "postgres://u:hunter2@[h/d"]
        {
            let error = Postgres::new(&Secret::new(url.into())).unwrap_err().to_string();
            assert!(error.contains("postgres://user:password@host:port/database"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_place_shows_everything_but_the_password() {
        let store = Postgres::new(&Secret::new("postgres://u:hunter2@db.example:6432/audit".into())).unwrap();
        assert_eq!(store.place, "u@db.example:6432/audit");
        assert!(!format!("{store:?}").contains("hunter2"));
    }

    #[test]
    fn servers_from_14_on_will_do() {
        assert!(check_version("140000", "p").is_ok());
        let error = check_version("130014", "p").unwrap_err().to_string();
        assert!(error.contains("130014") && error.contains("upgrade"), "{error}");
        assert!(check_version("", "p").is_err());
    }
}
