//! PostgreSQL: tables partitioned by day, made on demand; several nodes may write into one database.

mod copy;
pub(in crate::audit) mod grants;
mod insert;
mod partition;
mod texts;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlStr};

use super::columns::Target;
use super::tables::Table;
use super::{AppendError, Bind, Held, Sql};
use crate::audit::error::AuditError;
use crate::audit::proof::Part;
use crate::audit::query::{Filter, StoredEvent};
use crate::audit::record::day_of;
use crate::audit::rows::{self, Rows};
use crate::audit::spool::Whose;
use crate::base::{ExchangeId, Secret};
use insert::{AppendFailure, is_refusal};

/// A PostgreSQL store.
pub(crate) struct Postgres {
    options: Box<PgConnectOptions>,
    /// `user@host:port/database`, for messages.
    place: String,
    connection: Option<PgConnection>,
    /// Days and classes whose partitions this connection has seen.
    days: partition::Seen,
    /// The last batch was committed by this connection, so that nothing of the next one can be there already.
    is_next_new: bool,
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
        Ok(Self {
            options: Box::new(options),
            place,
            connection: None,
            days: partition::Seen::new(),
            is_next_new: false,
        })
    }

    pub(super) fn forget(&mut self) {
        self.connection = None;
        self.days.clear();
        self.is_next_new = false;
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
        let mut done = partition::make(connection, days, rows).await.map_err(AppendFailure::from);
        if done.is_ok() {
            done = match std::mem::take(&mut self.is_next_new) {
                true => match copy::append(connection, rows).await {
                    // Somebody wrote under our numbers: row by row it shows what.
                    Err(AppendFailure::Sql(error)) if is_refusal(&error) => insert::append(connection, rows).await,
                    done => done,
                },
                false => insert::append(connection, rows).await,
            };
        }
        self.is_next_new = done.is_ok();
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
    ) -> Result<Vec<(ExchangeId, Whose)>, AuditError> {
        const SQL: &str = "SELECT exchange_id::text, tenant, class FROM exchange \
                           WHERE node = $1 AND end_seq IS NULL AND begin_seq <= $2";
        let rows = sqlx::query(SQL).bind(node).bind(seq).fetch_all(self.connection()?).await;
        let rows = rows.map_err(|error| self.error(&error))?;
        super::open(&rows).map_err(|error| self.error(&error))
    }

    pub(super) async fn list(&mut self, filter: &Filter, terms: Option<&[i64]>) -> Result<Vec<String>, AuditError> {
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
            .bind(filter.since.map(|since| rows::day(day_of(since)) - 1))
            .bind(terms)
            .fetch_all(self.connection()?)
            .await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn events_of(&mut self, exchange: ExchangeId) -> Result<Vec<StoredEvent>, AuditError> {
        const SQL: &str = "SELECT node, seq, encode(prev_hash, 'hex'), encode(hash, 'hex'), body FROM audit_event \
                           WHERE exchange_id = $1::text::uuid AND day >= date '1970-01-01' + $2 ORDER BY at, seq";
        // Its records were taken on the day that its id was made, or later, unless a clock was set back.
        for day in [rows::exchange_day(exchange) - 1, 0] {
            let rows = sqlx::query_as(SQL).bind(exchange.to_string()).bind(day).fetch_all(self.connection()?).await;
            let rows: Vec<StoredEvent> = rows.map_err(|error| self.error(&error))?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    pub(super) async fn nodes(&mut self) -> Result<Vec<String>, AuditError> {
        let rows = sqlx::query_scalar(super::NODES).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn links(&mut self, node: &str, seq: i64, limit: i64) -> Result<Vec<String>, AuditError> {
        const SQL: &str = "SELECT json_build_object('node', node, 'seq', seq, 'day', day, 'class', class, 'hash', encode(hash, 'hex'))::text \
             FROM audit_chain WHERE node = $1 AND seq >= $2 ORDER BY seq, day LIMIT $3";
        let rows = sqlx::query_scalar(SQL).bind(node).bind(seq).bind(limit).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn bodies(
        &mut self,
        node: &str,
        (first, last): (i64, i64),
        limit: i64,
    ) -> Result<Vec<String>, AuditError> {
        const SQL: &str = "SELECT json_build_object('node', node, 'seq', seq, 'day', day, 'class', class, 'hash', null, 'event', json_build_object( \
             'prev_hash', encode(prev_hash, 'hex'), 'hash', encode(hash, 'hex'), 'body', body, 'region', region, 'tenant', tenant, \
             'at_us', (extract(epoch FROM at) * 1000000)::bigint, 'kind', kind, 'exchange_id', exchange_id))::text \
             FROM audit_event WHERE node = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq, day, class LIMIT $4";
        let rows = sqlx::query_scalar(SQL).bind(node).bind(first).bind(last).bind(limit);
        let rows = rows.fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn derived(&mut self, target: Target, exchanges: &str) -> Result<Vec<String>, AuditError> {
        let sql = AssertSqlSafe(target.select_postgres());
        let rows = sqlx::query_scalar(sql).bind(exchanges).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn made_up(&mut self, node: &str) -> Result<Option<String>, AuditError> {
        let found = made_up(self.connection()?, node).await;
        found.map_err(|error| self.error(&error))
    }

    pub(super) async fn last_seal(&mut self, node: &str) -> Result<Option<String>, AuditError> {
        const SQL: &str = "SELECT body FROM audit_event WHERE node = $1 AND kind = 'seal' ORDER BY seq DESC LIMIT 1";
        let row = sqlx::query_scalar(SQL).bind(node).fetch_optional(self.connection()?).await;
        row.map_err(|error| self.error(&error))
    }

    pub(super) async fn seal_after(&mut self, node: &str, seq: i64) -> Result<Option<String>, AuditError> {
        const SQL: &str =
            "SELECT body FROM audit_event WHERE node = $1 AND seq > $2 AND kind = 'seal' ORDER BY seq LIMIT 1";
        let row = sqlx::query_scalar(SQL).bind(node).bind(seq).fetch_optional(self.connection()?).await;
        row.map_err(|error| self.error(&error))
    }

    pub(super) async fn tombstones(&mut self) -> Result<Vec<String>, AuditError> {
        const SQL: &str = "SELECT json_build_object('node', node, 'seq', seq, 'day', day, 'class', class, 'hash', null, 'event', json_build_object( \
             'prev_hash', encode(prev_hash, 'hex'), 'hash', encode(hash, 'hex'), 'body', body, 'region', region, 'tenant', tenant, \
             'at_us', (extract(epoch FROM at) * 1000000)::bigint, 'kind', kind, 'exchange_id', exchange_id))::text \
             FROM audit_event WHERE kind = 'tombstone' AND exchange_id IS NULL ORDER BY node, seq";
        let rows = sqlx::query_scalar(SQL).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn clock(&mut self) -> Result<Timestamp, AuditError> {
        const SQL: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let micros: Result<i64, _> = sqlx::query_scalar(SQL).fetch_one(self.connection()?).await;
        let micros = micros.map_err(|error| self.error(&error))?;
        Timestamp::from_microsecond(micros)
            .map_err(|error| AuditError::Store(format!("the server's clock is odd: {error}")))
    }

    pub(super) async fn held(&mut self) -> Result<Vec<Held>, AuditError> {
        const SQL: &str = "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' \
                           AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'audit_chain'::regclass)";
        let names: Result<Vec<String>, _> = sqlx::query_scalar(SQL).fetch_all(self.connection()?).await;
        let names = names.map_err(|error| self.error(&error))?;
        Ok(names.iter().filter_map(|name| partition::held(name)).collect())
    }

    /// Takes the lock (false: another has it), or gives it back.
    pub(super) async fn lock_retention(&mut self, take: bool) -> Result<bool, AuditError> {
        let sql = if take { "SELECT pg_try_advisory_lock($1)" } else { "SELECT pg_advisory_unlock($1)" };
        let done = sqlx::query_scalar(sql).bind(RETENTION_LOCK).fetch_one(self.connection()?).await;
        done.map_err(|error| self.error(&error))
    }

    pub(super) async fn hashes(
        &mut self,
        held: &Held,
        (node, seq): (&str, i64),
    ) -> Result<Vec<(String, i64, String)>, AuditError> {
        const CHAIN: &str = "SELECT node, seq, encode(hash, 'hex') FROM audit_chain WHERE day = date '1970-01-01' + $1 \
                             AND $2::text IS NULL AND (node, seq) > ($3, $4) ORDER BY node, seq LIMIT $5";
        const EVENTS: &str = "SELECT node, seq, encode(hash, 'hex') FROM audit_event WHERE day = date '1970-01-01' + $1 \
                              AND class = $2 AND (node, seq) > ($3, $4) ORDER BY node, seq LIMIT $5";
        let sql = if held.part == Part::Chain { CHAIN } else { EVENTS };
        let rows = sqlx::query_as(sql).bind(rows::day(held.day)).bind(&held.class).bind(node).bind(seq);
        let rows = rows.bind(super::HASHES).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    pub(super) async fn ask(&mut self, sql: &Sql) -> Result<Vec<String>, AuditError> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.text().to_owned()));
        let query = sql.binds().iter().fold(query, |query, bind| match bind {
            Bind::Int(value) => query.bind(*value),
            Bind::Text(text) => query.bind(text.as_str()),
            Bind::Null => query.bind(None::<&str>),
        });
        let rows = query.fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn run(&mut self, statements: &[Sql]) -> Result<u64, AuditError> {
        let connection = self.connection.as_mut().ok_or(AuditError::Stopped)?;
        let done = async {
            let mut transaction = connection.begin().await?;
            let mut touched = 0;
            for sql in statements {
                let query = sqlx::query(AssertSqlSafe(sql.text().to_owned()));
                let query = sql.binds().iter().fold(query, |query, bind| match bind {
                    Bind::Int(value) => query.bind(*value),
                    Bind::Text(text) => query.bind(text.as_str()),
                    Bind::Null => query.bind(None::<&str>),
                });
                touched = query.execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(touched)
        };
        done.await.map_err(|error| self.error(&error))
    }

    pub(super) async fn page(
        &mut self,
        table: &Table,
        held: &Held,
        after: Option<&str>,
    ) -> Result<Vec<String>, AuditError> {
        let sql = AssertSqlSafe(table.page_postgres(after.is_none()));
        let rows = sqlx::query_scalar(sql).bind(rows::day(held.day)).bind(&held.class).bind(after).bind(super::ROWS);
        let rows = rows.fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn drop_part(&mut self, held: &Held) -> Result<(), AuditError> {
        let connection = self.connection.as_mut().ok_or(AuditError::Stopped)?;
        let done = partition::drop_part(connection, held).await;
        // Partitions that this connection has seen are not there any more.
        self.days.clear();
        done.map_err(|error| self.error(&error))
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

/// An exchange of a node of which no record tells.
async fn made_up(connection: &mut PgConnection, node: &str) -> Result<Option<String>, sqlx::Error> {
    const SQL: &str = "SELECT x.exchange_id::text FROM exchange x WHERE x.node = $1 AND NOT EXISTS \
                       (SELECT 1 FROM audit_event e WHERE e.exchange_id = x.exchange_id AND e.node = x.node) LIMIT 1";
    let mut transaction = connection.begin().await?;
    // Until a new day's tables are analyzed, the server may look for each exchange among all records of the node.
    sqlx::query("SET LOCAL enable_nestloop = off").execute(&mut *transaction).await?;
    let found = sqlx::query_scalar(SQL).bind(node).fetch_optional(&mut *transaction).await?;
    transaction.rollback().await?;
    Ok(found)
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

fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "record", include_str!("../../../../migrations/postgres/0001_record.sql")),
        migration(2, "standing", include_str!("../../../../migrations/postgres/0002_standing.sql")),
        migration(3, "class", include_str!("../../../../migrations/postgres/0003_class.sql")),
        migration(4, "views", include_str!("../../../../migrations/postgres/0004_views.sql")),
        migration(5, "texts", include_str!("../../../../migrations/postgres/0005_texts.sql")),
        migration(6, "incidents", include_str!("../../../../migrations/postgres/0006_incidents.sql")),
        migration(7, "sums", include_str!("../../../../migrations/postgres/0007_sums.sql")),
    ])
}

const LIST: &str = "SELECT json_build_object('exchange_id', exchange_id, 'node', node, 'region', region, 'tenant', tenant, \
    'principal', principal, 'key_id', key_id, 'client_addr', client_addr, 'dialect', dialect, 'route', route, \
    'method', method, 'path', path, 'model_asked', model_asked, 'stream', stream::int, 'policy_version', policy_version, \
    'started_us', (extract(epoch FROM started_at) * 1000000)::bigint, 'request_action', request_action, \
    'request_score', request_score, 'request_bytes', request_bytes, \
    'ended_us', (extract(epoch FROM ended_at) * 1000000)::bigint, 'outcome', outcome, 'status', status, \
    'provider', provider, 'model', model, 'upstream_status', upstream_status, 'reply_action', reply_action, \
    'reply_score', reply_score, 'prompt_tokens', prompt_tokens, 'completion_tokens', completion_tokens, 'cost_nusd', cost_nusd, \
    'reply_bytes', reply_bytes, 'fault_cause', fault_cause, 'fault_blame', fault_blame, 'fault_detail', fault_detail, \
    'latency_us', coalesce(latency_us, begin_latency_us))::text \
    FROM exchange e \
    WHERE ($1::bigint IS NULL OR coalesce(started_at, ended_at) >= timestamptz 'epoch' + $1 * interval '1 microsecond') \
    AND ($2::bigint IS NULL OR coalesce(started_at, ended_at) < timestamptz 'epoch' + $2 * interval '1 microsecond') \
    AND ($3::text IS NULL OR request_action = $3 OR reply_action = $3) AND ($4::text IS NULL OR tenant = $4) \
    AND ($5::text IS NULL OR EXISTS (SELECT 1 FROM finding f WHERE f.day = e.day AND f.exchange_id = e.exchange_id \
    AND f.judge_id = $5)) AND ($6::text IS NULL OR exchange_id < $6::text::uuid) AND ($8::int IS NULL OR day <= date '1970-01-01' + $8) \
    AND ($9::int IS NULL OR day >= date '1970-01-01' + $9) \
    AND ($10::bigint[] IS NULL OR exchange_id IN (SELECT t.exchange_id FROM passage_text t WHERE t.tenant = $4 AND t.terms @> $10)) \
    ORDER BY day DESC, exchange_id DESC LIMIT $7";

/// The oldest server that will do, as `server_version_num`.
const VERSION_MIN: u32 = 140_000;
/// The advisory lock of whoever gives up what is too old ("pcretain").
const RETENTION_LOCK: i64 = 0x7063_7265_7461_696e;

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
