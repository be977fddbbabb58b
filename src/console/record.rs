//! One reader of each region's record, opened when it is first needed and opened again after an error.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::audit::{AuditConfig, AuditError, AuditReader, ExchangeDetail, ExchangeRow, Filter, RegionsConfig};
use crate::base::ExchangeId;

/// Longest that one query may take: a review must not hold the store for ever.
const QUERY: Duration = Duration::from_secs(30);

/// A query within its time; one that takes longer is dropped, and the reader with it.
async fn in_time<T>(query: impl Future<Output = Result<T, AuditError>>) -> Result<T, AuditError> {
    let late = |_| AuditError::Store(format!("the query took longer than {} s; ask for less", QUERY.as_secs()));
    tokio::time::timeout(QUERY, query).await.map_err(late)?
}

/// The readers that the handlers share, one for each region. One query at a time: reviewers are few, and the stores belong to the
/// writer first.
#[derive(Debug)]
pub(super) struct Record {
    config: RegionsConfig,
    readers: Mutex<BTreeMap<String, AuditReader>>,
}

impl Record {
    pub(super) fn new(config: RegionsConfig) -> Self {
        Self { config, readers: Mutex::default() }
    }

    /// Exchanges of a region, or of the filter's tenant's, newest first.
    pub(super) async fn list(&self, region: Option<&str>, filter: &Filter) -> Result<Vec<ExchangeRow>, AuditError> {
        let config = self.config.wanted(region, filter.tenant.as_deref())?;
        let mut readers = self.readers.lock().await;
        let mut reader = take(&mut readers, config).await?;
        let rows = in_time(reader.list(filter)).await?;
        readers.insert(config.region.clone(), reader);
        Ok(rows)
    }

    /// One exchange in full, of whatever region.
    pub(super) async fn show(&self, id: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        let mut readers = self.readers.lock().await;
        for config in self.config.all() {
            let mut reader = take(&mut readers, config).await?;
            let detail = in_time(reader.show(id)).await?;
            readers.insert(config.region.clone(), reader);
            if detail.is_some() {
                return Ok(detail);
            }
        }
        Ok(None)
    }
}

/// The reader out of its place; it is put back only after a query that went well.
async fn take(readers: &mut BTreeMap<String, AuditReader>, config: &AuditConfig) -> Result<AuditReader, AuditError> {
    match readers.remove(&config.region) {
        Some(reader) => Ok(reader),
        None => AuditReader::open(config).await,
    }
}
