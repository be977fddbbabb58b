//! Recorded texts in SQLite.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::{AppendFailure, Sqlite, json};
use crate::audit::error::AuditError;
use crate::audit::record::Hash;
use crate::audit::rows::{self, TextRow};
use crate::audit::store::{self, Held, WRAPPED, WRAPPED_BY_KEY, Wrapped};
use crate::audit::texts::{Sealed, Shred};
use crate::base::ExchangeId;

impl Sqlite {
    pub(in crate::audit::store) async fn texts_of(
        &mut self,
        exchange: ExchangeId,
    ) -> Result<Vec<(String, Sealed)>, AuditError> {
        const SQL: &str = "SELECT direction, key_id, wrapped, ciphertext FROM passage_text WHERE exchange_id = $1";
        let rows = sqlx::query_as::<_, store::SealedRow>(SQL).bind(exchange.to_string());
        let rows = rows.fetch_all(self.connection()?).await;
        rows.map(store::sealed).map_err(|error| self.error(&error))
    }

    /// SQLite hashes nothing itself: the texts pass through here one at a time.
    pub(in crate::audit::store) async fn text_hashes(
        &mut self,
        exchanges: &str,
    ) -> Result<Vec<(String, String, String)>, AuditError> {
        let rows = sqlx::query_as::<_, (String, String, Vec<u8>)>(HASHED).bind(exchanges).fetch(self.connection()?);
        let hashed = rows.map_ok(|(exchange, direction, ciphertext)| {
            (exchange, direction, Hash::from_bytes(Sha256::digest(ciphertext).into()).to_string())
        });
        let hashed: Result<Vec<_>, _> = hashed.try_collect().await;
        hashed.map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn shred(&mut self, whose: &Shred) -> Result<u64, AuditError> {
        const KEYS: &str = "UPDATE passage_text SET wrapped = NULL WHERE tenant = $1 AND wrapped IS NOT NULL \
                            AND ($2 IS NULL OR exchange_id IN (SELECT exchange_id FROM exchange WHERE tenant = $1 AND principal = $2)) \
                            AND ($3 IS NULL OR exchange_id = $3)";
        const TERMS: &str = "DELETE FROM passage_term WHERE exchange_id IN \
                             (SELECT exchange_id FROM passage_text WHERE tenant = $1 AND wrapped IS NULL)";
        let exchange = whose.exchange.map(|exchange| exchange.to_string());
        let connection = self.connection()?;
        let done = async {
            // What is forgotten is to be overwritten in the file, not left in free pages.
            sqlx::query("PRAGMA secure_delete = ON").execute(&mut *connection).await?;
            let mut transaction = connection.begin().await?;
            let keys = sqlx::query(KEYS).bind(&whose.tenant).bind(&whose.principal).bind(exchange);
            let keys = keys.execute(&mut *transaction).await?.rows_affected();
            sqlx::query(TERMS).bind(&whose.tenant).execute(&mut *transaction).await?;
            transaction.commit().await?;
            // The write-ahead log still has the pages as they were.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await?;
            Ok(keys)
        };
        done.await.map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn wrapped_under(&mut self, key_id: &str) -> Result<Vec<Wrapped>, AuditError> {
        const SQL: &str = "SELECT exchange_id, direction, tenant, key_id, wrapped FROM passage_text \
                           WHERE key_id = $1 AND wrapped IS NOT NULL LIMIT $2";
        let rows = sqlx::query_as(SQL).bind(key_id).bind(WRAPPED).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn wrapped_by_key(&mut self) -> Result<Vec<(String, i64)>, AuditError> {
        let rows = sqlx::query_as(WRAPPED_BY_KEY).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn wrap_anew(
        &mut self,
        text: &Wrapped,
        key_id: &str,
        wrapped: &[u8],
    ) -> Result<(), AuditError> {
        const SQL: &str = "UPDATE passage_text SET key_id = $1, wrapped = $2 \
                           WHERE exchange_id = $3 AND direction = $4 AND key_id = $5 AND wrapped = $6";
        let query = sqlx::query(SQL).bind(key_id).bind(wrapped).bind(&text.exchange).bind(&text.direction);
        let done = query.bind(&text.key_id).bind(&text.wrapped).execute(self.connection()?).await;
        done.map(drop).map_err(|error| self.error(&error))
    }
}

/// The words of texts that were inserted just now.
pub(super) async fn insert_terms(connection: &mut SqliteConnection, texts: &[TextRow]) -> Result<(), AppendFailure> {
    const SQL: &str = "INSERT OR IGNORE INTO passage_term (term, exchange_id, direction) \
                       SELECT t.value, json_extract(r.value, '$.exchange_id'), json_extract(r.value, '$.direction') \
                       FROM json_each($1) r, json_each(r.value, '$.terms') t";
    if texts.iter().any(|text| !text.terms.is_empty()) {
        sqlx::query(SQL).bind(json(texts)?).execute(connection).await?;
    }
    Ok(())
}

/// The words of texts that are about to go.
pub(super) async fn forget_terms(connection: &mut SqliteConnection, held: &Held) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM passage_term WHERE (exchange_id, direction) IN \
                       (SELECT exchange_id, direction FROM passage_text WHERE day = $1 AND class = $2)";
    sqlx::query(SQL).bind(rows::day(held.day)).bind(&held.class).execute(connection).await.map(drop)
}

/// The pluses keep it from looking for each exchange among all texts of its day.
pub(super) const HASHED: &str = "SELECT t.exchange_id, t.direction, t.ciphertext FROM json_each($1) AS k JOIN passage_text t \
    ON t.exchange_id = json_extract(k.value, '$.exchange_id') AND +t.day = json_extract(k.value, '$.day') \
    AND +t.class = json_extract(k.value, '$.class')";
