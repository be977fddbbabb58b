//! Policies that were in force, kept in `policies/` of the state folder to go back to.
//!
//! ```text
//! policies/lock                     held while somebody may write here
//! policies/index.json               what is kept, the way that led here, the pin; replaced as a whole
//! policies/<version>/manifest.json  names and checksums of the rest
//! policies/<version>/config.yaml    the configuration as it was written
//! policies/<version>/rules/0/…      the first rules folder, and so on
//! ```

mod files;
mod index;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::capture::{Captured, capture};
use super::refusal::Refusal;
use super::sealed::{self, digest};
use crate::base::Limits;
use crate::config::Written;
use crate::proxy::{Kept, Origin};

use index::{Entry, Index, is_version};

pub(super) use files::Files;
pub(super) use index::{Pin, Step};

/// Folder below the state folder.
pub(super) const FOLDER: &str = "policies";

/// How often, and how long apart, a lock is tried for.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Kept policies, and the right to change them.
#[derive(Debug)]
pub(super) struct Archive {
    root: PathBuf,
    limits: Limits,
    index: Index,
    _lock: File,
}

/// A policy to keep.
#[derive(Debug)]
pub(super) struct Keeping<'a> {
    pub(super) version: &'a str,
    /// Names rules and policy without the limits, which belong to the appliance and count in the version.
    pub(super) source: &'a str,
    pub(super) origin: Origin,
    pub(super) rules: usize,
    pub(super) written: &'a Written,
    pub(super) folders: &'a [PathBuf],
    pub(super) captured: &'a Captured,
}

/// A kept policy, checked against its manifest.
#[derive(Debug)]
pub(super) struct Restored {
    pub(super) written: Written,
    pub(super) folders: Vec<PathBuf>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    version: String,
    /// The configuration's name when it was read.
    config: PathBuf,
    config_sha256: String,
    /// The variables that lay over it, of these sections alone.
    environment: Vec<(String, String)>,
    /// The rules folders, from here.
    folders: Vec<String>,
    files: Vec<ManifestFile>,
}

#[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct ManifestFile {
    folder: usize,
    path: String,
    sha256: String,
}

/// Why the archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    #[error("another process holds it")]
    Held,
    #[error("{what} {}: {error}", path.display())]
    Io { what: &'static str, path: PathBuf, error: io::Error },
}

