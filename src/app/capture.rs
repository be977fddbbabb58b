//! What stands in the rules folders at one moment: every file that a loader could read there, and two hashes of it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::refusal::Refusal;
use crate::base::Limits;
use crate::base::limits::rules::FOLDER_DEPTH;

/// The content of the rules folders.
#[derive(Debug)]
pub(super) struct Captured {
    /// In order of folder and path.
    pub(super) files: Vec<CapturedFile>,
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// Of names and contents: equal for equal rules, wherever and whenever they were written.
    pub(super) content: Hash,
    /// Of the files themselves too: another file of the same content, or a later write, changes it.
    pub(super) stamp: Hash,
}

/// One file.
#[derive(Debug)]
pub(super) struct CapturedFile {
    /// Which of the folders it lies in.
    pub(super) folder: usize,
    /// Its path below that folder.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) content: Vec<u8>,
}

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// Reads the folders.
///
/// # Errors
/// A folder or file that cannot be read, or more of them than the limits allow.
pub(super) fn capture(folders: &[PathBuf], limits: &Limits) -> Result<Captured, Refusal> {
    let mut walk = Walk { limits, seen: 0, found: Vec::new() };
    folders.iter().enumerate().try_for_each(|(number, folder)| walk.visit(number, folder, Path::new("")))?;
    let mut files = Vec::with_capacity(walk.found.len());
    let (mut content, mut stamp, mut bytes) = (Sha256::new(), Sha256::new(), 0u64);
    for (folder, path, _) in walk.found {
        let full = folders.get(folder).map(|root| root.join(&path)).unwrap_or_default();
        let left = limits.policy_bytes.saturating_sub(bytes);
        let (read, metadata) = read(&full, left).map_err(|error| unread(&full, &error))?;
        let length = u64::try_from(read.len()).unwrap_or(u64::MAX);
        if length > left {
            return Err(too_large(folders, limits));
        }
        bytes = bytes.saturating_add(length);
        name(&mut content, folder, &path);
        content.update(Sha256::digest(&read));
        name(&mut stamp, folder, &path);
        marks(&mut stamp, &metadata);
        files.push(CapturedFile { folder, path, content: read });
    }
    let content: Hash = content.finalize().into();
    stamp.update(content);
    Ok(Captured { files, bytes, content, stamp: stamp.finalize().into() })
}

/// A hash of the files' marks alone (place, length, time of change), without reading them; what cannot be looked at counts as
/// such. `alone` are files outside the folders.
pub(super) fn marks_of(folders: &[PathBuf], alone: Option<&Path>, limits: &Limits) -> Hash {
    let mut hash = Sha256::new();
    let mut walk = Walk { limits, seen: 0, found: Vec::new() };
    for (number, folder) in folders.iter().enumerate() {
        if let Err(refusal) = walk.visit(number, folder, Path::new("")) {
            hash.update(refusal.text);
        }
    }
    for (folder, path, metadata) in &walk.found {
        name(&mut hash, *folder, path);
        marks(&mut hash, metadata);
    }
    match alone.map(fs::metadata) {
        None => {}
        Some(Ok(metadata)) => marks(&mut hash, &metadata),
        Some(Err(error)) => hash.update(error.to_string()),
    }
    hash.finalize().into()
}

struct Walk<'a> {
    limits: &'a Limits,
    seen: usize,
    found: Vec<(usize, PathBuf, Metadata)>,
}

impl Walk<'_> {
    /// Goes through a folder as the loader of rules does: links to folders are not followed, names with a dot in front are
    /// passed over. Pipes and the like are no files.
    fn visit(&mut self, number: usize, root: &Path, below: &Path) -> Result<(), Refusal> {
        // Joined to nothing, a path would get a slash at its end.
        let folder = if below == Path::new("") { root.to_owned() } else { root.join(below) };
        let failed = |error: io::Error| unread(&folder, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            self.seen += 1;
            if self.seen > self.limits.policy_files {
                let message = format!(
                    "the rules folders hold more than limits.policy_files ({}) files and folders",
                    self.limits.policy_files
                );
                return Err(Refusal::new(message, "keep only rules there, or raise the limit"));
            }
            names.push((entry.file_name(), entry.file_type().map_err(failed)?));
        }
        names.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, kind) in names {
            let path = below.join(&name);
            if kind.is_dir() {
                if below.components().count() == FOLDER_DEPTH {
                    let message = format!("{} lies more than {FOLDER_DEPTH} folders deep", root.join(&path).display());
                    return Err(Refusal::new(message, "move the rules nearer to the folder that rules.folders names"));
                }
                self.visit(number, root, &path)?;
                continue;
            }
            // A file that went away in between, or a link that leads nowhere: the loader says what it thinks of it.
            let Ok(metadata) = fs::metadata(root.join(&path)) else { continue };
            if metadata.is_file() {
                self.found.push((number, path, metadata));
            }
        }
        Ok(())
    }
}

/// Reads a file, at most one byte over the bound, and its marks from before.
fn read(path: &Path, bound: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut content = Vec::new();
    file.take(bound.saturating_add(1)).read_to_end(&mut content)?;
    Ok((content, metadata))
}

