//! Watches the rules folders and the configuration, and asks for a reload once they are quiet.
//!
//! The system's notices (inotify) make it quick; a look at the files' marks every few seconds makes it sure: on file systems
//! that tell nothing, behind links, and where the system has no watches left.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::capture::{Hash, marks_of};
use crate::base::Limits;
use crate::proxy::{Origin, PolicyControl, Wish};

/// What is watched.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Watched {
    /// The configuration says so.
    pub(super) is_on: bool,
    /// Folders of rule files.
    pub(super) folders: Vec<PathBuf>,
    /// The configuration's file.
    pub(super) file: Option<PathBuf>,
}

impl Watched {
    /// With whole paths, since the system's notices name those: what is relative is so to where the process works.
    pub(super) fn new(is_on: bool, folders: &[PathBuf], file: Option<&Path>) -> Self {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { is_on, folders: folders.iter().map(|folder| whole(folder)).collect(), file: file.map(whole) }
    }

    /// True for an event in a rules folder or about the configuration's file. What else happens beside that file (a log, say)
    /// must not keep us busy; names with two dots in front are links that Kubernetes swaps.
    fn concerns(&self, event: &Event) -> bool {
        let file_name = self.file.as_deref().and_then(Path::file_name);
        let is_ours = |path: &PathBuf| {
            let name = path.file_name();
            self.folders.iter().any(|folder| path.starts_with(folder))
                || name == file_name
                || name.is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
        };
        event.paths.is_empty() || event.need_rescan() || event.paths.iter().any(is_ours)
    }
}

/// Ends the watch when it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    ended: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // A full channel wakes it as well.
        let _ = self.wake.try_send(());
    }
}

impl Watch {
    /// Starts to watch, on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        watched: Arc<ArcSwap<Watched>>,
        control: PolicyControl,
        limits: Arc<Limits>,
    ) -> std::io::Result<Self> {
        // One notice says all there is to say: that something changed.
        let (wake, woken) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let guard = Guard { ended: Arc::clone(&ended), wake: wake.clone(), woken, watched, control, limits };
        std::thread::Builder::new().name("policy-watch".to_owned()).spawn(move || guard.run())?;
        Ok(Self { ended, wake })
    }
}

struct Guard {
    ended: Arc<AtomicBool>,
    wake: SyncSender<()>,
    woken: Receiver<()>,
    watched: Arc<ArcSwap<Watched>>,
    control: PolicyControl,
    limits: Arc<Limits>,
}

