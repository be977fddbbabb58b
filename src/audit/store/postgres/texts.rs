//! Recorded texts in PostgreSQL.

use super::Postgres;
use crate::audit::error::AuditError;
use crate::audit::rows::exchange_day;
use crate::audit::store::{self, WRAPPED, WRAPPED_BY_KEY, Wrapped};
use crate::audit::texts::{Sealed, Shred};
use crate::base::ExchangeId;

impl Postgres {
    pub(in crate::audit::store) async fn texts_of(
        &mut self,
        exchange: ExchangeId,
    ) -> Result<Vec<(String, Sealed)>, AuditError> {
        const SQL: &str = "SELECT direction, key_id, wrapped, ciphertext FROM passage_text \
                           WHERE day = date '1970-01-01' + $1 AND exchange_id = $2::text::uuid";
        let rows = sqlx::query_as::<_, store::SealedRow>(SQL).bind(exchange_day(exchange)).bind(exchange.to_string());
        let rows = rows.fetch_all(self.connection()?).await;
        rows.map(store::sealed).map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn text_hashes(
        &mut self,
        exchanges: &str,
    ) -> Result<Vec<(String, String, String)>, AuditError> {
        const SQL: &str = "SELECT t.exchange_id::text, t.direction, encode(sha256(t.ciphertext), 'hex') \
                           FROM json_to_recordset($1::text::json) AS k(day integer, class text, exchange_id uuid) \
                           JOIN passage_text t ON t.day = date '1970-01-01' + k.day AND t.class = k.class AND t.exchange_id = k.exchange_id";
        let rows = sqlx::query_as(SQL).bind(exchanges).fetch_all(self.connection()?).await;
        rows.map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn shred(&mut self, whose: &Shred) -> Result<u64, AuditError> {
        const SQL: &str = "UPDATE passage_text SET wrapped = NULL, terms = '{}' WHERE tenant = $1 AND wrapped IS NOT NULL \
                           AND ($2::text IS NULL OR exchange_id IN (SELECT exchange_id FROM exchange WHERE tenant = $1 AND principal = $2)) \
                           AND ($3::text IS NULL OR exchange_id = $3::text::uuid)";
        let exchange = whose.exchange.map(|exchange| exchange.to_string());
        let query = sqlx::query(SQL).bind(&whose.tenant).bind(&whose.principal).bind(exchange);
        let done = query.execute(self.connection()?).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.error(&error))
    }

    pub(in crate::audit::store) async fn wrapped_under(&mut self, key_id: &str) -> Result<Vec<Wrapped>, AuditError> {
        const SQL: &str = "SELECT exchange_id::text, direction, tenant, key_id, wrapped FROM passage_text \
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
                           WHERE exchange_id = $3::text::uuid AND direction = $4 AND key_id = $5 AND wrapped = $6";
        let query = sqlx::query(SQL).bind(key_id).bind(wrapped).bind(&text.exchange).bind(&text.direction);
        let done = query.bind(&text.key_id).bind(&text.wrapped).execute(self.connection()?).await;
        done.map(drop).map_err(|error| self.error(&error))
    }
}
