//! Models in an object store: versions that never change, and signed statements of which of them is promoted.
//!
//! ```text
//! NAME/VERSION/{manifest.json, model.onnx, tokenizer.json, golden.json}   then bundle.json: names every file's hash; its own hash names all of it
//! NAME/promotions/000001.json, 000002.json …                              signed: the last one says which version is to serve
//! ```

mod bundle;
mod error;
mod promotion;
mod pushed;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;

use crate::audit::{PublicKey, SigningKey, envelope};
use crate::base::Limits;
use crate::egress::{Objects, ObjectsConfig};
use crate::model::file::{is_plain_name, sha256_hex};
use crate::model::{MANIFEST, Manifest};

pub use bundle::Bundle;
pub use error::RegistryError;
pub use promotion::{Basis, Figures, Gate, Promotion};
pub use pushed::Pushed;

/// Where models are kept.
#[derive(Clone, Debug)]
pub struct Registry {
    objects: Objects,
    limits: Limits,
}

impl Registry {
    /// Opens the store; nothing is connected yet.
    ///
    /// # Errors
    /// A sentence that says what cannot be used.
    pub fn open(config: &ObjectsConfig, limits: &Limits) -> Result<Self, RegistryError> {
        let objects = Objects::open(config).map_err(RegistryError::Place)?;
        Ok(Self { objects, limits: limits.clone() })
    }

    /// Where it is, for people.
    pub fn place(&self) -> &str {
        self.objects.place()
    }

    /// Puts the model in a folder there. A version that is there already stays as it is.
    ///
    /// # Errors
    /// A folder that is no model; the store's; another model of that version.
    pub async fn push(&self, folder: &Path) -> Result<Pushed, RegistryError> {
        let manifest = Manifest::read(folder, &self.limits)?;
        let golden = manifest.golden.display().to_string();
        let mut files = Vec::new();
        for (file, limit) in [
            (MANIFEST, self.limits.model_manifest_bytes),
            (&manifest.model.file, self.limits.model_file_bytes),
            (&manifest.tokenizer.file, self.limits.model_file_bytes),
            (&golden, self.limits.model_manifest_bytes),
        ] {
            files.push((file.to_owned(), Bytes::from(crate::model::file::read_bounded(&folder.join(file), limit)?)));
        }
        let bundle = Bundle::of(&manifest, &files);
        let text = bundle.text()?;
        let pushed = Pushed { name: manifest.name, version: manifest.version, sha256: sha256_hex(&text) };
        let there = |file: &str| place(&pushed.name, &pushed.version, file);
        if let Some(known) = self.objects.get(&there(BUNDLE), self.limits.model_manifest_bytes).await? {
            return if known == text { Ok(pushed) } else { Err(RegistryError::Other(there(""))) };
        }
        // The bundle last of all: what has none is no version.
        for (file, content) in files.into_iter().chain([(BUNDLE.to_owned(), text.into())]) {
            if !self.objects.keep(&there(&file), content).await? {
                return Err(RegistryError::Other(there(&file)));
            }
        }
        Ok(pushed)
    }

    /// The versions of a model, in the order of their names.
    ///
    /// # Errors
    /// The store's.
    pub async fn versions(&self, name: &str) -> Result<Vec<Pushed>, RegistryError> {
        let mut all = Vec::new();
        for object in self.objects.list(name).await? {
            let parts: Vec<&str> = object.split('/').collect();
            let &[_, version, BUNDLE] = parts.as_slice() else { continue };
            all.extend(self.version(name, version).await?);
        }
        Ok(all)
    }