impl Guard {
    fn run(self) {
        let mut watched = self.watched.load_full();
        let mut armed = self.arm(&watched);
        // What changed between the start's reading and the first look is seen by asking once.
        let (mut marks, mut is_changed) = (self.marks(&watched), true);
        let mut again = Again::new(Duration::from_millis(self.limits.watch_poll_ms));
        while !self.ended.load(Ordering::Acquire) {
            if is_changed && watched.is_on {
                marks = self.quiet(&watched);
                // Anew before the files are read: a folder may have been put in the place of another.
                drop(armed);
                armed = self.arm(&watched);
                if self.ended.load(Ordering::Acquire) {
                    return;
                }
                let Ok(attempt) = self.control.ask_blocking(Wish::Reload(Origin::File)) else { return };
                again.tried(attempt.passing, Instant::now());
            }
            let notice = self.woken.recv_timeout(Duration::from_millis(self.limits.watch_poll_ms));
            is_changed = match notice {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => {
                    watched.is_on
                        && (self.marks(&watched) != marks || (self.is_stuck() && again.is_due(Instant::now())))
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = self.watched.load_full();
            if !Arc::ptr_eq(&now, &watched) {
                watched = now;
                drop(armed);
                armed = self.arm(&watched);
                is_changed = true;
            }
        }
    }

    /// Waits until nothing changes any more, or for as long as the limits allow; the marks that the files have then.
    fn quiet(&self, watched: &Watched) -> Hash {
        let busy = Duration::from_millis(self.limits.watch_busy_ms);
        let pause = Duration::from_millis(self.limits.watch_quiet_ms);
        let since = Instant::now();
        let mut marks = self.marks(watched);
        while !self.ended.load(Ordering::Acquire) {
            let is_quiet = self.woken.recv_timeout(pause).is_err();
            let now = self.marks(watched);
            if (is_quiet && now == marks) || since.elapsed() > busy {
                return now;
            }
            marks = now;
        }
        marks
    }

    /// True while the last attempt is one that was refused for a reason which may go by itself.
    fn is_stuck(&self) -> bool {
        self.control.status().attempts.front().is_some_and(|attempt| attempt.passing)
    }

    fn marks(&self, watched: &Watched) -> Hash {
        marks_of(&watched.folders, watched.file.as_deref(), &self.limits)
    }

    /// Asks the system for notices. Where it gives none, the looks at the marks do alone.
    fn arm(&self, watched: &Arc<Watched>) -> Option<RecommendedWatcher> {
        if !watched.is_on {
            return None;
        }
        let (wake, of_ours) = (self.wake.clone(), Arc::clone(watched));
        let told = move |event: notify::Result<Event>| {
            // What cannot be told is a reason to look.
            if event.map_or(true, |event| is_change(event.kind) && of_ours.concerns(&event)) {
                let _ = wake.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(told).map_err(|error| self.slow(None, &error)).ok()?;
        for folder in &watched.folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::Recursive) {
                self.slow(Some(folder), &error);
            }
        }
        // Its folder, not the file: editors and Kubernetes put another file, or another link, in its place.
        if let Some(folder) = watched.file.as_deref().and_then(Path::parent)
            && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
        {
            self.slow(Some(folder), &error);
        }
        Some(watcher)
    }

    fn slow(&self, folder: Option<&Path>, error: &notify::Error) {
        let folder = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
        let every_ms = self.limits.watch_poll_ms;
        tracing::warn!(folder, %error, every_ms, "the system tells of no changes; the files are looked at instead");
    }
}

/// When to try again what was refused for a reason that may go by itself: ever more seldom.
#[derive(Debug)]
struct Again {
    first: Duration,
    wait: Duration,
    /// `None`: it was not tried yet.
    at: Option<Instant>,
}

/// The longest wait, in first waits.
const WAITS_MAX: u32 = 64;

impl Again {
    fn new(first: Duration) -> Self {
        Self { first, wait: first, at: None }
    }

    fn tried(&mut self, is_stuck: bool, now: Instant) {
        if !is_stuck {
            *self = Self::new(self.first);
            return;
        }
        self.at = Some(now + self.wait);
        self.wait = (self.wait * 2).min(self.first * WAITS_MAX);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.at.is_none_or(|at| now >= at)
    }
}

/// Reading is no change: our own would wake us for ever.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, Flag};

    use super::*;

    #[test]
    fn noise_beside_the_configuration_is_passed_over() {
        let watched = Watched {
            is_on: true,
            folders: vec![PathBuf::from("/etc/p/rules")],
            file: Some(PathBuf::from("/etc/p/portcullis.yaml")),
        };
        let event = |path: &str| Event::new(EventKind::Create(CreateKind::File)).add_path(PathBuf::from(path));
        for path in ["/etc/p/portcullis.yaml", "/etc/p/..data", "/etc/p/rules/a/.b.yaml.swp", "/etc/p/rules"] {
            assert!(watched.concerns(&event(path)), "{path}");
        }
        for path in ["/etc/p/access.log", "/etc/p/rules2/a.yaml", "/etc/p/.portcullis.yaml.swp"] {
            assert!(!watched.concerns(&event(path)), "{path}");
        }
        assert!(watched.concerns(&event("/etc/p/access.log").set_flag(Flag::Rescan)));
        assert!(watched.concerns(&Event::new(EventKind::Any)));
    }

    #[test]
    fn what_stays_refused_is_tried_ever_more_seldom() {
        let (first, mut now) = (Duration::from_secs(5), Instant::now());
        let mut again = Again::new(first);
        assert!(again.is_due(now), "whoever asked was not this watch");
        for waits in [1, 2, 4, 8, 16, 32, 64, 64] {
            again.tried(true, now);
            assert!(!again.is_due(now + first * waits - Duration::from_millis(1)), "{waits}");
            now += first * waits;
            assert!(again.is_due(now), "{waits}");
        }
        again.tried(false, now);
        again.tried(true, now);
        assert!(again.is_due(now + first));
    }

    #[test]
    fn reading_is_no_change() {
        use notify::event::ModifyKind;
        assert!(is_change(EventKind::Modify(ModifyKind::Any)));
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(!is_change(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(!is_change(EventKind::Access(AccessKind::Close(AccessMode::Read))));
    }
}
