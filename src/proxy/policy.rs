//! The policy in force as others see it: which it is, how it came, and how to ask for another. Whoever wires the appliance
//! does the work; here are the words that are spoken with it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::inspect::Snapshot;
use crate::rules::edit::RuleEdit;
use crate::scan::examples::Report;
use crate::yaml::{Diagnostic, Diagnostics};

/// Wishes that wait; further ones wait for room. While one waits to read the files again, it speaks for all of them.
const QUEUE: usize = 16;

/// Who asked for a policy.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The admin port.
    Api,
    /// A watched file changed.
    File,
    /// Somebody went back to a kept policy.
    Rollback,
    /// SIGHUP.
    Signal,
    /// The start of the appliance.
    Start,
}

impl Origin {
    /// Its name in the API, the record and the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::File => "file",
            Self::Rollback => "rollback",
            Self::Signal => "signal",
            Self::Start => "start",
        }
    }
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Another policy is in force.
    InForce,
    /// Something that only a restart can change has changed; the old policy stays.
    NeedsRestart,
    /// Something is wrong; the old policy stays.
    Refused,
    /// What was asked for is in force already.
    Unchanged,
}

impl Change {
    /// Its name in the API, the record and the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::NeedsRestart => "needs_restart",
            Self::Refused => "refused",
            Self::Unchanged => "unchanged",
        }
    }

    /// What was asked for is in force now.
    pub fn is_well(self) -> bool {
        matches!(self, Self::InForce | Self::Unchanged)
    }
}

/// The policy in force.
#[derive(Clone, Debug, Serialize)]
pub struct InForce {
    /// Names rules and policy together, as every record does.
    pub version: String,
    /// How many rules it has.
    pub rules: usize,
    /// Names the rules alone.
    pub rules_version: String,
    /// Since when.
    pub since: Timestamp,
    /// How it came.
    pub origin: Origin,
    /// Somebody went back to it: it stays, over restarts too, until the files change or a reload is asked for by hand.
    pub pinned: bool,
}

/// One problem of an attempt.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Stable number of this kind of problem, where it has one.
    pub code: Option<&'static str>,
    /// Where.
    pub file: Option<PathBuf>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// All of it, for people.
    pub text: String,
}

impl Problem {
    /// A problem without a place in a file.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (message.into(), help.into());
        let text = format!("{message}\n  help: {help}\n");
        Self { code: None, file: None, line: None, column: None, message, help, text }
    }

    /// Every error of a load.
    pub fn all(found: &Diagnostics) -> Vec<Self> {
        found.errors.iter().map(Self::from).collect()
    }
}

impl From<&Diagnostic> for Problem {
    fn from(found: &Diagnostic) -> Self {
        Self {
            code: Some(found.code),
            file: Some(found.file.clone()),
            line: found.place.map(|(line, _)| line),
            column: found.place.map(|(_, column)| column),
            message: found.message.clone(),
            help: found.help.clone(),
            text: found.to_string(),
        }
    }
}

/// One attempt to change the policy.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// Who asked.
    pub origin: Origin,
    /// What became of it.
    pub result: Change,
    /// The version in force afterwards.
    pub version: String,
    /// Why it was refused; as many as `limits.policy_problems`.
    pub problems: Vec<Problem>,
    /// How many problems there are in all.
    pub problem_count: usize,
    /// Keys of the configuration that changed and that only a restart takes over.
    pub needs_restart: Vec<String>,
    /// It was refused for a reason that may go by itself (no room on disk, a file that cannot be read now): where files are
    /// watched it is tried again.
    pub passing: bool,
}

/// A policy that is kept on disk.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Its version.
    pub version: String,
    /// When it was last put in force.
    pub at: Timestamp,
    /// How it came.
    pub origin: Origin,
    /// How many rules it has.
    pub rules: usize,
    /// Bytes on disk.
    pub bytes: u64,
    /// It is in force.
    pub in_force: bool,
    /// `rules rollback` without a version goes to this one.
    pub previous: bool,
}

