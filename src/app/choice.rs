//! The policy to start with: what the files say, or what somebody went back to.

use super::StartError;
use super::archive::{Archive, Step};
use super::build::fingerprint;
use super::capture::{Hash, capture};
use super::refusal::Refusal;
use super::sealed::hex;
use crate::config::{Config, PolicySections, Written};

/// The policy to start with: that of the files, or the one that somebody went back to, if the files are still the same.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) sections: PolicySections,
    pub(super) written: Written,
    pub(super) step: Step,
    /// Fingerprint of the files, whichever policy it is.
    pub(super) tried: Hash,
}

impl Choice {
    /// Chooses. The policy is left in the configuration, too, for those that read it there.
    pub(super) fn make(archive: &Archive, config: &mut Config, written: &Written) -> Result<Self, StartError> {
        let captured = capture(&config.rules, &config.limits);
        let tried = fingerprint(written, captured.as_ref());
        let (mut written, mut step) = (written.clone(), Step::Forward);
        if let Some(pin) = archive.pin().filter(|pin| pin.files == hex(&tried)) {
            let refused = |refusal: Refusal| {
                StartError::Rules(format!(
                    "`portcullis rules rollback` put the policy {} in force, and it cannot be used any more:\n{}",
                    pin.version, refusal.text
                ))
            };
            let restored = archive.restore(&pin.version).map_err(refused)?;
            let policy = restored.written.policy().map_err(|found| refused(found.into()))?.policy;
            config.rules = restored.folders;
            config.policy = policy;
            written = restored.written;
            step = Step::Back(pin.clone());
            tracing::warn!(
                version = pin.version,
                since = %pin.since,
                "an earlier policy is in force, as `portcullis rules rollback` said; `portcullis rules reload` takes the files again"
            );
        }
        let sections = PolicySections { rules: config.rules.clone(), policy: config.policy.clone() };
        Ok(Self { sections, written, step, tried })
    }
}
