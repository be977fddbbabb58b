//! The archive: what retention gives up is kept as Parquet in an object store, and read back whole before anything is dropped.
//!
//! ```text
//! Retainer::give_up ─► Archive::keep: page by page ─► TABLE/DAY/CLASS/part-N.parquet, then the manifest ─► all of it read back
//!                                                                                                           │
//!                      tombstone with the manifest's hash, seal, drop ◄─────────────────────────────────────┘
//! ```
//!
//! A crash anywhere leaves a manifest that says what is there; the next run goes on after it. What does not read back as it was is
//! written anew, and nothing is dropped until it does.

mod manifest;
mod parquet;

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::parquet::Row;
use super::error::AuditError;
use super::proof::merkle::Frontier;
use super::proof::{Gone, Part};
use super::record::Hash;
use super::rows::hex;
use super::store::tables::{self, Table};
use super::store::{Held, Store};
use crate::egress::{Objects, ObjectsConfig, ObjectsError};

pub use manifest::{ArchivedFile, Manifest};

/// What a tombstone says of an archive.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Archived {
    /// Where: for people.
    pub place: String,
    /// The manifest's name there.
    pub manifest: String,
    /// The manifest's SHA-256, in hex.
    pub sha256: String,
    /// Rows of all its files.
    pub rows: u64,
}

/// An archive.
#[derive(Debug)]
pub struct Archive {
    objects: Objects,
    node: String,
    rows_in_file: usize,
}

impl Archive {
    /// Opens it; nothing is connected yet. `node`: who writes.
    ///
    /// # Errors
    /// What of the configuration cannot be used.
    pub fn open(config: &ObjectsConfig, node: &str) -> Result<Self, AuditError> {
        let objects = Objects::open(config).map_err(AuditError::Archive)?;
        Ok(Self { objects, node: node.to_owned(), rows_in_file: ROWS_IN_FILE })
    }

    /// Keeps what is about to be given up. `chains`: the records of it, as the store has them now. Returns when all of it was read
    /// back; `None`: of this part nothing is archived.
    pub(crate) async fn keep(
        &self,
        store: &mut Store,
        held: &Held,
        chains: &[Gone],
    ) -> Result<Option<Archived>, AuditError> {
        if tables::of(held.part).next().is_none() {
            return Ok(None);
        }
        let mut manifest = match self.found(held).await? {
            Some(found) if found.chains == chains => found,
            _ => self.begun(held, chains),
        };
        if !manifest.complete {
            self.write(store, held, &mut manifest).await?;
            manifest.complete = true;
            self.put(&mut manifest).await?;
        }
        if let Err(error) = self.verify(&manifest).await {
            // Whoever changed it: the next run begins anew.
            let mut anew = self.begun(held, chains);
            self.put(&mut anew).await?;
            return Err(error);
        }
        let written = self.bytes(&manifest)?;
        Ok(Some(Archived {
            place: self.objects.place().to_owned(),
            manifest: manifest.name(),
            sha256: hex(&Sha256::digest(&written)),
            rows: manifest.rows(),
        }))
    }

    /// All manifests, each with its SHA-256 in hex, oldest day first.
    ///
    /// # Errors
    /// The store's, or a manifest that is none.
    pub async fn manifests(&self) -> Result<Vec<(Manifest, String)>, AuditError> {
        let mut manifests = Vec::new();
        for name in self.objects.list(manifest::FOLDER).await.map_err(failed)? {
            manifests.extend(self.manifest(&name).await?);
        }
        Ok(manifests)
    }

    /// Where it is, for people.
    pub fn place(&self) -> &str {
        self.objects.place()
    }

