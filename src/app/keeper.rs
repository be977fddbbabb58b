//! The keeper of the policy in force: one thread that reads, compiles, keeps and swaps, one wish after the other.
//!
//! ```text
//! SIGHUP, watched files, admin API ─► wishes ─► read ─► build ─► keep on disk ─► swap ─► tell
//!                                                 └──────┴───────────┴─► a problem: the old policy stays
//! ```

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use super::StartError;
use super::archive::{Archive, Keeping, Pin, Step};
use super::build::{Built, Frame, build, fingerprint};
use super::capture::{Hash, capture};
use super::choice::Choice;
use super::desk::Desk;
use super::model::Models;
use super::refusal::Refusal;
use super::sealed::hex;
use super::told::{detail, log};
use super::watch::Watched;
use crate::audit::SystemKind;
use crate::config::{PolicySections, Source, Written};
use crate::inspect::Snapshot;
use crate::proxy::{Asked, Attempt, Change, InForce, Judges, Origin, PolicyStatus, Problem, Proxy, Wish};
use crate::telemetry::metrics;

/// How often the keeper looks whether the last exchange of an old policy has ended.
const SWEEP: Duration = Duration::from_secs(1);

/// The keeper. Everything it does may take long; it lives on a thread of its own.
#[derive(Debug)]
pub(super) struct Keeper {
    source: Source,
    /// What the appliance was started with: all but rules and policy holds until a restart.
    started: Written,
    frame: Frame,
    archive: Archive,
    /// Fingerprint of the files at the last attempt: what has been tried is not tried again because a file was touched.
    tried: Hash,
    /// Why the last attempt was refused, where the reason may go by itself.
    stuck: Option<String>,
    in_force: InForce,
    attempts: VecDeque<Attempt>,
    /// Old policies that open exchanges still use. Held here so that the last of them frees its memory on this thread.
    retired: Vec<Arc<Snapshot>>,
    status: Arc<ArcSwap<PolicyStatus>>,
    watched: Arc<ArcSwap<Watched>>,
}

/// What an attempt came to, if it was one.
struct Done {
    change: Change,
    needs_restart: Vec<String>,
}

impl Done {
    fn only(change: Change) -> Self {
        Self { change, needs_restart: Vec::new() }
    }
}

impl Keeper {
    /// Where policies are read and changed by hand.
    pub(super) fn desk(&self) -> Arc<Desk> {
        Arc::new(Desk::new(self.source.clone(), self.frame.clone()))
    }

    /// Builds the first policy and the keeper of those that follow.
    pub(super) fn open(
        choice: Choice,
        (source, started): (Source, Written),
        frame: Frame,
        mut archive: Archive,
        (files_folders, watch): (Vec<PathBuf>, bool),
        models: Models,
    ) -> Result<(Self, Judges), StartError> {
        let Choice { sections, written, step, tried } = choice;
        let built = build(sections, written, &frame).map_err(|refusal| StartError::Rules(refusal.text))?;
        let pinned = matches!(step, Step::Back(_));
        let step = match step {
            Step::Back(pin) => Step::Back(Pin { version: built.snapshot.version.clone(), ..pin }),
            Step::Forward => Step::Forward,
        };
        let path = frame.state.join(super::archive::FOLDER);
        let origin = if pinned { Origin::Rollback } else { Origin::Start };
        archive.keep(&keeping(&built, origin), step).map_err(|error| StartError::State {
            what: "cannot keep the policy in",
            path,
            error,
        })?;
        let in_force = in_force(&built.snapshot, origin, pinned);
        let watched = Watched::new(watch, &files_folders, source.file());
        let status = PolicyStatus {
            in_force: in_force.clone(),
            attempts: VecDeque::new(),
            kept: archive.kept(),
            watched: watch,
            live: 1,
        };
        let judges = judges(&built, models);
        let keeper = Self {
            source,
            started,
            frame,
            archive,
            tried,
            stuck: None,
            in_force,
            attempts: VecDeque::new(),
            retired: Vec::new(),
            status: Arc::new(ArcSwap::from_pointee(status)),
            watched: Arc::new(ArcSwap::from_pointee(watched)),
        };
        Ok((keeper, judges))
    }