    /// One version of a model; `None`: there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn version(&self, name: &str, version: &str) -> Result<Option<Pushed>, RegistryError> {
        // Names are shown to people, and whoever can write there chooses them.
        if !is_name(version) {
            return Ok(None);
        }
        let text = self.objects.get(&place(name, version, BUNDLE), self.limits.model_manifest_bytes).await?;
        let pushed =
            |text: Bytes| Pushed { name: name.to_owned(), version: version.to_owned(), sha256: sha256_hex(&text) };
        Ok(text.map(pushed))
    }

    /// A version as a folder under `cache`, every byte of it checked against `sha256`. What is there already and whole is not fetched again.
    ///
    /// # Errors
    /// The store's; a version that is not there, or is not what `sha256` names; a folder that cannot be written.
    pub async fn fetch(&self, wanted: &Pushed, cache: &Path) -> Result<PathBuf, RegistryError> {
        let (registry, known, under) = (self.clone(), wanted.clone(), cache.to_owned());
        // A model is tens of megabytes, all of which is read and hashed.
        let looked = tokio::task::spawn_blocking(move || registry.cached(&known, &under));
        if let Some(folder) = looked.await.unwrap_or_default() {
            // Used: the last to be pruned.
            let _ = fs::File::open(&folder).and_then(|folder| folder.set_modified(SystemTime::now()));
            return Ok(folder);
        }
        let there = |file: &str| place(&wanted.name, &wanted.version, file);
        let missing = |file: &str| RegistryError::None(format!("{}/{}", self.place(), there(file)));
        let text =
            self.objects.get(&there(BUNDLE), self.limits.model_manifest_bytes).await?.ok_or_else(|| missing(BUNDLE))?;
        let bundle = Bundle::parse(&text, wanted, &self.limits)?;
        let folder = folder_of(wanted, cache);
        // Beside it, and then in its place: whoever finds the folder finds all of it.
        let made = cache.join(format!("{PARTIAL}{}", std::process::id()));
        let wrong = |path: &Path| {
            let path = path.to_owned();
            move |error| RegistryError::Cache { path, error }
        };
        let _ = fs::remove_dir_all(&made);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&made).map_err(wrong(&made))?;
        for entry in &bundle.files {
            let content =
                self.objects.get(&there(&entry.file), entry.bytes).await?.ok_or_else(|| missing(&entry.file))?;
            if sha256_hex(&content) != entry.sha256 || content.len() as u64 != entry.bytes {
                return Err(RegistryError::Odd {
                    place: there(&entry.file),
                    why: "it is not the file that bundle.json names".to_owned(),
                });
            }
            write(&made.join(&entry.file), &content).map_err(wrong(&made))?;
        }
        write(&made.join(BUNDLE), &text).map_err(wrong(&made))?;
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&made, &folder).map_err(wrong(&folder))?;
        prune(cache, &folder);
        Ok(folder)
    }

    /// The folder of a version that was fetched before, if it is whole.
    pub fn cached(&self, wanted: &Pushed, cache: &Path) -> Option<PathBuf> {
        let folder = folder_of(wanted, cache);
        let text = fs::read(folder.join(BUNDLE)).ok()?;
        let bundle = Bundle::parse(&text, wanted, &self.limits).ok()?;
        bundle.files.iter().all(|entry| entry.read(&folder).is_ok()).then_some(folder)
    }

    /// The promotion that counts: the last one, which one of these keys must have signed. With the bytes of it, to be remembered.
    ///
    /// Others than the last are not looked at when that one is odd: whoever can write there must not bring an older model back.
    ///
    /// # Errors
    /// The store's; a last promotion that cannot be trusted. `None`: nothing was promoted.
    pub async fn promoted(
        &self,
        name: &str,
        trusted: &[PublicKey],
    ) -> Result<Option<(Promotion, Bytes)>, RegistryError> {
        let Some((sequence, object)) = self.last(name).await? else { return Ok(None) };
        let read = self.objects.get(&object, self.limits.model_manifest_bytes).await?;
        let bytes = read.ok_or_else(|| RegistryError::None(object.clone()))?;
        let promotion = Promotion::open(&bytes, (name, Some(sequence)), trusted)
            .map_err(|why| RegistryError::Odd { place: object, why })?;
        Ok(Some((promotion, bytes)))
    }

    /// The newest promotions, [`SHOWN`] at most, oldest first.
    ///
    /// # Errors
    /// As [`Self::promoted`], of any of them.
    pub async fn promotions(&self, name: &str, trusted: &[PublicKey]) -> Result<Vec<Promotion>, RegistryError> {
        let mut all = Vec::new();
        let objects = self.objects.list(&format!("{name}/{PROMOTIONS}")).await?;
        let mut numbered: Vec<_> =
            objects.into_iter().filter_map(|object| Some((sequence_of(&object)?, object))).collect();
        numbered.sort();
        for (sequence, object) in numbered.split_off(numbered.len().saturating_sub(SHOWN)) {
            let Some(bytes) = self.objects.get(&object, self.limits.model_manifest_bytes).await? else { continue };
            all.push(
                Promotion::open(&bytes, (name, Some(sequence)), trusted)
                    .map_err(|why| RegistryError::Odd { place: object, why })?,
            );
        }
        Ok(all)
    }

    /// Signs that a version is to serve from now on.
    ///
    /// # Errors
    /// The store's; somebody else promoted at the same time.
    pub(crate) async fn promote(
        &self,
        what: &Pushed,
        basis: Basis,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<Promotion, RegistryError> {
        // Whoever can write there may have put the largest number: that is taken, and is told.
        let sequence = self.last(&what.name).await?.map_or(0, |(sequence, _)| sequence).saturating_add(1);
        let promotion = Promotion {
            sequence,
            name: what.name.clone(),
            version: what.version.clone(),
            bundle_sha256: what.sha256.clone(),
            promoted_at: now,
            basis,
        };
        let bytes = envelope::sign(promotion::TYPE, &promotion, key)
            .map_err(|error| RegistryError::Place(error.to_string()))?;
        let object = format!("{}/{PROMOTIONS}/{sequence:06}.json", what.name);
        if !self.objects.create(&object, bytes.into()).await? {
            return Err(RegistryError::Other(object));
        }
        Ok(promotion)
    }

    async fn last(&self, name: &str) -> Result<Option<(u64, String)>, RegistryError> {
        let objects = self.objects.list(&format!("{name}/{PROMOTIONS}")).await?;
        Ok(objects.into_iter().filter_map(|object| Some((sequence_of(&object)?, object))).max())
    }
}