    /// Reads everything back that a manifest names: the files' bytes, their rows, and of records the hashes and the Merkle roots.
    ///
    /// # Errors
    /// The first thing that is not as it was, or the store's.
    pub async fn verify(&self, manifest: &Manifest) -> Result<(), AuditError> {
        let mut chains: BTreeMap<String, (Gone, Frontier)> = BTreeMap::new();
        let differs = |name: &str, why: &str| AuditError::Archive(format!("{}, {name}: {why}", self.objects.place()));
        if !manifest.complete {
            return Err(differs(&manifest.name(), "it is not complete"));
        }
        for file in &manifest.files {
            let table = Table::named(&file.table).ok_or_else(|| differs(&file.name, "its table is none of ours"))?;
            let content = self.objects.get(&file.name, FILE_BYTES_MAX).await.map_err(failed)?;
            let content = content.ok_or_else(|| differs(&file.name, "it is not there"))?;
            if hex(&Sha256::digest(&content)) != file.sha256 {
                return Err(differs(&file.name, "its bytes are not those that were written"));
            }
            let rows = blocking(move || parquet::read(table, content)).await?;
            let rows = rows.map_err(|error| differs(&file.name, &error.to_string()))?;
            if rows.len() as u64 != file.rows || digest(&rows) != file.rows_sha256 {
                return Err(differs(&file.name, "its rows are not those that the store had"));
            }
            for row in &rows {
                add(&mut chains, manifest.part, row).map_err(|why| differs(&file.name, &why))?;
            }
        }
        let found: Vec<Gone> = chains.into_values().map(|(gone, tree)| Gone { root: tree.root(), ..gone }).collect();
        let mut told = manifest.chains.clone();
        told.sort_by(|one, other| one.node.cmp(&other.node));
        if matches!(manifest.part, Part::Events | Part::Chain) && found != told {
            return Err(differs(&manifest.name(), "the records in its files are not those that it names"));
        }
        Ok(())
    }

    async fn write(&self, store: &mut Store, held: &Held, manifest: &mut Manifest) -> Result<(), AuditError> {
        for table in tables::of(held.part) {
            let mut after = manifest.files.iter().rfind(|file| file.table == table.name).map(|file| file.last.clone());
            let mut number = manifest.files.iter().filter(|file| file.table == table.name).count();
            loop {
                let (rows, last) = self.rows(store, table, held, after.take()).await?;
                let Some(last) = last else { break };
                let (rows_sha256, count) = (digest(&rows), rows.len() as u64);
                let content = blocking(move || parquet::write(table, &rows)).await?;
                let content = content.map_err(|error| AuditError::Archive(error.to_string()))?;
                let class = held.class_name();
                let name = format!("{}/{}/{class}/part-{number:05}.parquet", table.name, held.day);
                let (bytes, sha256) = (content.len() as u64, hex(&Sha256::digest(&content)));
                self.objects.put(&name, content.into()).await.map_err(failed)?;
                manifest.files.push(ArchivedFile {
                    table: table.name.to_owned(),
                    name,
                    rows: count,
                    bytes,
                    sha256,
                    rows_sha256,
                    last: last.clone(),
                });
                self.put(manifest).await?;
                (after, number) = (Some(last), number + 1);
            }
        }
        Ok(())
    }