    /// What others see.
    pub(super) fn status(&self) -> Arc<ArcSwap<PolicyStatus>> {
        Arc::clone(&self.status)
    }

    /// What is to be watched.
    pub(super) fn watched(&self) -> Arc<ArcSwap<Watched>> {
        Arc::clone(&self.watched)
    }

    /// Fulfils wishes until somebody wishes for the end. Runs on a thread that may block; `runtime` keeps the time.
    pub(super) fn run(mut self, proxy: &Proxy, mut wishes: Receiver<Asked>, runtime: &Handle) {
        self.tell();
        let mut next: Option<Asked> = None;
        loop {
            let asked = match next.take() {
                Some(asked) => asked,
                None => match runtime.block_on(async { tokio::time::timeout(SWEEP, wishes.recv()).await }) {
                    Ok(Some(asked)) => asked,
                    Ok(None) => return,
                    Err(_) => {
                        self.sweep();
                        continue;
                    }
                },
            };
            match asked {
                (Wish::Stop, _) => return,
                (Wish::Rollback(version), answer) => {
                    let attempt = self.attempt(proxy, Origin::Rollback, |keeper| keeper.rollback(proxy, version));
                    let _ = answer.send(attempt);
                }
                (Wish::Reload(origin), answer) => {
                    let mut origin = origin;
                    let mut answers = vec![answer];
                    // Whoever asked before the files are read gets what is read now.
                    while let Ok(asked) = wishes.try_recv() {
                        let (Wish::Reload(other), answer) = asked else {
                            next = Some(asked);
                            break;
                        };
                        answers.push(answer);
                        // A wish by hand weighs more than a touched file.
                        origin = if origin == Origin::File { other } else { origin };
                    }
                    let attempt = self.attempt(proxy, origin, |keeper| keeper.reload(proxy, origin));
                    tell_all(answers, &attempt);
                }
            }
        }
    }

    /// One attempt: tried, told to everybody, answered.
    fn attempt(
        &mut self,
        proxy: &Proxy,
        origin: Origin,
        change: impl FnOnce(&mut Self) -> Result<Option<Done>, Refusal>,
    ) -> Attempt {
        let (at, since) = (Timestamp::now(), Instant::now());
        self.sweep();
        let done = unbroken(|| change(self));
        let took_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (done, refusal) = match done {
            Ok(Some(done)) => (done, None),
            // Old news: nobody needs to hear of it.
            Ok(None) => return self.told(at, took_ms, origin, Done::only(Change::Unchanged), Vec::new()),
            Err(refusal) => (Done::only(Change::Refused), Some(refusal)),
        };
        // What was in the way may be gone the next time. Going back is for people to ask for again.
        let passing = origin != Origin::Rollback && refusal.as_ref().is_some_and(|refusal| refusal.passing);
        let is_still =
            origin == Origin::File && passing && refusal.as_ref().map(|new| &new.text) == self.stuck.as_ref();
        self.stuck = refusal.as_ref().filter(|_| passing).map(|refusal| refusal.text.clone());
        if passing {
            self.tried = Hash::default();
        }
        if is_still {
            // Told already.
            return Attempt { passing, ..self.told(at, took_ms, origin, done, Vec::new()) };
        }
        let text = refusal.as_ref().map(|refusal| refusal.text.clone()).unwrap_or_default();
        let problems = refusal.map(|refusal| refusal.problems).unwrap_or_default();
        let attempt = Attempt { passing, ..self.told(at, took_ms, origin, done, problems) };
        log(&attempt, &text);
        proxy.audit.system(SystemKind::Reload, detail(&attempt, &text));
        metrics::policy_change(attempt.origin.name(), attempt.result.name(), attempt.result.is_well());
        if let Some(latest) = self.attempts.front_mut() {
            latest.problems.clear();
        }
        self.attempts.push_front(attempt.clone());
        self.attempts.truncate(self.frame.limits.policy_attempts);
        self.tell();
        attempt
    }

