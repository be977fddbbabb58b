//! Readers of each region's record: opened when they are needed, kept for whoever comes next, and given up after an error.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::audit::{
    AuditConfig, AuditError, AuditReader, Cursor, ExchangeDetail, ExchangeRow, Filter, IncidentFilter, IncidentId,
    IncidentPage, RegionsConfig, Reviewed, Step,
};
use crate::base::ExchangeId;

/// The readers that the handlers share. A few queries at a time: the stores belong to the writer first.
#[derive(Debug)]
pub(super) struct Record {
    config: RegionsConfig,
    idle: Mutex<BTreeMap<String, Vec<AuditReader>>>,
    turns: Semaphore,
}

/// A reader on loan. Dropped without [`Lease::back`], as after an error, its connection is given up.
#[derive(Debug)]
pub(super) struct Lease<'r> {
    pub(super) reader: AuditReader,
    record: &'r Record,
    region: String,
    _turn: SemaphorePermit<'r>,
}

impl Lease<'_> {
    /// It went well: the reader is for whoever comes next.
    pub(super) fn back(self) {
        let mut idle = self.record.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.entry(self.region).or_default().push(self.reader);
    }
}

/// A query within its time; one that takes longer is dropped, and the reader with it.
pub(super) async fn in_time<T>(query: impl Future<Output = Result<T, AuditError>>) -> Result<T, AuditError> {
    let late = |_| AuditError::Store(format!("the query took longer than {} s; ask for less", QUERY.as_secs()));
    tokio::time::timeout(QUERY, query).await.map_err(late)?
}

impl Record {
    pub(super) fn new(config: RegionsConfig) -> Self {
        Self { config, idle: Mutex::default(), turns: Semaphore::new(READERS) }
    }

    /// How every region's record is kept.
    pub(super) fn regions(&self) -> &RegionsConfig {
        &self.config
    }

    /// A reader of a region's record, or of a tenant's, or of this machine's own.
    pub(super) async fn lease(&self, region: Option<&str>, tenant: Option<&str>) -> Result<Lease<'_>, AuditError> {
        self.of(self.config.wanted(region, tenant)?).await
    }

    async fn of(&self, config: &AuditConfig) -> Result<Lease<'_>, AuditError> {
        let turn = tokio::time::timeout(QUERY, self.turns.acquire()).await;
        let busy = || AuditError::Store("too many ask at once; try again".to_owned());
        let turn = turn.map_err(|_| busy())?.map_err(|_| AuditError::Stopped)?;
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.get_mut(&config.region).and_then(Vec::pop)
        };
        let reader = match idle {
            Some(reader) => reader,
            None => AuditReader::open(config).await?,
        };
        Ok(Lease { reader, record: self, region: config.region.clone(), _turn: turn })
    }

    /// Exchanges of a region, or of the filter's tenant's, newest first.
    pub(super) async fn list(&self, region: Option<&str>, filter: &Filter) -> Result<Vec<ExchangeRow>, AuditError> {
        let mut lease = self.lease(region, filter.tenant.as_deref()).await?;
        let rows = in_time(lease.reader.list(filter)).await?;
        lease.back();
        Ok(rows)
    }

    /// One exchange in full, of whatever region.
    pub(super) async fn show(&self, id: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        for config in self.config.all() {
            let mut lease = self.of(config).await?;
            let detail = in_time(lease.reader.show(id)).await?;
            lease.back();
            if detail.is_some() {
                return Ok(detail);
            }
        }
        Ok(None)
    }

    /// As [`Self::show`], from the stores alone: the spool is not read again for each of many.
    pub(super) async fn stored(&self, id: ExchangeId) -> Result<Option<ExchangeDetail>, AuditError> {
        for config in self.config.all() {
            let mut lease = self.of(config).await?;
            let detail = in_time(lease.reader.stored(id)).await?;
            lease.back();
            if detail.is_some() {
                return Ok(detail);
            }
        }
        Ok(None)
    }

    /// A page of the queue of a region, or of the filter's tenant's.
    pub(super) async fn incidents(
        &self,
        region: Option<&str>,
        filter: &IncidentFilter,
        place: (Option<Cursor>, u32),
        grouped: bool,
    ) -> Result<IncidentPage, AuditError> {
        let mut lease = self.lease(region, filter.tenant.as_deref()).await?;
        let page = in_time(lease.reader.incidents(filter, place, grouped)).await?;
        lease.back();
        Ok(page)
    }

    /// One incident with its history, of whatever region.
    pub(super) async fn incident(&self, id: IncidentId) -> Result<Option<(Value, Vec<Reviewed>)>, AuditError> {
        for config in self.config.all() {
            let mut lease = self.of(config).await?;
            let found = in_time(async {
                match lease.reader.incident(id).await? {
                    Some(incident) => Ok(Some((incident, lease.reader.history(id).await?))),
                    None => Ok(None),
                }
            });
            let found = found.await?;
            lease.back();
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What a reviewer does with an incident, of whatever region. Gives how many it was done with.
    pub(super) async fn review(
        &self,
        id: IncidentId,
        group: bool,
        step: &Step,
        who: (&str, Option<&str>),
    ) -> Result<u64, AuditError> {
        for config in self.config.all() {
            let mut lease = self.of(config).await?;
            let touched = in_time(lease.reader.review(id, group, step, who)).await?;
            lease.back();
            if touched > 0 {
                return Ok(touched);
            }
        }
        Ok(0)
    }
}

/// Longest that one query may take: a review must not hold the store for ever.
const QUERY: Duration = Duration::from_secs(30);
/// Queries at once.
const READERS: usize = 4;
