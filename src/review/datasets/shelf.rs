//! Sets in the object store.
//!
//! ```text
//! NAME/VERSION/train.jsonl.gz  eval.jsonl.gz  quarantine.jsonl.gz   then manifest.json: what has none is no version
//! NAME/VERSION/frozen.json                                          signed: it judges models, and is kept
//! ```

use std::collections::BTreeMap;
use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, read::GzDecoder};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::assemble::{Built, Past};
use super::manifest::{EVAL, FORMAT, File, Manifest, Name, QUARANTINE, TRAIN, Terms, Version};
use super::row::{Row, RowId};
use super::{ROWS_MAX, TEXTS_MAX, Window};
use crate::audit::{EnvelopeError, PublicKey, SigningKey, envelope};
use crate::egress::{Objects, ObjectsConfig, ObjectsError};

/// What went wrong with a set.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The store's.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The store cannot be used.
    #[error("{0}")]
    Place(String),
    /// There is no such version.
    #[error("there is no {0}; `portcullis dataset list` names what there is")]
    None(String),
    /// A file is not what its manifest says.
    #[error("{name}: {why}")]
    Odd {
        /// Which.
        name: String,
        /// How.
        why: String,
    },
    /// A frozen version is not to be removed by the way.
    #[error("{0} is frozen: models were judged by it; with --frozen it is removed all the same")]
    Frozen(String),
    /// Somebody else built the same version at the same time, or left half of it.
    #[error(
        "other files of {0} {1} are there, of a build at the same time or of one that was cut short; run it again once that one is done, \
         or remove what it left: `portcullis dataset remove {0} {1}`"
    )]
    Taken(Name, Version),
    /// Its signature.
    #[error("{0}: {1}")]
    Signed(String, EnvelopeError),
}

/// What `frozen.json` says, signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The set.
    pub name: Name,
    /// The version.
    pub version: Version,
    /// Of its manifest's bytes, in hex: those name the files' hashes.
    pub manifest_sha256: String,
    /// When.
    pub frozen_at: Timestamp,
}

/// A version, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// There is a `frozen.json`.
    pub frozen: bool,
}

/// Where sets are kept.
#[derive(Clone, Debug)]
pub struct Shelf {
    objects: Objects,
}

impl Shelf {
    /// Opens the store; nothing is connected yet.
    ///
    /// # Errors
    /// A sentence that says what cannot be used.
    pub fn open(config: &ObjectsConfig) -> Result<Self, ShelfError> {
        Ok(Self { objects: Objects::open(config).map_err(ShelfError::Place)? })
    }

    /// Where it is, for people.
    pub fn place(&self) -> &str {
        self.objects.place()
    }

    /// All versions of a set, or of all sets, oldest first.
    ///
    /// # Errors
    /// The store's, or a manifest that cannot be read.
    pub async fn list(&self, name: Option<&Name>) -> Result<Vec<Listed>, ShelfError> {
        let names = self.objects.list(&name.map(ToString::to_string).unwrap_or_default()).await?;
        let mut all = Vec::new();
        for object in &names {
            let Some((name, version)) = place_of(object, MANIFEST) else { continue };
            let manifest = self.manifest(&name, version).await?.0;
            let frozen = names.contains(&place(&name, version, FROZEN));
            all.push(Listed { manifest, frozen });
        }
        all.sort_by(|one, other| {
            (&one.manifest.name, one.manifest.version).cmp(&(&other.manifest.name, other.manifest.version))
        });
        Ok(all)
    }