    fn told(&self, at: Timestamp, took_ms: u64, origin: Origin, done: Done, mut problems: Vec<Problem>) -> Attempt {
        let problem_count = problems.len();
        problems.truncate(self.frame.limits.policy_problems);
        Attempt {
            at,
            took_ms,
            origin,
            result: done.change,
            version: self.in_force.version.clone(),
            problems,
            problem_count,
            needs_restart: done.needs_restart,
            passing: false,
        }
    }

    /// Reads the files and puts in force what they say. `None`: a file was touched, and nothing new stands in it.
    fn reload(&mut self, proxy: &Proxy, origin: Origin) -> Result<Option<Done>, Refusal> {
        let written = match self.source.read() {
            Ok(written) => written,
            Err(found) => {
                let text = Refusal::new(found.to_string(), "");
                let nothing = Written::kept(PathBuf::new(), String::new(), Vec::new());
                let unread = fingerprint(&nothing, Err(&text));
                return if self.is_old(origin, &unread) { Ok(None) } else { Err(Refusal::from(found).passing()) };
            }
        };
        let loaded = written.load();
        let folders = loaded.as_ref().map(|loaded| loaded.config.rules.clone()).unwrap_or_default();
        let captured = capture(&folders, &self.frame.limits);
        if self.is_old(origin, &fingerprint(&written, captured.as_ref())) {
            return Ok(None);
        }
        drop(captured);
        let config = loaded?.config;
        let needs_restart = self.started.needs_restart(&written);
        if !needs_restart.is_empty() {
            return Ok(Some(Done { change: Change::NeedsRestart, needs_restart }));
        }
        self.watch(Watched::new(config.watch_rules, &folders, self.source.file()));
        self.room()?;
        let sections = PolicySections { rules: config.rules, policy: config.policy };
        let built = build(sections, written, &self.frame)?;
        self.tried = fingerprint(&built.written, Ok(&built.captured));
        self.put(proxy, built, origin, Step::Forward).map(Some)
    }

    /// Puts a kept policy in force again, and pins it.
    fn rollback(&mut self, proxy: &Proxy, version: Option<String>) -> Result<Option<Done>, Refusal> {
        let version = version.or_else(|| self.archive.previous().map(str::to_owned));
        let Some(version) = version else {
            let help = "`portcullis rules versions` lists what is kept";
            return Err(Refusal::new("no earlier policy is kept", help));
        };
        // What changes from here on is another change, which may put an end to the pin.
        let files = files_now(&self.source, &self.frame);
        let restored = self.archive.restore(&version)?;
        let policy = restored.written.policy()?.policy;
        self.room()?;
        let sections = PolicySections { rules: restored.folders, policy };
        let built = build(sections, restored.written, &self.frame)?;
        self.tried = files;
        let pin = Pin { version: built.snapshot.version.clone(), files: hex(&self.tried), since: Timestamp::now() };
        self.put(proxy, built, Origin::Rollback, Step::Back(pin)).map(Some)
    }

    /// True when a watched file was touched and what the files say was tried before, or is what was gone back from.
    fn is_old(&mut self, origin: Origin, files: &Hash) -> bool {
        let is_pinned = self.archive.pin().is_some_and(|pin| pin.files == hex(files));
        let is_old = origin == Origin::File && (self.tried == *files || is_pinned);
        self.tried = *files;
        is_old
    }

    /// Memory for one more policy.
    fn room(&self) -> Result<(), Refusal> {
        let live = self.retired.len() + 1;
        if live < self.frame.limits.policies_live {
            return Ok(());
        }
        let message = format!(
            "{live} policies are in memory, as many as limits.policies_live allows: open exchanges still use older ones"
        );
        Err(Refusal::new(message, "ask again when they have ended").passing())
    }

