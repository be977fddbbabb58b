//! The archive against a store of its own: what is kept, what goes on after a failure, and what is noticed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::audit::event::{End, Outcome};
use crate::audit::retain::chains;
use crate::audit::retention::Retention;
use crate::audit::spool::Fsync;
use crate::audit::store::StoreConfig;
use crate::audit::texts::TextKeyFiles;
use crate::audit::{Audit, AuditConfig, sample};
use crate::base::{Clock, Limits};
use crate::egress::{Place, Reach};

/// A store with the records of some exchanges of today, each with 3 findings.
async fn filled(folder: &Path, exchanges: usize) -> (Store, Vec<Held>) {
    let config = AuditConfig {
        state_dir: folder.to_owned(),
        elsewhere: None,
        node: Some("test".into()),
        region: "eu".into(),
        store: StoreConfig::Sqlite { path: folder.join("audit.db") },
        retention: Retention::default(),
        signing_key: None,
        text_keys: TextKeyFiles::default(),
        outputs: Vec::new(),
        archive: None,
        fsync: Fsync::Never,
        clock: Clock::default(),
        limits: Limits::default(),
    };
    let audit = Audit::open(config.clone()).await.unwrap();
    for _ in 0..exchanges {
        let mut slot = audit.reserve().unwrap();
        slot.begin(sample::begin(3)).await.unwrap();
        slot.end(End::new(Outcome::Completed));
    }
    assert!(audit.close(Duration::from_secs(60)).await);
    let mut store = Store::new(&config.store).unwrap();
    let held = store.held().await.unwrap();
    (store, held)
}

fn archive(folder: &Path) -> Archive {
    let config = ObjectsConfig { place: Place::Folder(folder.to_owned()), reach: Reach::Written, ca_file: None };
    Archive { rows_in_file: 1, ..Archive::open(&config, "test").unwrap() }
}