    /// A version's manifest, and the SHA-256 of its bytes in hex.
    ///
    /// # Errors
    /// The store's; there is none, or it cannot be read.
    pub async fn manifest(&self, name: &Name, version: Version) -> Result<(Manifest, String), ShelfError> {
        let object = place(name, version, MANIFEST);
        let read = self.objects.get(&object, MANIFEST_BYTES).await?;
        let bytes = read.ok_or_else(|| ShelfError::None(format!("{name} {version}")))?;
        let odd = |why: String| ShelfError::Odd { name: object.clone(), why };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| odd(error.to_string()))?;
        // They become names of objects and files.
        if let Some(file) = manifest.files.iter().find(|file| ![TRAIN, EVAL, QUARANTINE].contains(&file.name.as_str()))
        {
            return Err(odd(format!("it names a file {:?}", file.name)));
        }
        if manifest.format != FORMAT || manifest.name != *name || manifest.version != version {
            return Err(odd(format!(
                "it is of format {}, for {} {}",
                manifest.format, manifest.name, manifest.version
            )));
        }
        Ok((manifest, hex(&bytes)))
    }

    /// The rows of one file of a version; an error when it is not what the manifest says.
    ///
    /// # Errors
    /// The store's, or a file that was changed.
    pub async fn rows(&self, manifest: &Manifest, file: &str) -> Result<Vec<Row>, ShelfError> {
        let Some(said) = manifest.file(file) else { return Ok(Vec::new()) };
        let object = place(&manifest.name, manifest.version, file);
        let bytes = self.file(manifest, said).await?;
        let rows = parse(&bytes).map_err(|why| ShelfError::Odd { name: object.clone(), why })?;
        if rows.len() as u64 != said.rows {
            let why = format!("it has {} rows, and its manifest says {}", rows.len(), said.rows);
            return Err(ShelfError::Odd { name: object, why });
        }
        Ok(rows)
    }

    /// The bytes of one file of a version, checked.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn file(&self, manifest: &Manifest, said: &File) -> Result<Bytes, ShelfError> {
        let object = place(&manifest.name, manifest.version, &said.name);
        let odd = |why: String| ShelfError::Odd { name: object.clone(), why };
        let read = self.objects.get(&object, FILE_BYTES).await?;
        let bytes = read.ok_or_else(|| odd("its manifest names it, and it is not there".to_owned()))?;
        let sha256 = hex(&bytes);
        if sha256 != said.sha256 {
            return Err(odd(format!("its SHA-256 is {sha256}, and its manifest says {}", said.sha256)));
        }
        Ok(bytes)
    }

    /// All objects of a version as they are, checked, by their names: manifest, files, and the signature where it is frozen.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn copies(&self, name: &Name, version: Version) -> Result<Vec<(String, Bytes)>, ShelfError> {
        let (manifest, _) = self.manifest(name, version).await?;
        let mut copies = Vec::new();
        for file in &manifest.files {
            copies.push((file.name.clone(), self.file(&manifest, file).await?));
        }
        for object in [MANIFEST, FROZEN] {
            if let Some(bytes) = self.objects.get(&place(name, version, object), MANIFEST_BYTES).await? {
                copies.push((object.to_owned(), bytes));
            }
        }
        Ok(copies)
    }

    /// What earlier versions of a set hold, and the rows that were let out of quarantine for them.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn past(&self, versions: &[Listed]) -> Result<(Past, Vec<RowId>), ShelfError> {
        let (mut past, mut accepted) = (Past::default(), Vec::new());
        let mut seen = std::collections::HashSet::new();
        for Listed { manifest, .. } in versions {
            accepted.clone_from(&manifest.accepted);
            for (file, is_eval) in [(TRAIN, false), (EVAL, true)] {
                for row in self.rows(manifest, file).await? {
                    if seen.insert((is_eval, Sha256::digest(row.essence()))) {
                        if is_eval { &mut past.eval } else { &mut past.train }.push(row);
                    }
                }
            }
        }
        Ok((past, accepted))
    }

    /// Writes a version, its manifest last. `None`: its rows are those of the latest one already.
    ///
    /// # Errors
    /// The store's; somebody wrote the same version.
    pub async fn put(
        &self,
        of: &Describe<'_>,
        built: &Built,
        versions: &[Listed],
    ) -> Result<Option<Manifest>, ShelfError> {
        let (manifest, files) = of.describe(built, versions)?;
        let same =
            |other: &Manifest| [TRAIN, EVAL, QUARANTINE].iter().all(|name| other.file(name) == manifest.file(name));
        if versions.last().is_some_and(|latest| same(&latest.manifest)) {
            return Ok(None);
        }
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| ShelfError::Place(error.to_string()))?;
        for (name, bytes) in files.into_iter().chain([(MANIFEST, text.into())]) {
            if !self.objects.keep(&place(&manifest.name, manifest.version, name), bytes).await? {
                return Err(ShelfError::Taken(manifest.name, manifest.version));
            }
        }
        Ok(Some(manifest))
    }

    /// Signs a version: from now on it judges models.
    ///
    /// # Errors
    /// The store's; a version that is not whole.
    pub(crate) async fn freeze(
        &self,
        name: &Name,
        version: Version,
        key: &SigningKey,
        now: Timestamp,
    ) -> Result<Frozen, ShelfError> {
        let (manifest, manifest_sha256) = self.whole(name, version).await?;
        let frozen = Frozen { name: manifest.name, version, manifest_sha256, frozen_at: now };
        let bytes = envelope::sign(FROZEN_TYPE, &frozen, key).map_err(|error| ShelfError::Place(error.to_string()))?;
        self.objects.put(&place(name, version, FROZEN), bytes.into()).await?;
        Ok(frozen)
    }

    /// What a frozen version's signature says; an error unless one of these keys signed it and the manifest is the one that it names.
    /// `None`: it is not frozen.
    ///
    /// # Errors
    /// As above, and the store's.
    pub async fn frozen(
        &self,
        name: &Name,
        version: Version,
        trusted: &[PublicKey],
    ) -> Result<Option<Frozen>, ShelfError> {
        let object = place(name, version, FROZEN);
        let Some(bytes) = self.objects.get(&object, MANIFEST_BYTES).await? else { return Ok(None) };
        let frozen: Frozen =
            envelope::open(FROZEN_TYPE, &bytes, trusted).map_err(|error| ShelfError::Signed(object.clone(), error))?;
        let (_, sha256) = self.manifest(name, version).await?;
        if (&frozen.name, frozen.version, &frozen.manifest_sha256) != (name, version, &sha256) {
            let why = format!(
                "what was signed is {} {}, {}; the manifest is {sha256}",
                frozen.name, frozen.version, frozen.manifest_sha256
            );
            return Err(ShelfError::Odd { name: object, why });
        }
        Ok(Some(frozen))
    }

    /// Reads a version's files and holds them against its manifest.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn whole(&self, name: &Name, version: Version) -> Result<(Manifest, String), ShelfError> {
        let (manifest, sha256) = self.manifest(name, version).await?;
        for file in &manifest.files {
            self.rows(&manifest, &file.name).await?;
        }
        Ok((manifest, sha256))
    }

    /// Removes a version: its manifest first, so that nobody reads half of it.
    ///
    /// # Errors
    /// The store's; there is none; it is frozen.
    pub async fn remove(&self, name: &Name, version: Version, even_frozen: bool) -> Result<(), ShelfError> {
        let under = place(name, version, "");
        let objects = self.objects.list(under.trim_end_matches('/')).await?;
        if objects.is_empty() {
            return Err(ShelfError::None(format!("{name} {version}")));
        }
        if !even_frozen && objects.contains(&place(name, version, FROZEN)) {
            return Err(ShelfError::Frozen(format!("{name} {version}")));
        }
        let manifest = place(name, version, MANIFEST);
        let (first, rest): (Vec<_>, Vec<_>) = objects.iter().partition(|object| **object == manifest);
        for object in first.into_iter().chain(rest) {
            self.objects.delete(object).await?;
        }
        Ok(())
    }
}

