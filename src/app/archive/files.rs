//! The files of kept policies, for whoever wants to read or compare them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::index::Index;
use super::{FOLDER, Manifest, digest, sealed};
use crate::proxy::PolicyFile;

/// The kept policies of a state folder, read beside the appliance that keeps them.
#[derive(Debug)]
pub(in crate::app) struct Files {
    root: PathBuf,
}

impl Files {
    pub(in crate::app) fn new(state: &Path) -> Self {
        Self { root: state.join(FOLDER) }
    }

    /// The files of a version; `None`: it is not kept.
    pub(in crate::app) fn read(&self, version: &str) -> io::Result<Option<Vec<PolicyFile>>> {
        let index: Index = sealed::read(&self.root.join("index.json"))?.unwrap_or_default();
        // Only a name from the index becomes part of a path.
        let Some(entry) = index.entry(version) else { return Ok(None) };
        let folder = self.root.join(&entry.version);
        let Some(manifest) = sealed::read::<Manifest>(&folder.join("manifest.json"))? else { return Ok(None) };
        let config = read(&folder.join("config.yaml"), &manifest.config_sha256)?;
        let mut files = vec![PolicyFile { path: manifest.config.clone(), text: config, is_config: true }];
        for file in &manifest.files {
            let Some(place) = manifest.folders.get(file.folder) else { continue };
            let text = read(&folder.join(place).join(&file.path), &file.sha256)?;
            // As its author knows it: the folder's name, and the file in it.
            let name = Path::new(place).file_name().unwrap_or_default();
            files.push(PolicyFile { path: Path::new(name).join(&file.path), text, is_config: false });
        }
        Ok(Some(files))
    }
}

fn read(path: &Path, sum: &str) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    if digest(text.as_bytes()) == sum {
        return Ok(text);
    }
    Err(io::Error::other(format!("{} is not as it was kept", path.display())))
}