    /// The last step: kept on disk first, so that it can be gone back to whatever happens next; then swapped.
    fn put(&mut self, proxy: &Proxy, built: Built, origin: Origin, step: Step) -> Result<Done, Refusal> {
        let pinned = matches!(step, Step::Back(_));
        let is_same = built.snapshot.version == self.in_force.version;
        let kept = match step {
            Step::Forward if is_same => self.archive.unpin(),
            step => self.archive.keep(&keeping(&built, origin), step),
        };
        kept.map_err(|error| {
            let message = format!("the policy cannot be kept in the state folder: {error}");
            Refusal::new(message, "make room there and see that it belongs to the user that runs portcullis").passing()
        })?;
        if is_same {
            self.in_force.pinned = pinned;
            return Ok(Done::only(Change::Unchanged));
        }
        let old = proxy.judges.load_full();
        self.in_force = in_force(&built.snapshot, origin, pinned);
        // Not what was loaded above: another model may have taken over since.
        proxy
            .judges
            .rcu(|now| judges(&built, Models { classifier: now.classifier.clone(), shadow: now.shadow.clone() }));
        self.retired.push(Arc::clone(&old.snapshot));
        Ok(Done::only(Change::InForce))
    }

    /// Frees policies that no exchange uses any more.
    fn sweep(&mut self) {
        let before = self.retired.len();
        // Nobody but us has it, and nobody can get it but from us.
        self.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        if self.retired.len() < before {
            self.tell();
        }
    }

    fn watch(&self, watched: Watched) {
        if **self.watched.load() != watched {
            self.watched.store(Arc::new(watched));
        }
    }

    /// Tells status and metrics how things stand.
    fn tell(&self) {
        let status = PolicyStatus {
            in_force: self.in_force.clone(),
            attempts: self.attempts.clone(),
            kept: self.archive.kept(),
            watched: self.watched.load().is_on,
            live: self.retired.len() + 1,
        };
        metrics::policy(status.in_force.since.as_second(), status.in_force.pinned, status.live);
        self.status.store(Arc::new(status));
    }
}

/// A compiler that panics over some rule is our fault; it must not end all reloads of this process.
fn unbroken<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // Nothing is changed before the last step, which only stores values.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Refusal::new(
            "reading the policy panicked; the log says where",
            "this is a bug of Portcullis: please report it",
        ))
    })
}

fn tell_all(answers: Vec<oneshot::Sender<Attempt>>, attempt: &Attempt) {
    for answer in answers {
        // Whoever does not wait any more does not need it.
        let _ = answer.send(attempt.clone());
    }
}

/// What the files say now, in one number. What cannot be read counts as such.
pub(super) fn files_now(source: &Source, frame: &Frame) -> Hash {
    let written = match source.read() {
        Ok(written) => written,
        Err(found) => {
            let nothing = Written::kept(PathBuf::new(), String::new(), Vec::new());
            return fingerprint(&nothing, Err(&Refusal::new(found.to_string(), "")));
        }
    };
    let folders = written.load().map(|loaded| loaded.config.rules).unwrap_or_default();
    fingerprint(&written, capture(&folders, &frame.limits).as_ref())
}

pub(super) fn keeping(built: &Built, origin: Origin) -> Keeping<'_> {
    Keeping {
        version: &built.snapshot.version,
        source: &built.source,
        origin,
        rules: built.snapshot.scanner.rules().len(),
        written: &built.written,
        folders: &built.folders,
        captured: &built.captured,
    }
}

fn judges(built: &Built, models: Models) -> Judges {
    Judges {
        snapshot: Arc::clone(&built.snapshot),
        classifier: models.classifier,
        shadow: models.shadow,
        throttles: Arc::clone(&built.throttles),
        record_full_text: built.record_full_text,
    }
}

fn in_force(snapshot: &Snapshot, origin: Origin, pinned: bool) -> InForce {
    let rules = snapshot.scanner.rules();
    InForce {
        version: snapshot.version.clone(),
        rules: rules.len(),
        rules_version: rules.version_short().to_owned(),
        since: Timestamp::now(),
        origin,
        pinned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_refusal() {
        assert_eq!(unbroken(|| Ok(1)).unwrap(), 1);
        let refused = unbroken(|| -> Result<(), Refusal> { panic!("a rule that nobody thought of") });
        assert!(refused.unwrap_err().text.contains("panicked"));
    }
}