impl Archive {
    /// Opens the archive of a state folder, alone, and clears away what a crash left half done.
    pub(super) fn open(state: &Path, limits: &Limits) -> Result<Self, ArchiveError> {
        let root = state.join(FOLDER);
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |error| ArchiveError::Io { what, path, error }
        };
        sealed::make_folder(&root).map_err(failed("cannot create", &root))?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = lock.map_err(failed("cannot open", &path))?;
        take(&lock).map_err(|error| match error {
            TryLockError::WouldBlock => ArchiveError::Held,
            TryLockError::Error(error) => failed("cannot lock", &path)(error),
        })?;
        let path = root.join("index.json");
        let index: Index = sealed::read(&path).map_err(failed("cannot read", &path))?.unwrap_or_default();
        let archive = Self { root, limits: limits.clone(), index, _lock: lock };
        archive.tidy().map_err(failed("cannot clear", &archive.root))?;
        Ok(archive)
    }

    /// True while a process has the archive of this state folder open: the appliance runs.
    pub(super) fn is_open(state: &Path) -> bool {
        let Ok(lock) = File::open(state.join(FOLDER).join("lock")) else { return false };
        matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// What is kept, the latest first; to be read beside a running appliance.
    pub(super) fn list(state: &Path) -> io::Result<(Vec<Kept>, Option<Pin>)> {
        let index: Index = sealed::read(&state.join(FOLDER).join("index.json"))?.unwrap_or_default();
        Ok((index.list(), index.pin))
    }

    /// What is kept, the latest first.
    pub(super) fn kept(&self) -> Vec<Kept> {
        self.index.list()
    }

    /// The policy that somebody went back to.
    pub(super) fn pin(&self) -> Option<&Pin> {
        self.index.pin.as_ref()
    }

    /// The policy that was in force before.
    pub(super) fn previous(&self) -> Option<&str> {
        self.index.previous()
    }

    /// Keeps a policy that is about to come into force, and writes down that it does.
    pub(super) fn keep(&mut self, keeping: &Keeping<'_>, step: Step) -> io::Result<()> {
        let is_there = self.index.entry(keeping.version).is_some() && self.restore(keeping.version).is_ok();
        if !is_there {
            self.write(keeping)?;
        }
        let mut index = self.index.clone();
        // After a start with other limits the same policy goes by another version.
        let earlier = index.kept.iter().find(|entry| entry.source == keeping.source).cloned();
        if let Some(earlier) = &earlier {
            index.rename(&earlier.version, keeping.version);
        }
        let bytes = keeping.captured.bytes.saturating_add(length(keeping.written.content()));
        let entry = Entry {
            version: keeping.version.to_owned(),
            source: keeping.source.to_owned(),
            at: Timestamp::now(),
            origin: keeping.origin,
            rules: keeping.rules,
            bytes,
        };
        // Going back does not make a policy new.
        index.kept.push(match (&step, earlier) {
            (Step::Back(_), Some(earlier)) => Entry { version: entry.version, at: entry.at, ..earlier },
            _ => entry,
        });
        index.step(keeping.version, step);
        index.prune(&self.limits);
        self.commit(index)
    }

    /// Takes the pin away: what is in force is what the files say.
    pub(super) fn unpin(&mut self) -> io::Result<()> {
        if self.index.pin.is_none() {
            return Ok(());
        }
        let mut index = self.index.clone();
        index.pin = None;
        self.commit(index)
    }

    /// A kept policy, as it was.
    pub(super) fn restore(&self, version: &str) -> Result<Restored, Refusal> {
        let help = "`portcullis rules versions` lists what is kept";
        // Only a name from the index becomes part of a path.
        let Some(entry) = self.index.entry(version) else {
            return Err(Refusal::new(format!("the policy `{}` is not kept here", version.escape_debug()), help));
        };
        let folder = self.root.join(&entry.version);
        let damaged = |what: String| {
            Refusal::new(format!("the kept policy in {} cannot be used: {what}", folder.display()), help)
        };
        let manifest: Option<Manifest> =
            sealed::read(&folder.join("manifest.json")).map_err(|error| damaged(format!("manifest.json: {error}")))?;
        let manifest = manifest.filter(|manifest| manifest.version == entry.version);
        let manifest = manifest.ok_or_else(|| damaged("it has no manifest of its own".to_owned()))?;
        let content = fs::read_to_string(folder.join("config.yaml"));
        let content = content.map_err(|error| damaged(format!("config.yaml: {error}")))?;
        let folders: Vec<PathBuf> = manifest.folders.iter().map(|path| folder.join(path)).collect();
        let captured = capture(&folders, &self.limits)?;
        if digest(content.as_bytes()) != manifest.config_sha256 || listed(&captured)? != manifest.files {
            return Err(damaged("its files are not those that were kept".to_owned()));
        }
        Ok(Restored { written: Written::kept(manifest.config, content, manifest.environment), folders })
    }

    /// Writes the folder of a policy beside, flushes it, and gives it its name.
    fn write(&self, keeping: &Keeping<'_>) -> io::Result<()> {
        let beside = self.root.join(format!(".new-{}", keeping.version));
        let place = self.root.join(keeping.version);
        remove(&beside)?;
        remove(&place)?;
        sealed::make_folder(&beside)?;
        let mut made = vec![beside.clone()];
        // The folders keep their names: the name above a file says its family, and counts in the version.
        let folders: Vec<String> = keeping
            .folders
            .iter()
            .enumerate()
            .map(|(number, folder)| {
                let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("rules");
                format!("rules/{number}/{name}")
            })
            .collect();
        for folder in &folders {
            make(&beside, Path::new(folder), &mut made)?;
        }
        for file in &keeping.captured.files {
            let Some(folder) = folders.get(file.folder) else { continue };
            let path = Path::new(folder).join(&file.path);
            make(&beside, path.parent().unwrap_or(Path::new("")), &mut made)?;
            sealed::write_bytes(&beside.join(path), &file.content)?;
        }
        sealed::write_bytes(&beside.join("config.yaml"), keeping.written.content().as_bytes())?;
        let manifest = Manifest {
            version: keeping.version.to_owned(),
            config: keeping.written.name().to_owned(),
            config_sha256: digest(keeping.written.content().as_bytes()),
            environment: keeping.written.policy_environment(),
            folders,
            files: listed(keeping.captured).map_err(|refusal| io::Error::other(refusal.text))?,
        };
        sealed::write(&beside.join("manifest.json"), &manifest)?;
        made.iter().try_for_each(|folder| sealed::flush_folder(folder))?;
        fs::rename(&beside, &place)?;
        sealed::flush_folder(&self.root)
    }

    /// Writes the index, and only then lets go of what it does not name any more.
    fn commit(&mut self, index: Index) -> io::Result<()> {
        sealed::replace(&self.root.join("index.json"), &index)?;
        self.index = index;
        if let Err(error) = self.tidy() {
            tracing::warn!(%error, "policies that are not kept any more could not be removed");
        }
        Ok(())
    }

    /// Removes folders that the index does not name.
    fn tidy(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_ours = name.starts_with(".new-") || is_version(&name);
            if is_ours && entry.file_type()?.is_dir() && self.index.entry(&name).is_none() {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Takes the lock. The command line holds it for a moment when it looks whether an appliance runs.
fn take(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            taken => return taken,
        }
    }
    lock.try_lock()
}

/// The files as a manifest lists them.
fn listed(captured: &Captured) -> Result<Vec<ManifestFile>, Refusal> {
    let mut files = Vec::with_capacity(captured.files.len());
    for file in &captured.files {
        let Some(path) = file.path.to_str() else {
            let message = format!("the name of {} is not UTF-8", file.path.display());
            return Err(Refusal::new(message, "give it another name"));
        };
        files.push(ManifestFile { folder: file.folder, path: path.to_owned(), sha256: digest(&file.content) });
    }
    files.sort();
    Ok(files)
}

/// Makes the folders of a path below a root, and notes each that is new.
fn make(root: &Path, below: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut path = root.to_owned();
    for part in below {
        path.push(part);
        if !made.contains(&path) {
            sealed::make_folder(&path)?;
            made.push(path.clone());
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
