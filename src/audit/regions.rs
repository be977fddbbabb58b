//! The record by region: tenants of another region have a spool, a chain and a store of their own, and no row of theirs is in
//! the store of this machine's region.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::AuditError;
use super::event::{Refused, SystemKind};
use super::handle::{Audit, AuditConfig};
use super::retain::{GivenUp, Pace};
use super::shared::Status;
use super::slot::Slot;
use super::texts::Shred;
use crate::base::Fault;

/// How the record of every region is kept.
#[derive(Clone, Debug)]
pub struct RegionsConfig {
    /// This machine's own region: everybody who is of no other, and the appliance itself.
    pub home: AuditConfig,
    /// The others, by name.
    pub others: BTreeMap<String, AuditConfig>,
    /// Which tenants are of which other region.
    pub tenants: BTreeMap<String, String>,
}

impl RegionsConfig {
    /// The record that a tenant's rows go to.
    pub fn of_tenant(&self, tenant: &str) -> &AuditConfig {
        self.tenants.get(tenant).and_then(|region| self.others.get(region)).unwrap_or(&self.home)
    }

    /// The record of a region, or else of a tenant, or else of this machine's own region.
    ///
    /// # Errors
    /// A region that is none.
    pub fn wanted(&self, region: Option<&str>, tenant: Option<&str>) -> Result<&AuditConfig, AuditError> {
        match (region, tenant) {
            (Some(name), _) => self.all().find(|config| config.region == name).ok_or_else(|| AuditError::NoRegion {
                name: name.to_owned(),
                known: self.all().map(|config| config.region.clone()).collect(),
            }),
            (None, Some(tenant)) => Ok(self.of_tenant(tenant)),
            (None, None) => Ok(&self.home),
        }
    }

    /// All of them, this machine's own first.
    pub fn all(&self) -> impl Iterator<Item = &AuditConfig> {
        std::iter::once(&self.home).chain(self.others.values())
    }
}

/// The record of every region. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Regions {
    home: Audit,
    others: Arc<BTreeMap<String, Audit>>,
    tenants: Arc<BTreeMap<String, String>>,
}

impl Regions {
    /// Opens every region's record: see [`Audit::open`].
    ///
    /// # Errors
    /// The first that cannot be opened, with its region's name.
    pub async fn open(config: RegionsConfig) -> Result<Self, AuditError> {
        // Keys that are made are made by the first.
        let home = Audit::open(config.home).await?;
        let mut others = BTreeMap::new();
        for (region, config) in config.others {
            let opened = Audit::open(config).await;
            let opened =
                opened.map_err(|error| AuditError::Region { region: region.clone(), error: Box::new(error) })?;
            others.insert(region, opened);
        }
        Ok(Self { home, others: Arc::new(others), tenants: Arc::new(config.tenants) })
    }

    /// The record that a tenant's rows go to.
    pub fn of_tenant(&self, tenant: &str) -> &Audit {
        self.tenants.get(tenant).and_then(|region| self.others.get(region)).unwrap_or(&self.home)
    }

    /// Reserves room for one exchange of a tenant: see [`Audit::reserve`].
    ///
    /// # Errors
    /// `audit_full`.
    pub fn reserve(&self, tenant: &str) -> Result<Slot, Fault> {
        self.of_tenant(tenant).reserve()
    }

    /// Records a request that was refused, where its tenant's rows go: see [`Audit::refuse`].
    ///
    /// # Errors
    /// `audit_full`.
    pub async fn refuse(&self, refused: Refused) -> Result<(), Fault> {
        self.of_tenant(&refused.tenant).refuse(refused).await
    }

    /// Records something about the appliance itself, in its own region.
    pub fn system(&self, kind: SystemKind, detail: impl Into<String>) {
        self.home.system(kind, detail);
    }

    /// The state of this machine's own region, with that of the others in it.
    pub fn status(&self) -> Status {
        let regions = self.others.iter().map(|(region, audit)| (region.clone(), audit.status())).collect();
        Status { regions, ..self.home.status() }
    }

    /// Gives up what is older than it is kept, in every region: see [`Audit::retain`].
    ///
    /// # Errors
    /// The first store's that fails; other regions' are not tried after it.
    pub async fn retain(&self, pace: Pace) -> Result<Vec<GivenUp>, AuditError> {
        let mut given_up = Vec::new();
        for audit in self.all() {
            given_up.extend(audit.retain(pace).await?);
        }
        Ok(given_up)
    }

    /// Destroys texts of a tenant: see [`Audit::shred`].
    ///
    /// # Errors
    /// The store's of the tenant's region.
    pub async fn shred(&self, whose: &Shred, timeout: Duration) -> Result<u64, AuditError> {
        self.of_tenant(&whose.tenant).shred(whose, timeout).await
    }

    /// Stops every region's record in good order, all at once: see [`Audit::close`].
    pub async fn close(self, timeout: Duration) -> bool {
        let audits: Vec<Audit> = self.all().cloned().collect();
        drop(self);
        let closing: Vec<_> = audits.into_iter().map(|audit| tokio::spawn(audit.close(timeout))).collect();
        let mut flushed = true;
        for closed in closing {
            flushed &= closed.await.unwrap_or(false);
        }
        flushed
    }

    fn all(&self) -> impl Iterator<Item = &Audit> {
        std::iter::once(&self.home).chain(self.others.values())
    }
}