fn name(hash: &mut Sha256, folder: usize, path: &Path) {
    let path = path.as_os_str().as_encoded_bytes();
    // Lengths in front keep two different lists of files from hashing alike.
    hash.update(u64::try_from(folder).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(u64::try_from(path.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(path);
}

fn marks(hash: &mut Sha256, metadata: &Metadata) {
    for mark in [metadata.dev(), metadata.ino(), metadata.len()] {
        hash.update(mark.to_be_bytes());
    }
    for mark in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
        hash.update(mark.to_be_bytes());
    }
}

fn unread(path: &Path, error: &io::Error) -> Refusal {
    let message = format!("{} cannot be read: {error}", path.display());
    Refusal::new(message, "rules.folders must name folders whose files the user that runs portcullis can read")
        .passing()
}

fn too_large(folders: &[PathBuf], limits: &Limits) -> Refusal {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let message =
        format!("the files in {} have more than limits.policy_bytes ({})", folders.join(", "), limits.policy_bytes);
    Refusal::new(message, "keep only rules there, or raise the limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(policy_bytes: u64, policy_files: usize) -> Limits {
        Limits { policy_bytes, policy_files, ..Limits::default() }
    }

    #[test]
    fn it_sees_what_the_loader_of_rules_sees() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("leak/.git")).unwrap();
        fs::create_dir(root.join("..data")).unwrap();
        for (path, content) in [
            ("leak/b.yaml", "b"),
            ("leak/a.yaml", "a"),
            ("leak/.a.yaml.swp", "x"),
            ("leak/.git/x.yaml", "x"),
            ("..data/linked.yaml", "l"),
        ] {
            fs::write(root.join(path), content).unwrap();
        }
        // As Kubernetes mounts a file.
        std::os::unix::fs::symlink("../..data/linked.yaml", root.join("leak/linked.yaml")).unwrap();
        std::os::unix::fs::symlink("leak", root.join("circle")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("leak/broken.yaml")).unwrap();
        let captured = capture(&[root.to_owned()], &Limits::default()).unwrap();
        let seen: Vec<_> =
            captured.files.iter().map(|file| (file.path.to_str().unwrap(), file.content.as_slice())).collect();
        assert_eq!(seen, [("leak/a.yaml", &b"a"[..]), ("leak/b.yaml", b"b"), ("leak/linked.yaml", b"l")]);
        assert_eq!(captured.bytes, 3);
    }

    #[test]
    fn equal_content_hashes_alike_and_another_write_is_seen() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = |folder: &tempfile::TempDir| [folder.path().to_owned()];
        for folder in [&one, &other] {
            fs::write(folder.path().join("a.yaml"), "a").unwrap();
        }
        let limits = Limits::default();
        let (first, second) = (capture(&folders(&one), &limits).unwrap(), capture(&folders(&other), &limits).unwrap());
        assert_eq!(first.content, second.content);
        assert_ne!(first.stamp, second.stamp);
        assert_eq!(first.stamp, capture(&folders(&one), &limits).unwrap().stamp);
        let marks = marks_of(&folders(&one), None, &limits);
        assert_eq!(marks, marks_of(&folders(&one), None, &limits));
        // By rename, as editors write.
        fs::write(one.path().join(".a.yaml.new"), "a").unwrap();
        fs::rename(one.path().join(".a.yaml.new"), one.path().join("a.yaml")).unwrap();
        assert_ne!(marks, marks_of(&folders(&one), None, &limits));
        assert_eq!(first.content, capture(&folders(&one), &limits).unwrap().content);
        fs::rename(one.path().join("a.yaml"), one.path().join("b.yaml")).unwrap();
        assert_ne!(first.content, capture(&folders(&one), &limits).unwrap().content);
        let gone = [one.path().join("gone")];
        assert!(capture(&gone, &limits).unwrap_err().text.contains("gone cannot be read"));
        assert_ne!(marks_of(&gone, None, &limits), marks_of(&[], None, &limits));
    }

    #[test]
    fn the_depth_is_bounded_at_n_and_n_plus_1() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        let deep: PathBuf = (0..FOLDER_DEPTH).map(|_| "a").collect();
        fs::create_dir_all(folder.path().join(&deep)).unwrap();
        fs::write(folder.path().join(&deep).join("x.yaml"), "x").unwrap();
        assert_eq!(capture(&folders, &Limits::default()).unwrap().files.len(), 1);
        fs::create_dir(folder.path().join(&deep).join("a")).unwrap();
        let refused = capture(&folders, &Limits::default()).unwrap_err();
        assert!(refused.text.contains("more than 16 folders deep"), "{}", refused.text);
    }

    #[test]
    fn the_limits_hold_at_n_and_n_plus_1() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        fs::write(folder.path().join("a.yaml"), "12345").unwrap();
        fs::write(folder.path().join("b.yaml"), "12345").unwrap();
        assert!(capture(&folders, &limits(10, 2)).is_ok());
        assert!(capture(&folders, &limits(9, 2)).unwrap_err().text.contains("limits.policy_bytes (9)"));
        assert!(capture(&folders, &limits(10, 1)).unwrap_err().text.contains("limits.policy_files (1)"));
    }
}
