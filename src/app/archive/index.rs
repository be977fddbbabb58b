//! The index of kept policies: what is kept, the way that led to the one in force, and the pin.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::Limits;
use crate::proxy::{Kept, Origin};

/// A policy that goes back to stays in force over restarts, as long as the files are those that it was put in the place of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::app) struct Pin {
    /// The kept policy.
    pub(in crate::app) version: String,
    /// Fingerprint of the files that it stands in for.
    pub(in crate::app) files: String,
    /// Since when.
    pub(in crate::app) since: Timestamp,
}

/// How a policy comes into force.
#[derive(Clone, Debug)]
pub(in crate::app) enum Step {
    /// Back to a kept one.
    Back(Pin),
    /// From the files.
    Forward,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Index {
    /// Versions on the way to the one in force, which is the last; each stands here once.
    trail: Vec<String>,
    pub(super) pin: Option<Pin>,
    /// The latest last.
    pub(super) kept: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Entry {
    pub(super) version: String,
    pub(super) source: String,
    pub(super) at: Timestamp,
    pub(super) origin: Origin,
    pub(super) rules: usize,
    pub(super) bytes: u64,
}

impl Index {
    pub(super) fn entry(&self, version: &str) -> Option<&Entry> {
        self.kept.iter().find(|entry| entry.version == version && is_version(version))
    }

    pub(super) fn previous(&self) -> Option<&str> {
        let before = self.trail.split_last().and_then(|(_, before)| before.last());
        before.map(String::as_str)
    }

    pub(super) fn list(&self) -> Vec<Kept> {
        let kept = |entry: &Entry| Kept {
            version: entry.version.clone(),
            at: entry.at,
            origin: entry.origin,
            rules: entry.rules,
            bytes: entry.bytes,
            in_force: self.trail.last() == Some(&entry.version),
            previous: self.previous() == Some(&entry.version),
        };
        self.kept.iter().rev().map(kept).collect()
    }

    /// Takes a version out of what is kept; its place on the trail goes to another name of it.
    pub(super) fn rename(&mut self, old: &str, new: &str) {
        self.kept.retain(|entry| entry.version != old && entry.version != new);
        for version in &mut self.trail {
            if version == old {
                new.clone_into(version);
            }
        }
    }

    /// Going back shortens the trail, so that going back again goes further; whatever comes from the files goes on from where
    /// it stands, not from a policy that was gone back from.
    pub(super) fn step(&mut self, version: &str, step: Step) {
        let place = self.trail.iter().position(|known| known == version);
        match (&step, place) {
            (Step::Back(_), Some(place)) => self.trail.truncate(place + 1),
            _ => {
                self.trail.retain(|known| known != version);
                self.trail.push(version.to_owned());
            }
        }
        self.pin = match step {
            Step::Back(pin) => Some(pin),
            Step::Forward => None,
        };
    }

    /// Lets go of the oldest until the limits hold; never of the one in force.
    pub(super) fn prune(&mut self, limits: &Limits) {
        loop {
            let bytes = self.kept.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.bytes));
            if self.kept.len() <= limits.policies && bytes <= limits.policies_bytes {
                break;
            }
            let in_force = self.trail.last();
            let Some(oldest) = self.kept.iter().position(|entry| Some(&entry.version) != in_force) else { break };
            self.kept.remove(oldest);
        }
        let kept: Vec<String> = self.kept.iter().map(|entry| entry.version.clone()).collect();
        self.trail.retain(|version| kept.contains(version));
    }
}

/// Twelve hex digits and nothing else: safe as a name of a folder.
pub(super) fn is_version(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
