//! From the rules folders and the policy's sections to a snapshot: read, compiled, and read again, so that what is kept is
//! what was compiled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::archive::FOLDER;
use super::capture::{Captured, Hash, capture};
use super::names::Names;
use super::refusal::Refusal;
use super::{compile_rules, policy_digest, snapshot};
use crate::access::Throttle;
use crate::base::{FaultAction, Limits};
use crate::config::{PolicySections, Written};
use crate::inspect::Snapshot;

/// How often files that change while they are read are read again.
const READINGS: usize = 3;

/// A policy that could come into force.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) throttles: Arc<BTreeMap<String, Throttle>>,
    pub(super) record_full_text: bool,
    /// Names rules and policy without the limits.
    pub(super) source: String,
    pub(super) folders: Vec<PathBuf>,
    pub(super) captured: Captured,
    pub(super) written: Written,
}

/// What a policy must fit.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) limits: Arc<Limits>,
    /// The state folder.
    pub(super) state: PathBuf,
    /// What rules may name besides the policy. `None`: not known here.
    pub(super) names: Option<Names>,
    /// A classifier is loaded.
    pub(super) has_model: bool,
}

/// Does work on threads of its own: requests are inspected on those that rayon shares, and must not wait behind a reload.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().thread_name(|number| format!("compile-{number}")).build() {
        Ok(pool) => pool.install(work),
        // No more threads are to be had.
        Err(_) => work(),
    }
}

/// Builds a policy. Takes as long as the compiler of the rules: seconds for ten thousand of them.
pub(super) fn build(sections: PolicySections, written: Written, frame: &Frame) -> Result<Built, Refusal> {
    let PolicySections { rules: folders, policy } = sections;
    if policy.faults.model_missing == FaultAction::Block && !frame.has_model {
        return Err(Refusal::new(
            "policy.faults.model_missing is `block`, and no classifier is loaded",
            "restart with a classifier that can be used, or leave `degrade`",
        ));
    }
    apart(&folders, &frame.state)?;
    let mut before = capture(&folders, &frame.limits)?;
    for _ in 0..READINGS {
        let compiled = aside(|| compile_rules(&folders, &policy, frame.names.as_ref()));
        let after = capture(&folders, &frame.limits)?;
        if before.stamp == after.stamp {
            let scanner = compiled?;
            let source = policy_digest(&policy, &scanner);
            let snapshot = Arc::new(snapshot(&policy, scanner, &frame.limits));
            let record_full_text = policy.record_full_text;
            let throttles = Arc::new(policy.throttles);
            return Ok(Built { snapshot, throttles, record_full_text, source, folders, captured: after, written });
        }
        before = after;
        thread::sleep(Duration::from_millis(frame.limits.watch_quiet_ms));
    }
    let message = "the rule files change faster than they are read";
    Err(Refusal::new(message, "let whoever writes them finish, and reload").passing())
}

/// What the files say at one moment, in one number: configuration and rules.
pub(super) fn fingerprint(written: &Written, captured: Result<&Captured, &Refusal>) -> Hash {
    let mut hash = Sha256::new();
    let content = written.content();
    hash.update(u64::try_from(content.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(content);
    match captured {
        Ok(captured) => hash.update(captured.content),
        Err(refusal) => hash.update(&refusal.text),
    }
    hash.finalize().into()
}

/// Kept policies must not be read as rules.
fn apart(folders: &[PathBuf], state: &Path) -> Result<(), Refusal> {
    let Ok(kept) = fs::canonicalize(state.join(FOLDER)) else { return Ok(()) };
    for folder in folders {
        let holds = fs::canonicalize(folder).is_ok_and(|folder| kept.starts_with(folder));
        if holds {
            let message = format!("the state folder lies inside the rules folder {}", folder.display());
            return Err(Refusal::new(message, "give the rules a folder of their own"));
        }
    }
    Ok(())
}
