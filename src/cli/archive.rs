//! `portcullis audit archive`: what retention kept elsewhere.

use serde::Serialize;

use super::audit::RecordArg;
use super::{Failure, block_on, out};
use crate::audit::{Archive, AuditReader, Manifest, Tombstone};

/// One part of one day, as it is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    place: &'a str,
    part: &'static str,
    day: jiff::civil::Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    files: usize,
    rows: u64,
    bytes: u64,
    complete: bool,
    /// Whether the tombstone in the record names this manifest: `agrees`, `differs`, or `none`: there is none, or not any more.
    tombstone: &'static str,
    /// With `--verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Lists archives; `verify` reads all of them back.
pub(super) fn run(verify: bool, record: &RecordArg) -> Result<u8, Failure> {
    let mut is_well = true;
    let mut has_one = false;
    for config in record.all()? {
        let Some(archive) = &config.archive else { continue };
        has_one = true;
        let work = async {
            let archive = Archive::open(archive, "").map_err(Failure::job)?;
            let manifests = archive.manifests().await.map_err(Failure::job)?;
            let mut reader = AuditReader::open(&config).await.map_err(Failure::job)?;
            let tombstones = reader.tombstones().await.map_err(Failure::job)?;
            for (manifest, sha256) in &manifests {
                let error = if verify { archive.verify(manifest).await.err() } else { None };
                let line = Told {
                    place: archive.place(),
                    part: manifest.part.name(),
                    day: manifest.day,
                    class: manifest.class.as_deref(),
                    files: manifest.files.len(),
                    rows: manifest.rows(),
                    bytes: manifest.files.iter().map(|file| file.bytes).sum(),
                    complete: manifest.complete,
                    tombstone: told(manifest, sha256, &tombstones),
                    verified: verify.then_some(error.is_none()),
                    error: error.map(|error| error.to_string()),
                };
                is_well &= line.error.is_none() && line.tombstone != "differs";
                out::json_line(&line)?;
            }
            Ok::<_, Failure>(())
        };
        block_on(work)??;
    }
    if !has_one {
        return Err(Failure::usage("there is no archive: name one as `audit.archive`"));
    }
    Ok(u8::from(!is_well))
}

/// What the record says of a manifest.
fn told(manifest: &Manifest, sha256: &str, tombstones: &[Tombstone]) -> &'static str {
    let of = |tombstone: &&Tombstone| {
        (tombstone.part, tombstone.day, &tombstone.class) == (manifest.part, manifest.day, &manifest.class)
    };
    // After a crash there may be one of before.
    match tombstones.iter().filter(of).filter_map(|tombstone| tombstone.archived.as_ref()).next_back() {
        Some(archived) if archived.sha256 == sha256 => "agrees",
        Some(_) => "differs",
        None => "none",
    }
}
