//! Rule files, and which lie below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::limits::rules as limits;

/// A rule file as read.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct RuleFile {
    pub(super) path: PathBuf,
    /// The folder that the setting names: those above it say nothing. Empty: every folder counts.
    pub(super) root: PathBuf,
    pub(super) content: String,
}

/// Why a folder's files cannot be listed.
#[derive(Debug)]
pub(super) struct Unlisted {
    /// The folder in which it went wrong.
    pub(super) folder: PathBuf,
    pub(super) message: String,
    pub(super) help: String,
}

/// All `*.yaml` and `*.yml` files below a folder, at any depth that the limits allow, in order of their paths.
///
/// Links to folders are not followed, since they may lead in a circle; names that begin with a dot are passed over: editors'
/// leftovers, and the copies that Kubernetes keeps beside mounted files.
pub(super) fn rule_files(root: &Path) -> Result<Vec<PathBuf>, Unlisted> {
    let mut files = Vec::new();
    let mut seen = 0;
    let mut left = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = left.pop() {
        let failed = |error: io::Error| Unlisted {
            folder: folder.clone(),
            message: format!("cannot read the folder: {error}"),
            help: "the setting must name a folder that can be read".to_owned(),
        };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            seen += 1;
            if seen > limits::FOLDER_ENTRIES {
                let message = format!("more than {} files and folders lie below it", limits::FOLDER_ENTRIES);
                let help = "keep only rules there, and name their folder in the setting".to_owned();
                return Err(Unlisted { folder: root.to_owned(), message, help });
            }
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                if depth == limits::FOLDER_DEPTH {
                    let message = format!("it lies more than {} folders deep", limits::FOLDER_DEPTH);
                    let help = "move the rules nearer to the folder that the setting names".to_owned();
                    return Err(Unlisted { folder: path, message, help });
                }
                left.push((path, depth + 1));
                continue;
            }
            // A pipe of that name would never end. A broken link is a file that cannot be read, and is reported as such.
            if is_named_yaml(&path) && fs::metadata(&path).map_or(true, |metadata| metadata.is_file()) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// True for the name of a rule file.
pub(super) fn is_named_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn listed(root: &Path) -> Vec<String> {
        let files = rule_files(root).unwrap();
        files.iter().map(|file| file.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn folders_in_folders_are_read_in_order_and_links_to_folders_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["pii/europe", "pii/asia/south", "pii/.git"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        for path in
            ["z.yaml", "pii/europe/b.yml", "pii/europe/a.yaml", "pii/asia/south/c.yaml", "pii/.git/x.yaml", "pii/n.txt"]
        {
            fs::write(root.join(path), "x").unwrap();
        }
        symlink(root, root.join("pii/europe/circle")).unwrap();
        symlink("../asia/south/c.yaml", root.join("pii/europe/linked.yaml")).unwrap();
        let expected =
            ["pii/asia/south/c.yaml", "pii/europe/a.yaml", "pii/europe/b.yml", "pii/europe/linked.yaml", "z.yaml"];
        assert_eq!(listed(root), expected);
    }

    #[test]
    fn the_depth_is_bounded_at_n_and_n_plus_1() {
        let folder = tempfile::tempdir().unwrap();
        let deep: PathBuf = (0..limits::FOLDER_DEPTH).map(|_| "a").collect();
        fs::create_dir_all(folder.path().join(&deep)).unwrap();
        fs::write(folder.path().join(&deep).join("x.yaml"), "x").unwrap();
        assert_eq!(listed(folder.path()).len(), 1);
        fs::create_dir(folder.path().join(&deep).join("a")).unwrap();
        let unlisted = rule_files(folder.path()).unwrap_err();
        assert!(unlisted.message.contains("more than 16 folders deep"), "{unlisted:?}");
    }

    #[test]
    fn the_number_of_entries_is_bounded_at_n_and_n_plus_1() {
        let folder = tempfile::tempdir().unwrap();
        // Links to one file: a name each, and no content to write.
        let first = folder.path().join("0.txt");
        fs::write(&first, "x").unwrap();
        for number in 1..limits::FOLDER_ENTRIES {
            fs::hard_link(&first, folder.path().join(format!("{number}.txt")))
                .or_else(|_| fs::write(folder.path().join(format!("{number}.txt")), ""))
                .unwrap();
        }
        assert!(listed(folder.path()).is_empty());
        fs::write(folder.path().join("one-more.txt"), "x").unwrap();
        let unlisted = rule_files(folder.path()).unwrap_err();
        assert!(unlisted.message.contains("more than 65536 files"), "{unlisted:?}");
    }
}