/// The files of a version, by their names.
pub type Files = Vec<(&'static str, Bytes)>;

/// What a version is to say of itself, besides what follows from its rows.
#[derive(Debug)]
pub struct Describe<'a> {
    /// The set.
    pub name: &'a Name,
    /// By what it was made.
    pub terms: Terms,
    /// Of which exchanges.
    pub window: Window,
    /// Rows that somebody let out of quarantine.
    pub accepted: Vec<RowId>,
    /// When.
    pub now: Timestamp,
}

impl Describe<'_> {
    /// The manifest that a set will have, and its files.
    ///
    /// # Errors
    /// Rows that JSON cannot hold.
    pub fn describe(&self, built: &Built, versions: &[Listed]) -> Result<(Manifest, Files), ShelfError> {
        let day = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let mut files = Vec::new();
        let mut told = Vec::new();
        for (name, rows) in [(TRAIN, &built.train), (EVAL, &built.eval), (QUARANTINE, &built.quarantine)] {
            let bytes = pack(rows).map_err(|error| ShelfError::Place(error.to_string()))?;
            let mut labels: BTreeMap<String, u64> = BTreeMap::new();
            rows.iter().for_each(|row| *labels.entry(row.label.name().to_owned()).or_default() += 1);
            told.push(File {
                name: name.to_owned(),
                sha256: hex(&bytes),
                bytes: bytes.len() as u64,
                rows: rows.len() as u64,
                labels,
            });
            files.push((name, bytes));
        }
        let manifest = Manifest {
            format: FORMAT,
            name: self.name.clone(),
            version: next(day, versions),
            built_at: self.now,
            portcullis: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.window.since,
            until: self.window.until,
            terms: self.terms.clone(),
            files: told,
            tenants: built.tenants.clone(),
            dropped: built.dropped.clone(),
            quarantined: built.quarantined.clone(),
            accepted: self.accepted.clone(),
        };
        Ok((manifest, files))
    }
}

