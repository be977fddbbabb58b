//! Forces the spool to the disk beside the writer. A disk takes milliseconds for it, tens where a database on it commits as well, and
//! nobody's request is to wait for what only matters when the power fails.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

/// A thread that syncs one file at a time.
#[derive(Debug)]
pub(crate) struct Syncer {
    files: SyncSender<File>,
    busy: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Syncer {
    /// Starts the thread; `told` hears of every disk that refuses.
    pub(crate) fn start(told: impl Fn(io::Error) + Send + 'static) -> io::Result<Self> {
        let (files, asked) = mpsc::sync_channel::<File>(1);
        let (busy, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_busy, has_failed) = (Arc::clone(&busy), Arc::clone(&failed));
        let work = move || {
            for file in asked {
                if let Err(error) = file.sync_data() {
                    has_failed.store(true, Ordering::Release);
                    told(error);
                }
                is_busy.store(false, Ordering::Release);
            }
        };
        let thread = thread::Builder::new().name("audit-sync".into()).spawn(work)?;
        Ok(Self { files, busy, failed, thread })
    }

    /// Whether it is at work.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Whether a disk has refused since this was asked last: then what was given is to be synced again.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.swap(false, Ordering::AcqRel)
    }

    /// Takes a file to sync, when it is not at work.
    pub(crate) fn sync(&self, file: File) {
        self.busy.store(true, Ordering::Release);
        if self.files.try_send(file).is_err() {
            self.failed.store(true, Ordering::Release);
            self.busy.store(false, Ordering::Release);
        }
    }

    /// Ends once what it was given is on the disk; true when a disk has refused.
    pub(crate) fn end(self) -> bool {
        drop(self.files);
        let _ = self.thread.join();
        self.failed.load(Ordering::Acquire)
    }
}