fn of(held: &[Held], part: Part) -> Held {
    let is_wanted = |one: &&Held| one.part == part && one.class.as_deref() != Some("system");
    held.iter().find(is_wanted).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_kept_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, held) = filled(folder.path(), 1500).await;
    let archive = archive(&folder.path().join("archive"));
    for (part, tables) in [
        (Part::Events, &[("audit_event", 3000)][..]),
        (Part::Review, &[("exchange", 1500), ("verdict", 1500), ("finding", 4500)]),
        (Part::Chain, &[("audit_chain", 3000)]),
    ] {
        let held = of(&held, part);
        let chains = chains(&mut store, &held).await.unwrap();
        let archived = archive.keep(&mut store, &held, &chains).await.unwrap().unwrap();
        let (manifest, sha256) = archive.manifest(&archived.manifest).await.unwrap().unwrap();
        assert_eq!(sha256, archived.sha256);
        for (table, rows) in tables {
            let files = manifest.files.iter().filter(|file| file.table == *table);
            let found: u64 = files.clone().map(|file| file.rows).sum();
            // The chain has the appliance's own records as well.
            assert!(if part == Part::Chain { found > *rows } else { found == *rows }, "{table}: {found}");
            assert!(*rows < 2000 || files.count() > 1, "{table}: several files");
        }
        assert!(matches!(part, Part::Review) || manifest.chains[0].records == manifest.rows());
        // Nothing changed: what is there is read back and taken as it is.
        assert_eq!(archive.keep(&mut store, &held, &chains).await.unwrap().unwrap(), archived);
    }
    let texts = Held { part: Part::Texts, ..of(&held, Part::Events) };
    assert_eq!(archive.keep(&mut store, &texts, &[]).await.unwrap(), None, "texts are destroyed, and kept nowhere");
    assert_eq!(archive.manifests().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_the_middle_goes_on_after_the_last_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, held) = filled(folder.path(), 700).await;
    let (held, place) = (of(&held, Part::Review), folder.path().join("archive"));
    let archive = archive(&place);
    // No object can lie under what is a file.
    fs::write(place.join("finding"), "").unwrap();
    let error = archive.keep(&mut store, &held, &[]).await.unwrap_err().to_string();
    assert!(error.contains("finding/"), "{error}");
    let (begun, _) = archive.manifests().await.unwrap().remove(0);
    assert!(!begun.complete && begun.files.iter().any(|file| file.table == "verdict"), "{begun:?}");
    assert!(archive.verify(&begun).await.is_err(), "what is not complete proves nothing");
    let first = place.join(&begun.files[0].name);
    let before = fs::metadata(&first).unwrap().modified().unwrap();
    fs::remove_file(place.join("finding")).unwrap();
    archive.keep(&mut store, &held, &[]).await.unwrap().unwrap();
    let (whole, _) = archive.manifests().await.unwrap().remove(0);
    assert!(whole.complete && whole.files.starts_with(&begun.files));
    assert_eq!(whole.rows(), 700 + 700 + 2100 + 700);
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), before, "what was there was not written again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_is_noticed_and_written_anew_before_anything_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, held) = filled(folder.path(), 20).await;
    let (held, place) = (of(&held, Part::Events), folder.path().join("archive"));
    let archive = archive(&place);
    let chains = chains(&mut store, &held).await.unwrap();
    let archived = archive.keep(&mut store, &held, &chains).await.unwrap().unwrap();
    let (manifest, _) = archive.manifests().await.unwrap().remove(0);
    let file = place.join(&manifest.files[0].name);
    let content = fs::read(&file).unwrap();
    let table = Table::named("audit_event").unwrap();
    let rows = parquet::read(table, content.clone().into()).unwrap();

    let mut flipped = content.clone();
    flipped[content.len() / 2] ^= 1;
    let fewer = parquet::write(table, &rows[1..]).unwrap();
    let mut changed = rows.clone();
    let of_demo = |row: &Row| row["body"].as_str().unwrap().contains("key:demo");
    let row = changed.iter_mut().find(|row| of_demo(row)).unwrap();
    let body = row["body"].as_str().unwrap().replace("key:demo", "key:evil");
    row.insert("body".to_owned(), body.into());
    let changed = parquet::write(table, &changed).unwrap();
    for (tampered, why) in [(&flipped, "its bytes"), (&fewer, "its bytes"), (&changed, "its bytes")] {
        fs::write(&file, tampered).unwrap();
        assert!(archive.verify(&manifest).await.unwrap_err().to_string().contains(why));
    }
    // Whoever makes the manifest fit as well is stopped by the hashes of the records.
    for (tampered, why) in [(&fewer, "are not those that it names"), (&changed, "has not the hash that is beside it")] {
        fs::write(&file, tampered).unwrap();
        let mut forged = manifest.clone();
        let rows = parquet::read(table, tampered.clone().into()).unwrap();
        forged.files[0].sha256 = hex(&Sha256::digest(tampered));
        (forged.files[0].rows, forged.files[0].rows_sha256) = (rows.len() as u64, digest(&rows));
        let error = archive.verify(&forged).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    fs::remove_file(&file).unwrap();
    assert!(archive.verify(&manifest).await.unwrap_err().to_string().contains("not there"));

    // An archive that does not read back is no reason to drop anything; the next run writes it anew.
    assert!(archive.keep(&mut store, &held, &chains).await.is_err());
    let anew = archive.keep(&mut store, &held, &chains).await.unwrap().unwrap();
    assert_eq!(anew.rows, archived.rows);
    let (manifest, _) = archive.manifests().await.unwrap().remove(0);
    archive.verify(&manifest).await.unwrap();

    // Nor is a manifest that cannot be read, or one of other records.
    fs::write(place.join(manifest.name()), "{").unwrap();
    archive.keep(&mut store, &held, &chains).await.unwrap().unwrap();
    let other = vec![Gone { records: chains[0].records - 1, ..chains[0].clone() }];
    assert!(archive.keep(&mut store, &held, &other).await.is_err(), "the store has not those records");
}