/// Removes fetched models beyond the [`KEPT`] that were used last, and what was fetched by halves. What cannot be removed stays: it is
/// only room.
fn prune(cache: &Path, fetched: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    let dated = |entry: fs::DirEntry| {
        let at = entry.metadata().and_then(|about| about.modified()).ok()?;
        Some((at, entry.path()))
    };
    let (halves, mut models): (Vec<_>, Vec<_>) = entries
        .filter_map(Result::ok)
        .filter_map(dated)
        .filter(|(_, path)| path.is_dir() && path != fetched)
        .partition(|(_, path)| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL)));
    for (_, path) in halves.iter().filter(|(at, _)| at.elapsed().is_ok_and(|age| age > ABANDONED)) {
        let _ = fs::remove_dir_all(path);
    }
    models.retain(|(_, path)| path.join(BUNDLE).is_file());
    models.sort();
    let surplus = (models.len() + 1).saturating_sub(KEPT);
    for (_, path) in models.into_iter().take(surplus) {
        let _ = fs::remove_dir_all(path);
    }
}

fn sequence_of(object: &str) -> Option<u64> {
    object.rsplit_once('/')?.1.strip_suffix(".json")?.parse().ok()
}

fn place(name: &str, version: &str, file: &str) -> String {
    format!("{name}/{version}/{file}")
}

/// By version and hash: two models that say they are the same version have a folder each.
fn folder_of(wanted: &Pushed, cache: &Path) -> PathBuf {
    let short: String = wanted.sha256.chars().take(16).collect();
    cache.join(format!("{}-{}-{short}", wanted.name, wanted.version))
}

/// Whether a text can be part of a place: no folders, nothing hidden.
pub(crate) fn is_name(text: &str) -> bool {
    is_plain_name(&text.replace('+', "_"))
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

const BUNDLE: &str = "bundle.json";
const PROMOTIONS: &str = "promotions";
/// What the folder's name begins with while a version is fetched; two processes may do so at once.
const PARTIAL: &str = ".partial-";
/// Nobody fetches one version for so long.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Promotions that are read to be shown, or gone back to.
const SHOWN: usize = 1_000;
/// Fetched models that are kept: the one that serves, the one in shadow, and those before.
const KEPT: usize = 8;
