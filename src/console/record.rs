//! One reader of the record, opened when it is first needed and opened again after an error.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::audit::{AuditConfig, AuditError, AuditReader, ExchangeDetail, ExchangeRow, Filter};
use crate::base::ExchangeId;

/// Longest that one query may take: a review must not hold the store for ever.
const QUERY: Duration = Duration::from_secs(30);

/// A query within its time; one that takes longer is dropped, and the reader with it.
async fn in_time<T>(query: impl Future<Output = Result<T, AuditError>>) -> Result<T, AuditError> {
    let late = |_| AuditError::Store(format!("the query took longer than {} s; ask for less", QUERY.as_secs()));
    tokio::time::timeout(QUERY, query).await.map_err(late)?
}

/// The reader that the handlers share. One query at a time: reviewers are few, and the store belongs to the writer first.
#[derive(Debug)]
pub(super) struct Record {
    config: AuditConfig,
    reader: Mutex<Option<AuditReader>>,
}

impl Record {
    pub(super) fn new(config: AuditConfig) -> Self {
        Self { config, reader: Mutex::new(None) }
    }

    /// Exchanges, newest first.
    pub(super) async fn list(&self, filter: &Filter) -> Result<Vec<ExchangeRow>, AuditError> {
        let mut slot = self.reader.lock().await;
        let mut reader = self.take(&mut slot).await?;
        let rows = in_time(reader.list(filter)).await?;
        *slot = Some(reader);
        Ok(rows)
    }

    /// One exchange in full.
    pub(super) async fn show(&self, id: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        let mut slot = self.reader.lock().await;
        let mut reader = self.take(&mut slot).await?;
        let detail = in_time(reader.show(id)).await?;
        *slot = Some(reader);
        Ok(detail)
    }

    /// The reader out of its slot; it is put back only after a query that went well.
    async fn take(&self, slot: &mut Option<AuditReader>) -> Result<AuditReader, AuditError> {
        match slot.take() {
            Some(reader) => Ok(reader),
            None => AuditReader::open(&self.config).await,
        }
    }
}