    /// The rows of the next file, and the key of the last one; none: there are no more.
    async fn rows(
        &self,
        store: &mut Store,
        table: &Table,
        held: &Held,
        mut after: Option<String>,
    ) -> Result<(Vec<Row>, Option<String>), AuditError> {
        let (mut rows, mut bytes, mut last) = (Vec::new(), 0, None);
        while rows.len() < self.rows_in_file && bytes < BYTES_IN_FILE {
            let page = store.page(table, held, after.as_deref()).await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                bytes += row.len();
                let row: serde_json::Value = serde_json::from_str(&row)
                    .map_err(|error| AuditError::Store(format!("a row of {} is odd: {error}", table.name)))?;
                last = Some(table.key_of(&row));
                rows.push(table.plain(&row));
            }
            after = last.clone();
        }
        Ok((rows, last))
    }

    fn begun(&self, held: &Held, chains: &[Gone]) -> Manifest {
        Manifest {
            format: manifest::FORMAT,
            part: held.part,
            day: held.day,
            class: held.class.clone(),
            node: self.node.clone(),
            at: Timestamp::now(),
            complete: false,
            files: Vec::new(),
            chains: chains.to_vec(),
        }
    }

    async fn found(&self, held: &Held) -> Result<Option<Manifest>, AuditError> {
        let (part, day, class): (Part, Date, Option<&str>) = (held.part, held.day, held.class.as_deref());
        match self.manifest(&manifest::name(part, day, class)).await {
            // One that cannot be read is written anew: what it named is still in the store.
            Err(AuditError::Archive(why)) if why.contains(NO_MANIFEST) => {
                tracing::warn!(%why, "the archive's manifest is written anew");
                Ok(None)
            }
            found => found.map(|found| found.map(|(manifest, _)| manifest)),
        }
    }

    async fn manifest(&self, name: &str) -> Result<Option<(Manifest, String)>, AuditError> {
        let Some(content) = self.objects.get(name, MANIFEST_BYTES_MAX).await.map_err(failed)? else { return Ok(None) };
        let odd = |why: String| AuditError::Archive(format!("{}, {name}: {NO_MANIFEST} ({why})", self.objects.place()));
        let manifest: Manifest = serde_json::from_slice(&content).map_err(|error| odd(error.to_string()))?;
        if manifest.format != manifest::FORMAT || manifest.name() != name {
            return Err(odd("of another format, or of another day".to_owned()));
        }
        Ok(Some((manifest, hex(&Sha256::digest(&content)))))
    }

    async fn put(&self, manifest: &mut Manifest) -> Result<(), AuditError> {
        manifest.at = Timestamp::now();
        self.objects.put(&manifest.name(), self.bytes(manifest)?).await.map_err(failed)
    }

    fn bytes(&self, manifest: &Manifest) -> Result<Bytes, AuditError> {
        let mut bytes = serde_json::to_vec_pretty(manifest)
            .map_err(|error| AuditError::Archive(format!("{}: {error}", manifest.name())))?;
        bytes.push(b'\n');
        Ok(bytes.into())
    }
}

/// Adds a record to the chains that are found; rows of other tables are passed over. A body must have the hash that is beside it.
fn add(chains: &mut BTreeMap<String, (Gone, Frontier)>, part: Part, row: &Row) -> Result<(), String> {
    if !matches!(part, Part::Events | Part::Chain) {
        return Ok(());
    }
    let text = |name: &str| row.get(name).and_then(serde_json::Value::as_str).ok_or(format!("a record has no {name}"));
    let hash = |name: &str| Hash::parse(text(name)?).ok_or(format!("a record's {name} is none"));
    let seq = row.get("seq").and_then(serde_json::Value::as_u64).ok_or("a record has no number")?;
    let (node, own) = (text("node")?, hash("hash")?);
    if part == Part::Events && Hash::of(hash("prev_hash")?, text("body")?.as_bytes()) != own {
        return Err(format!("record {seq} of {node} has not the hash that is beside it"));
    }
    let begun = || {
        (
            Gone { node: node.to_owned(), first_seq: seq, last_seq: seq, records: 0, root: Hash::ZERO, hash: own },
            Frontier::default(),
        )
    };
    let (gone, tree) = chains.entry(node.to_owned()).or_insert_with(begun);
    tree.push(own);
    (gone.last_seq, gone.records, gone.hash) = (seq, gone.records + 1, own);
    Ok(())
}

/// The SHA-256 of rows as lines of JSON, in hex.
fn digest(rows: &[Row]) -> String {
    let mut digest = Sha256::new();
    for row in rows {
        // A map of strings to values is always JSON.
        digest.update(serde_json::to_vec(row).unwrap_or_default());
        digest.update(b"\n");
    }
    hex(&digest.finalize())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AuditError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AuditError::Archive(format!("the work was cut short: {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: ObjectsError) -> AuditError {
    AuditError::Archive(error.to_string())
}

/// Rows of one file, about.
const ROWS_IN_FILE: usize = 50_000;
/// Bytes of the JSON of the rows of one file, about.
const BYTES_IN_FILE: usize = 64 * 1024 * 1024;
/// Bytes of a file that are read back: more than any of ours has.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of a manifest that are read.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Said of a manifest that cannot be read.
const NO_MANIFEST: &str = "it is no manifest of ours";

#[cfg(test)]
mod tests;
