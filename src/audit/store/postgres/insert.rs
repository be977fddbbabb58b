//! Batches by `INSERT`, for rows that may be there already: after a crash, or an answer that was lost.

use serde::Serialize;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::audit::rows::Rows;
use crate::audit::store::columns::{
    BEGIN, CHAIN, END, EVENT, FINDING, HITS, INCIDENT, LATENCY, PRINCIPAL, TEXT, TRAFFIC, Target, VERDICT,
};
use crate::audit::store::{COUNTED, FOREIGN};
use crate::audit::sums::Sums;

/// Why a batch was not committed.
pub(super) enum AppendFailure {
    Sql(sqlx::Error),
    Other(String),
}

impl From<sqlx::Error> for AppendFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Commits rows, of which some or all may be there already.
pub(super) async fn append(connection: &mut PgConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let mut transaction = connection.begin().await?;
    let written = insert(&mut transaction, CHAIN, &rows.chain).await?;
    if written < rows.chain.len() as u64 {
        const SQL: &str = "SELECT count(*) FROM json_to_recordset($1::text::json) AS r(day integer, node text, seq bigint, \
                           hash text) JOIN audit_chain e ON e.day = date '1970-01-01' + r.day AND e.node = r.node \
                           AND e.seq = r.seq AND e.hash = decode(r.hash, 'hex')";
        let same: i64 = sqlx::query_scalar(SQL).bind(json(&rows.chain)?).fetch_one(&mut *transaction).await?;
        if same < rows.chain.len() as i64 {
            return Err(AppendFailure::Other(FOREIGN.to_owned()));
        }
    }
    insert(&mut transaction, EVENT, &rows.events).await?;
    insert(&mut transaction, BEGIN, &rows.begins).await?;
    insert(&mut transaction, END, &rows.ends).await?;
    insert(&mut transaction, VERDICT, &rows.verdicts).await?;
    insert(&mut transaction, FINDING, &rows.findings).await?;
    insert(&mut transaction, INCIDENT, &rows.incidents).await?;
    insert(&mut transaction, TEXT, &rows.texts).await?;
    add(&mut transaction, rows).await?;
    transaction.commit().await?;
    Ok(())
}

/// Adds to the sums what was not counted yet.
pub(super) async fn add(connection: &mut PgConnection, rows: &Rows) -> Result<(), AppendFailure> {
    let node = rows.node();
    let counted: Option<i64> = sqlx::query_scalar("SELECT seq FROM counted WHERE node = $1 FOR UPDATE")
        .bind(&node)
        .fetch_optional(&mut *connection)
        .await?;
    let sums = Sums::of(rows, counted.unwrap_or(0));
    insert(connection, TRAFFIC, &sums.traffic).await?;
    insert(connection, LATENCY, &sums.latency).await?;
    insert(connection, HITS, &sums.hits).await?;
    insert(connection, PRINCIPAL, &sums.principals).await?;
    sqlx::query(COUNTED).bind(&node).bind(rows.last_seq()).execute(connection).await?;
    Ok(())
}

pub(super) async fn insert<T: Serialize>(
    connection: &mut PgConnection,
    target: Target,
    rows: &[T],
) -> Result<u64, AppendFailure> {
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
pub(super) fn is_refusal(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let no_partition = error.is_check_violation() && error.constraint().is_none();
    !no_partition
        && error.code().is_some_and(|code| ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)))
}