/// The version after these, on a day; versions go up even where a clock went back.
fn next(day: Date, versions: &[Listed]) -> Version {
    match versions.last().map(|latest| latest.manifest.version) {
        Some(last) if last.day >= day => Version { day: last.day, number: last.number.saturating_add(1) },
        _ => Version { day, number: 1 },
    }
}

fn place(name: &Name, version: Version, file: &str) -> String {
    format!("{name}/{version}/{file}")
}

/// Of which version an object is the file of that name.
fn place_of(object: &str, file: &str) -> Option<(Name, Version)> {
    let (name, rest) = object.split_once('/')?;
    let (version, last) = rest.split_once('/')?;
    (last == file).then_some(())?;
    Some((name.parse().ok()?, version.parse().ok()?))
}

/// Rows as gzipped JSON lines. The same rows give the same bytes: no time, no name in the header.
fn pack(rows: &[Row]) -> std::io::Result<Bytes> {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    for row in rows {
        serde_json::to_writer(&mut gzip, row)?;
        gzip.write_all(b"\n")?;
    }
    Ok(gzip.finish()?.into())
}

fn parse(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let mut text = String::new();
    // As much as this version would write, with room for escapes: a small file can hold very much.
    let limit = 4 * TEXTS_MAX as u64;
    let read = GzDecoder::new(bytes).take(limit + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > limit {
        return Err(format!("it holds more than {limit} bytes"));
    }
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if rows.len() == ROWS_MAX {
            return Err(format!("it has more than {ROWS_MAX} rows"));
        }
        rows.push(serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?);
    }
    Ok(rows)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

const MANIFEST: &str = "manifest.json";
const FROZEN: &str = "frozen.json";
/// What `frozen.json` is.
const FROZEN_TYPE: &str = "application/vnd.portcullis.dataset-frozen+json";
/// Bytes of a manifest at most.
const MANIFEST_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of a file at most.
const FILE_BYTES: u64 = 512 * 1024 * 1024;
