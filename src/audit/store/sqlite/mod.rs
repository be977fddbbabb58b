//! SQLite: one file on the same machine, in WAL mode so that the command line can read while the appliance writes.

mod texts;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlStr};

use super::columns::{
    BEGIN, CHAIN, END, EVENT, FINDING, HITS, INCIDENT, LATENCY, PRINCIPAL, TEXT, TRAFFIC, Target, VERDICT,
};
use super::tables::Table;
use super::{AppendError, Bind, Held, Sql};
use crate::audit::error::AuditError;
use crate::audit::proof::Part;
use crate::audit::query::{Filter, StoredEvent};
use crate::audit::rows::{self, Rows};
use crate::audit::spool::{Whose, make_folder};
use crate::audit::sums::Sums;
use crate::base::ExchangeId;

/// An SQLite store.
#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    connection: Option<SqliteConnection>,
}

impl Sqlite {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), connection: None }
    }

    pub(super) fn forget(&mut self) {
        self.connection = None;
    }

    pub(super) async fn ready(&mut self) -> Result<(), AuditError> {
        if self.connection.is_some() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        // Made here and not by SQLite, for its mode: only the owner may read. SQLite's other files copy it.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(|error| AuditError::StoreConfig(format!("SQLite {}: {error}", self.path.display())))?;
        let options = self
            .options()
            .journal_mode(SqliteJournalMode::Wal)
            // A shipped segment is deleted after the commit, so the commit must outlive power loss.
            .synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await.map_err(|error| self.error(&error))?;
        migrator().run_direct(None, &mut connection, false).await.map_err(|error| {
            if let MigrateError::Execute(error) = &error
                && primary_code(error) != Some(ERROR)
            {
                return self.error(error);
            }
            AuditError::StoreConfig(format!(
                "{}: the schema cannot be brought up to date: {error}; it may be of a newer Portcullis: run that \
                 version, or name another file",
                self.path.display()
            ))
        })?;
        self.connection = Some(connection);
        Ok(())
    }

    pub(super) async fn ready_to_read(&mut self) -> Result<(), AuditError> {
        if !self.path.exists() {
            return Err(AuditError::StoreConfig(format!(
                "{} does not exist yet; start the appliance once",
                self.path.display()
            )));
        }
        // Not opened read-only: a reader of a WAL database must be able to make its shared-memory file.
        let mut connection = self.options().connect().await.map_err(|error| self.error(&error))?;
        sqlx::query("SELECT 1 FROM audit_event LIMIT 1").fetch_optional(&mut connection).await.map_err(|error| {
            AuditError::StoreConfig(format!(
                "{} holds no Portcullis record ({error}); start the appliance once, or name the right file",
                self.path.display()
            ))
        })?;
        self.connection = Some(connection);
        Ok(())
    }

    pub(super) async fn ping(&mut self) -> Result<(), AuditError> {
        let done = self.connection()?.ping().await;
        done.map_err(|error| self.error(&error))
    }

    pub(super) async fn append(&mut self, rows: &Rows) -> Result<(), AppendError> {
        let connection = self.connection.as_mut().ok_or(AppendError::Away(AuditError::Stopped))?;
        append(connection, rows).await.map_err(|error| match error {
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
        const SQL: &str = "SELECT exchange_id, tenant, class FROM exchange \
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
            .bind(terms.map(|terms| serde_json::json!(terms).to_string()))
            .fetch_all(self.connection()?)
            .await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn events_of(&mut self, exchange: ExchangeId) -> Result<Vec<StoredEvent>, AuditError> {
        const SQL: &str =
            "SELECT node, seq, prev_hash, hash, body FROM audit_event WHERE exchange_id = $1 ORDER BY at_us, seq";
        let rows = sqlx::query_as(SQL).bind(exchange.to_string()).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn nodes(&mut self) -> Result<Vec<String>, AuditError> {
        let rows = sqlx::query_scalar(super::NODES).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn links(&mut self, node: &str, seq: i64, limit: i64) -> Result<Vec<String>, AuditError> {
        const SQL: &str = "SELECT json_object('node', node, 'seq', seq, 'day', strftime('%Y-%m-%d', day * 86400, 'unixepoch'), 'class', class, 'hash', hash) \
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
        const SQL: &str = "SELECT json_object('node', node, 'seq', seq, 'day', strftime('%Y-%m-%d', day * 86400, 'unixepoch'), 'class', class, 'hash', null, 'event', json_object( \
             'prev_hash', prev_hash, 'hash', hash, 'body', body, 'region', region, 'tenant', tenant, 'at_us', at_us, 'kind', kind, \
             'exchange_id', exchange_id)) \
             FROM audit_event WHERE node = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq, day, class LIMIT $4";
        let rows = sqlx::query_scalar(SQL).bind(node).bind(first).bind(last).bind(limit);
        let rows = rows.fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn derived(&mut self, target: Target, exchanges: &str) -> Result<Vec<String>, AuditError> {
        let sql = AssertSqlSafe(target.select_sqlite());
        let rows = sqlx::query_scalar(sql).bind(exchanges).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn made_up(&mut self, node: &str) -> Result<Option<String>, AuditError> {
        let row = sqlx::query_scalar(MADE_UP).bind(node).fetch_optional(self.connection()?).await;
        row.map_err(|error| self.error(&error))
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
        const SQL: &str = "SELECT json_object('node', node, 'seq', seq, 'day', strftime('%Y-%m-%d', day * 86400, 'unixepoch'), 'class', class, 'hash', null, 'event', json_object( \
             'prev_hash', prev_hash, 'hash', hash, 'body', body, 'region', region, 'tenant', tenant, 'at_us', at_us, 'kind', kind, \
             'exchange_id', exchange_id)) \
             FROM audit_event WHERE kind = 'tombstone' AND exchange_id IS NULL ORDER BY node, seq";
        let rows = sqlx::query_scalar(SQL).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn held(&mut self) -> Result<Vec<Held>, AuditError> {
        const SQL: &str = "SELECT DISTINCT 'events', day, class FROM audit_event UNION ALL SELECT DISTINCT 'review', day, class \
                           FROM exchange UNION ALL SELECT DISTINCT 'chain', day, null FROM audit_chain \
                           UNION ALL SELECT DISTINCT 'texts', day, class FROM passage_text";
        let rows: Result<Vec<(String, i32, Option<String>)>, _> =
            sqlx::query_as(SQL).fetch_all(self.connection()?).await;
        let rows = rows.map_err(|error| self.error(&error))?;
        let part = |name: &str| {
            [Part::Chain, Part::Events, Part::Review, Part::Texts].into_iter().find(|part| part.name() == name)
        };
        let held = |(name, day, class): (String, _, _)| Some(Held { part: part(&name)?, day: rows::date(day)?, class });
        Ok(rows.into_iter().filter_map(held).collect())
    }

    pub(super) async fn hashes(
        &mut self,
        held: &Held,
        (node, seq): (&str, i64),
    ) -> Result<Vec<(String, i64, String)>, AuditError> {
        const CHAIN: &str = "SELECT node, seq, hash FROM audit_chain WHERE day = $1 AND $2 IS NULL AND (node, seq) > ($3, $4) \
                             ORDER BY node, seq LIMIT $5";
        const EVENTS: &str = "SELECT node, seq, hash FROM audit_event WHERE day = $1 AND class = $2 AND (node, seq) > ($3, $4) \
                              ORDER BY node, seq LIMIT $5";
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
        let sql = AssertSqlSafe(table.page_sqlite(after.is_none()));
        let rows = sqlx::query_scalar(sql).bind(rows::day(held.day)).bind(&held.class).bind(after).bind(super::ROWS);
        let rows = rows.fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(super) async fn drop_part(&mut self, held: &Held) -> Result<(), AuditError> {
        let tables: &[&str] = match held.part {
            Part::Chain => &["audit_chain"],
            Part::Events => &["audit_event"],
            Part::Review => &["exchange", "verdict", "finding", "incident", "review", "principal_day"],
            Part::Texts => &["passage_text"],
        };
        let connection = self.connection.as_mut().ok_or(AuditError::Stopped)?;
        let done = async {
            let mut transaction = connection.begin().await?;
            if held.part == Part::Texts {
                texts::forget_terms(&mut transaction, held).await?;
            }
            for table in tables {
                // The tables are constants of ours.
                let sql = AssertSqlSafe(format!("DELETE FROM {table} WHERE day = $1 AND ($2 IS NULL OR class = $2)"));
                sqlx::query(sql).bind(rows::day(held.day)).bind(&held.class).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        done.await.map_err(|error| self.error(&error))
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, AuditError> {
        self.connection.as_mut().ok_or(AuditError::Stopped)
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(&self.path).busy_timeout(BUSY)
    }

    fn error(&self, error: &sqlx::Error) -> AuditError {
        let text = format!("SQLite {}: {error}", self.path.display());
        match primary_code(error) {
            Some(NOTADB) => AuditError::StoreConfig(format!("{text}; name another file, or move this one away")),
            Some(READONLY | CANTOPEN) => AuditError::StoreConfig(format!(
                "{text}; let the user that runs Portcullis own the file and its folder"
            )),
            _ => AuditError::Store(text),
        }
    }
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

async fn append(connection: &mut SqliteConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let mut transaction = connection.begin().await?;
    let written = insert(&mut transaction, CHAIN, &rows.chain).await?;
    if written < rows.chain.len() as u64 {
        const SQL: &str = "SELECT count(*) FROM json_each($1) r JOIN audit_chain e ON e.day = json_extract(r.value, '$.day') \
                           AND e.node = json_extract(r.value, '$.node') AND e.seq = json_extract(r.value, '$.seq') \
                           AND e.hash = json_extract(r.value, '$.hash')";
        let same: i64 = sqlx::query_scalar(SQL).bind(json(&rows.chain)?).fetch_one(&mut *transaction).await?;
        if same < rows.chain.len() as i64 {
            return Err(AppendFailure::Other(super::FOREIGN.to_owned()));
        }
    }
    insert(&mut transaction, EVENT, &rows.events).await?;
    insert(&mut transaction, BEGIN, &rows.begins).await?;
    insert(&mut transaction, END, &rows.ends).await?;
    insert(&mut transaction, VERDICT, &rows.verdicts).await?;
    insert(&mut transaction, FINDING, &rows.findings).await?;
    insert(&mut transaction, INCIDENT, &rows.incidents).await?;
    insert(&mut transaction, TEXT, &rows.texts).await?;
    texts::insert_terms(&mut transaction, &rows.texts).await?;
    add(&mut transaction, rows).await?;
    transaction.commit().await?;
    Ok(())
}

/// Adds to the sums what was not counted yet.
async fn add(connection: &mut SqliteConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let node = rows.node();
    let counted: Option<i64> = sqlx::query_scalar("SELECT seq FROM counted WHERE node = $1")
        .bind(&node)
        .fetch_optional(&mut *connection)
        .await?;
    let sums = Sums::of(rows, counted.unwrap_or(0));
    insert(connection, TRAFFIC, &sums.traffic).await?;
    insert(connection, LATENCY, &sums.latency).await?;
    insert(connection, HITS, &sums.hits).await?;
    insert(connection, PRINCIPAL, &sums.principals).await?;
    sqlx::query(super::COUNTED).bind(&node).bind(rows.last_seq()).execute(connection).await?;
    Ok(())
}

async fn insert<T: Serialize>(
    connection: &mut SqliteConnection,
    target: Target,
    rows: &[T],
) -> Result<u64, AppendFailure> {
    if rows.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(AssertSqlSafe(target.sqlite())).bind(json(rows)?).execute(connection).await?;
    Ok(done.rows_affected())
}

fn json<T: Serialize>(rows: &[T]) -> Result<String, AppendFailure> {
    serde_json::to_string(rows).map_err(|error| AppendFailure::Other(error.to_string()))
}

/// Constraint, mismatch or too-big errors are about the rows; everything else (busy, full, I/O) is about the store.
fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(ERROR | TOOBIG | CONSTRAINT | MISMATCH))
}

/// SQLite's primary result code, <https://www.sqlite.org/rescode.html>.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse::<i32>().ok().map(|code| code & 0xFF)
}

const ERROR: i32 = 1;
const READONLY: i32 = 8;
const CANTOPEN: i32 = 14;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const NOTADB: i32 = 26;

fn migrator() -> Migrator {
    let migration = |version, name: &'static str, sql| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(vec![
        migration(1, "record", include_str!("../../../../migrations/sqlite/0001_record.sql")),
        migration(2, "standing", include_str!("../../../../migrations/sqlite/0002_standing.sql")),
        migration(3, "class", include_str!("../../../../migrations/sqlite/0003_class.sql")),
        migration(4, "views", include_str!("../../../../migrations/sqlite/0004_views.sql")),
        migration(5, "texts", include_str!("../../../../migrations/sqlite/0005_texts.sql")),
        migration(6, "incidents", include_str!("../../../../migrations/sqlite/0006_incidents.sql")),
        migration(7, "sums", include_str!("../../../../migrations/sqlite/0007_sums.sql")),
    ])
}

/// The plus keeps it from looking for each exchange among all records of the node (<https://www.sqlite.org/optoverview.html>).
const MADE_UP: &str = "SELECT x.exchange_id FROM exchange x WHERE x.node = $1 AND NOT EXISTS \
                       (SELECT 1 FROM audit_event e WHERE e.exchange_id = x.exchange_id AND +e.node = x.node) LIMIT 1";

const LIST: &str = "SELECT json_object('exchange_id', exchange_id, 'node', node, 'region', region, 'tenant', tenant, \
    'principal', principal, 'key_id', key_id, 'client_addr', client_addr, 'dialect', dialect, 'route', route, \
    'method', method, 'path', path, 'model_asked', model_asked, 'stream', stream, 'policy_version', policy_version, \
    'started_us', started_us, 'request_action', request_action, 'request_score', request_score, \
    'request_bytes', request_bytes, 'ended_us', ended_us, 'outcome', outcome, 'status', status, 'provider', provider, \
    'model', model, 'upstream_status', upstream_status, 'reply_action', reply_action, 'reply_score', reply_score, \
    'prompt_tokens', prompt_tokens, 'completion_tokens', completion_tokens, 'cost_nusd', cost_nusd, 'reply_bytes', reply_bytes, \
    'fault_cause', fault_cause, 'fault_blame', fault_blame, 'fault_detail', fault_detail, \
    'latency_us', json(coalesce(latency_us, begin_latency_us))) \
    FROM exchange e \
    WHERE ($1 IS NULL OR coalesce(started_us, ended_us) >= $1) AND ($2 IS NULL OR coalesce(started_us, ended_us) < $2) \
    AND ($3 IS NULL OR request_action = $3 OR reply_action = $3) AND ($4 IS NULL OR tenant = $4) \
    AND ($5 IS NULL OR EXISTS (SELECT 1 FROM finding f WHERE f.day = e.day AND f.exchange_id = e.exchange_id \
    AND f.judge_id = $5)) AND ($6 IS NULL OR exchange_id < $6) \
    AND ($8 IS NULL OR exchange_id IN (SELECT t.exchange_id FROM passage_term t WHERE t.term IN (SELECT value FROM json_each($8)) \
    GROUP BY t.exchange_id, t.direction HAVING count(*) = json_array_length($8))) \
    ORDER BY day DESC, exchange_id DESC LIMIT $7";

/// How long a statement waits for another process's write.
const BUSY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    #[tokio::test]
    async fn verifying_looks_for_an_exchange_by_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Sqlite::new(&folder.path().join("audit.db"));
        store.ready().await.unwrap();
        for sql in [MADE_UP, texts::HASHED] {
            let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).bind("[]");
            let steps = plan.fetch_all(store.connection().unwrap()).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            assert!(steps.iter().any(|step| step.contains("(exchange_id=?)")), "{steps:?}");
        }
    }
}
