//! One reader of the record, opened when it is first needed and opened again after an error.

use tokio::sync::Mutex;

use crate::audit::{AuditConfig, AuditError, AuditReader, ExchangeDetail, ExchangeRow, Filter};
use crate::base::ExchangeId;

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
        let rows = reader.list(filter).await?;
        *slot = Some(reader);
        Ok(rows)
    }

    /// One exchange in full.
    pub(super) async fn show(&self, id: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        let mut slot = self.reader.lock().await;
        let mut reader = self.take(&mut slot).await?;
        let detail = reader.show(id).await?;
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
