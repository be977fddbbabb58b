//! `bundle.json`: every file of a version by its hash. The manifest names only what serving reads; this names all of it, so that one hash
//! stands for the whole model.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Pushed, RegistryError, is_name};
use crate::base::Limits;
use crate::model::file::{FileEntry, sha256_hex};
use crate::model::{MANIFEST, Manifest};

/// The files of a version.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: u32,
    /// The model.
    pub name: String,
    /// The version.
    pub version: String,
    /// Its files.
    pub files: Vec<FileEntry>,
}

impl Bundle {
    pub(super) fn of(manifest: &Manifest, files: &[(String, Bytes)]) -> Self {
        let entry = |(file, content): &(String, Bytes)| FileEntry {
            file: file.clone(),
            sha256: sha256_hex(content),
            bytes: content.len() as u64,
        };
        let (name, version) = (manifest.name.clone(), manifest.version.clone());
        Self { format: FORMAT, name, version, files: files.iter().map(entry).collect() }
    }

    pub(super) fn text(&self) -> Result<Vec<u8>, RegistryError> {
        serde_json::to_vec_pretty(self).map_err(|error| RegistryError::Place(error.to_string()))
    }

    /// Reads the bundle of the version that is wanted.
    pub(super) fn parse(text: &[u8], wanted: &Pushed, limits: &Limits) -> Result<Self, RegistryError> {
        let odd =
            |why: String| RegistryError::Odd { place: format!("{}/{}/bundle.json", wanted.name, wanted.version), why };
        let found = sha256_hex(text);
        if found != wanted.sha256 {
            return Err(odd(format!("its SHA-256 is {found}; {} is wanted", wanted.sha256)));
        }
        let bundle: Self = serde_json::from_slice(text).map_err(|error| odd(error.to_string()))?;
        let is_it = bundle.format == FORMAT && bundle.name == wanted.name && bundle.version == wanted.version;
        if !is_it || !is_name(&bundle.name) || !is_name(&bundle.version) {
            return Err(odd(format!("it is of format {}, for {} {}", bundle.format, bundle.name, bundle.version)));
        }
        let problems: Vec<String> = bundle.files.iter().flat_map(|file| file.problems("files", limits)).collect();
        if !problems.is_empty()
            || bundle.files.len() > FILES_MAX
            || !bundle.files.iter().any(|file| file.file == MANIFEST)
        {
            return Err(odd(format!("it names files that cannot be: {}", problems.join("; "))));
        }
        Ok(bundle)
    }
}

const FORMAT: u32 = 1;
/// Files of a model at most.
const FILES_MAX: usize = 16;
