//! Kept policies for the command line: where the running appliance is asked, and going back while none runs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::archive::{Archive, ArchiveError, Pin, Step};
use super::build::{Frame, build};
use super::keeper::{files_now, keeping};
use super::refusal::Refusal;
use super::sealed::{self, hex};
use super::{StartError, held};
use crate::base::Limits;
use crate::config::{PolicySections, Source};
use crate::proxy::{Kept, Origin};

/// File of the state folder that names the address of the admin port while the appliance runs.
pub const ADMIN_ADDRESS: &str = "admin-address";

/// Why no policy was put in force.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The appliance runs: it has to do it itself.
    #[error("the appliance runs, and its admin port does not answer")]
    Runs,
    /// The kept policy cannot be used.
    #[error("{0}")]
    Refused(String),
    /// The state folder cannot be used.
    #[error("{0}")]
    State(StartError),
}

/// A policy that the next start will put in force.
#[derive(Debug)]
pub struct RolledBack {
    /// Its version.
    pub version: String,
    /// How many rules it has.
    pub rules: usize,
}

/// True while an appliance uses this state folder. Only then may the admin token be sent to the address that it left: after a
/// crash anybody may listen there.
pub fn is_running(state: &Path) -> bool {
    Archive::is_open(state)
}

/// What is kept in a state folder, the latest first, and whether the first is pinned.
///
/// # Errors
/// When the list cannot be read.
pub fn kept_policies(state: &Path) -> std::io::Result<(Vec<Kept>, bool)> {
    let (kept, pin) = Archive::list(state)?;
    Ok((kept, pin.is_some()))
}

/// Goes back to a kept policy while no appliance runs; the next start puts it in force.
///
/// # Errors
/// When an appliance runs, or the policy cannot be used.
pub fn rollback_offline(
    state: PathBuf,
    limits: Limits,
    source: &Source,
    version: Option<&str>,
) -> Result<RolledBack, OfflineError> {
    let refused = |refusal: Refusal| OfflineError::Refused(refusal.text);
    let mut archive = Archive::open(&state, &limits).map_err(|error| match error {
        ArchiveError::Held => OfflineError::Runs,
        error => OfflineError::State(held(error, &state)),
    })?;
    let version = version.or_else(|| archive.previous()).map(str::to_owned).ok_or_else(|| {
        refused(Refusal::new("no earlier policy is kept", "`portcullis rules versions` lists what is kept"))
    })?;
    let restored = archive.restore(&version).map_err(refused)?;
    let policy = restored.written.policy().map_err(|found| refused(found.into()))?.policy;
    // Whether a classifier is there, and who serves the models that rules route to, is seen at the start.
    let frame = Frame { limits: Arc::new(limits), state: state.clone(), names: None, has_model: true };
    let sections = PolicySections { rules: restored.folders, policy };
    let built = build(sections, restored.written, &frame).map_err(refused)?;
    let pin = Pin {
        version: built.snapshot.version.clone(),
        files: hex(&files_now(source, &frame)),
        since: Timestamp::now(),
    };
    archive.keep(&keeping(&built, Origin::Rollback), Step::Back(pin)).map_err(|error| {
        let path = state.join(super::archive::FOLDER);
        OfflineError::State(StartError::State { what: "cannot write in", path, error })
    })?;
    Ok(RolledBack { version: built.snapshot.version.clone(), rules: built.snapshot.scanner.rules().len() })
}

/// Tells the command line where the admin port listens.
pub(super) fn write_address(state: &Path, address: SocketAddr) -> Result<(), StartError> {
    let path = state.join(ADMIN_ADDRESS);
    let failed = |error| StartError::State { what: "cannot write", path: path.clone(), error };
    remove_address(state);
    sealed::write_bytes(&path, address.to_string().as_bytes()).map_err(failed)
}

/// The appliance stops.
pub(super) fn remove_address(state: &Path) {
    let _ = fs::remove_file(state.join(ADMIN_ADDRESS));
}