/// All that there is to know.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyStatus {
    /// The policy in force.
    pub in_force: InForce,
    /// Attempts, the latest first. Their problems stand in the latest alone.
    pub attempts: VecDeque<Attempt>,
    /// Kept policies, the latest first.
    pub kept: Vec<Kept>,
    /// Changes of the files are watched.
    pub watched: bool,
    /// Policies in memory: the one in force and those that open exchanges began with.
    pub live: usize,
}

/// What can be asked for.
#[derive(Debug)]
pub enum Wish {
    /// Read the files again.
    Reload(Origin),
    /// Back to a kept policy; `None`: the one before.
    Rollback(Option<String>),
    /// No more of it.
    Stop,
}

/// A wish and where its answer goes.
pub type Asked = (Wish, oneshot::Sender<Attempt>);

/// Nobody takes wishes any more: the appliance stops.
#[derive(Debug, thiserror::Error)]
#[error("the appliance stops; nothing was changed")]
pub struct Stopping;

/// A file of a kept policy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PolicyFile {
    /// The name of its rules folder, and its path in there; of the configuration its name.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// The configuration, of which policy is a part.
    pub is_config: bool,
}

/// A change of the rules that was tried on a copy.
#[derive(Debug)]
pub struct Drafted {
    /// The file that would change.
    pub file: PathBuf,
    /// What it says now; `None`: it is not there yet.
    pub before: Option<String>,
    /// What it would say.
    pub after: String,
    /// The policy with it.
    pub candidate: Arc<Snapshot>,
    /// What became of the examples of the rule that it is about.
    pub examples: Report,
}

/// Where policies are read and changed by hand. Everything here reads disks and takes its time.
pub trait PolicyDesk: std::fmt::Debug + Send + Sync {
    /// The files of a kept version; `None`: it is not kept.
    ///
    /// # Errors
    /// What cannot be read, in words.
    fn files(&self, version: &str) -> Result<Option<Vec<PolicyFile>>, String>;

    /// Tries a change on a copy of the rules folders.
    ///
    /// # Errors
    /// What the change, or what stands in the folders, has wrong.
    fn draft(&self, edit: &RuleEdit) -> Result<Drafted, Vec<Problem>>;

    /// Writes a change that was tried, unless the file says something else by now.
    ///
    /// # Errors
    /// Why not, in words.
    fn write(&self, drafted: &Drafted) -> Result<(), String>;

    /// Takes a written change back.
    ///
    /// # Errors
    /// Why not, in words.
    fn undo(&self, drafted: &Drafted) -> Result<(), String>;
}

/// Where wishes go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PolicyControl {
    wishes: mpsc::Sender<Asked>,
    status: Arc<ArcSwap<PolicyStatus>>,
    desk: Arc<dyn PolicyDesk>,
}

impl PolicyControl {
    /// A control, and the other end of it.
    pub fn new(status: Arc<ArcSwap<PolicyStatus>>, desk: Arc<dyn PolicyDesk>) -> (Self, mpsc::Receiver<Asked>) {
        let (wishes, receiver) = mpsc::channel(QUEUE);
        (Self { wishes, status, desk }, receiver)
    }

    /// Where policies are read and changed by hand.
    pub fn desk(&self) -> &Arc<dyn PolicyDesk> {
        &self.desk
    }

    /// Asks, and waits for what becomes of it.
    ///
    /// # Errors
    /// When the appliance stops.
    pub async fn ask(&self, wish: Wish) -> Result<Attempt, Stopping> {
        let (answer, answered) = oneshot::channel();
        self.wishes.send((wish, answer)).await.map_err(|_| Stopping)?;
        answered.await.map_err(|_| Stopping)
    }

    /// As [`Self::ask`], for threads that may block.
    ///
    /// # Errors
    /// When the appliance stops.
    pub fn ask_blocking(&self, wish: Wish) -> Result<Attempt, Stopping> {
        let (answer, answered) = oneshot::channel();
        self.wishes.blocking_send((wish, answer)).map_err(|_| Stopping)?;
        answered.blocking_recv().map_err(|_| Stopping)
    }

    /// What is in force, and how it came.
    pub fn status(&self) -> Arc<PolicyStatus> {
        self.status.load_full()
    }
}
