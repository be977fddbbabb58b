//! The archive: what retention gives up is in an object store first, can be read by everybody's tools, and agrees with the record.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::fs;
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use portcullis::audit::{
    Archive, Audit, AuditConfig, AuditReader, Begin, Classes, IncidentFilter, Keep, Outcome, Pace, Part, PassageText,
    Retention, Step,
};
use portcullis::base::{ExchangeId, Secret};
use portcullis::egress::{ObjectsConfig, Place, Reach};
use portcullis::text::Role;
use portcullis::verdict::Action;
use serde_json::Value;
use support::appliance::Settings;
use support::audit::{PATIENCE, Time, begin, end, postgres, sqlite, verify};
use support::postgres::Cluster;
use support::receiver::{S3, python};
use uuid::{NoContext, Timestamp as UuidTimestamp, Uuid};

const FIRST: Date = date(2026, 3, 1);
/// Days that are kept.
const KEPT: u32 = 3;

fn retention() -> Retention {
    let keep = Keep { events: Some(KEPT), review: Some(KEPT), texts: Some(KEPT) };
    Retention { keep: ["standard", "system"].map(|class| (class.to_owned(), keep)).into(), classes: Classes::default() }
}

fn folder(path: &Path) -> ObjectsConfig {
    ObjectsConfig { place: Place::Folder(path.to_owned()), reach: Reach::Written, ca_file: None }
}

/// Days of 5 exchanges each, the first `count` from [`FIRST`] on.
async fn days(audit: &Audit, time: &Time, count: i32) {
    for day in 0..count {
        time.set_noon(FIRST.checked_add(day.days()).unwrap());
        for _ in 0..5 {
            let now = time.now();
            let seconds = u64::try_from(now.as_second()).unwrap();
            let id = ExchangeId::from(Uuid::new_v7(UuidTimestamp::from_unix(NoContext, seconds, 0)));
            let text =
                PassageText { role: Role::User, place: "/messages/0/content".into(), text: "the-secret-plan".into() };
            let mut slot = audit.reserve().unwrap();
            let prompt_text = Some(vec![text].into());
            slot.begin(Begin { at: now, prompt_text, ..begin(id, Action::Flag) }).await.unwrap();
            slot.end(portcullis::audit::End { at: now, ..end(Outcome::Completed) });
        }
        assert!(audit.flush(PATIENCE).await);
    }
}

/// Every manifest verifies and is the one that the record names.
async fn check(config: &AuditConfig, parts: usize) {
    let archive = Archive::open(config.archive.as_ref().unwrap(), "").unwrap();
    let manifests = archive.manifests().await.unwrap();
    assert_eq!(manifests.len(), parts, "{manifests:?}");
    let tombstones = AuditReader::open(config).await.unwrap().tombstones().await.unwrap();
    for (manifest, sha256) in &manifests {
        archive.verify(manifest).await.unwrap();
        let named = tombstones.iter().filter_map(|tombstone| tombstone.archived.as_ref());
        // A tombstone itself may have been given up since.
        let named: Vec<_> = named.filter(|archived| archived.manifest == manifest.name()).collect();
        assert!(named.iter().all(|archived| archived.sha256 == *sha256 && archived.rows == manifest.rows()));
        assert!(!named.is_empty() || manifest.day < FIRST.checked_add(4.days()).unwrap(), "{manifest:?}");
    }
    let reports = verify(config).await;
    assert_eq!(reports[0].broken, None, "the record stays whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_in_the_folder_and_duckdb_and_pandas_read_it() {
    let (state, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let time = Time::at_noon(FIRST);
    let config = AuditConfig {
        clock: time.clock(),
        retention: retention(),
        archive: Some(folder(&place.path().join("archive"))),
        ..sqlite(state.path())
    };
    let audit = Audit::open(config.clone()).await.unwrap();
    days(&audit, &time, 8).await;
    // 8 days, of which the last and 3 before it are kept: 4 go.
    let given_up = audit.retain(Pace::All).await.unwrap();
    assert_eq!(given_up.iter().filter(|one| one.part == Part::Review).count(), 4, "{given_up:?}");
    assert!(audit.close(PATIENCE).await);
    // Of each of 4 days: records of two classes (of the first day one: nothing was sealed yet), rows for review, and the chain.
    check(&config, 4 * 4 - 1).await;

    let archive = place.path().join("archive");
    let read = python("parquet.py").arg(&archive).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "{out}{err}");
    let read: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((read["days"].as_u64(), read["exchanges"].as_u64()), (Some(4), Some(20)), "{read:#}");
    assert!(read["events"].as_u64().unwrap() > 40, "two of each exchange, and checkpoints");
    assert_eq!(read["newest"].as_str().unwrap()[..10], *"2026-03-04");
    assert_eq!(read["findings"], serde_json::json!({ "INJ-001": 20, "injection": 20 }));
    assert_eq!(read["tenants"], serde_json::json!(["acme"]));
    assert_eq!(read["tokens"], 200);
    assert_eq!(read["types"]["day"], "DATE");
    assert_eq!(read["types"]["at"], "TIMESTAMP WITH TIME ZONE");
    assert!(read["started"].as_str().unwrap().starts_with("datetime64"), "{read:#}");
    assert!(read["latency"]["parse"].is_u64() || read["latency"]["total"].is_u64(), "{read:#}");
    // Texts are destroyed, and kept nowhere.
    assert!(!archive.join("passage_text").exists());

    // A manifest that was changed is not the one that the record names.
    let manifest = archive.join("manifests/2026-03-04/review-standard.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"format\": 1", "\"format\":  1")).unwrap();
    let opened = Archive::open(config.archive.as_ref().unwrap(), "").unwrap();
    let manifests = opened.manifests().await.unwrap();
    let (changed, sha256) =
        manifests.iter().find(|(manifest, _)| manifest.name().ends_with("03-04/review-standard.json")).unwrap();
    let tombstones = AuditReader::open(&config).await.unwrap().tombstones().await.unwrap();
    let named = tombstones.iter().filter_map(|one| one.archived.as_ref()).find(|one| one.manifest == changed.name());
    assert_ne!(named.unwrap().sha256, *sha256);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_while_the_object_store_is_away_and_everything_once_it_is_back() {
    let (cluster, state) = (Cluster::start(), tempfile::tempdir().unwrap());
    let server = S3::start("audit");
    let time = Time::at_noon(FIRST);
    let s3 = |port: u16, secret: &str| ObjectsConfig {
        place: Place::S3 {
            bucket: "audit".into(),
            prefix: "box-1/record".into(),
            endpoint: Some(format!("http://127.0.0.1:{port}").parse().unwrap()),
            region: "us-east-1".into(),
            key: (Secret::new(server.id.clone()), Secret::new(secret.into())),
        },
        reach: Reach::Written,
        ca_file: None,
    };
    let config = AuditConfig {
        clock: time.clock(),
        retention: retention(),
        ..postgres(state.path(), cluster.database("audit").await)
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let audit = Audit::open(AuditConfig { archive: Some(s3(closed, "x")), ..config.clone() }).await.unwrap();
    days(&audit, &time, 6).await;
    let mut reader = AuditReader::open(&config).await.unwrap();
    let page = reader.incidents(&IncidentFilter::default(), (None, 1), false).await.unwrap();
    let id = page.incidents[0]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(reader.review(id, true, &Step::Assignee(Some("ann".into())), ("ann", None)).await.unwrap(), 30);
    let error = audit.retain(Pace::All).await.unwrap_err().to_string();
    assert!(error.contains("s3://audit/box-1/record"), "{error}");
    assert!(audit.close(PATIENCE).await);

    // A key that is not the right one is told, and not shown.
    let audit =
        Audit::open(AuditConfig { archive: Some(s3(server.port, "hush-hush")), ..config.clone() }).await.unwrap();
    let error = audit.retain(Pace::All).await.unwrap_err().to_string();
    assert!(error.contains("SignatureDoesNotMatch") && !error.contains("hush-hush"), "{error}");
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM exchange").await, 30, "nothing is gone");
    assert!(audit.close(PATIENCE).await);

    let config = AuditConfig { archive: Some(s3(server.port, &server.secret)), ..config };
    let audit = Audit::open(config.clone()).await.unwrap();
    audit.retain(Pace::All).await.unwrap();
    assert!(audit.close(PATIENCE).await);
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM exchange").await, 20, "two days are gone");
    check(&config, 2 * 4).await;
    let archive = Archive::open(config.archive.as_ref().unwrap(), "").unwrap();
    let (manifest, _) =
        archive.manifests().await.unwrap().into_iter().find(|(one, _)| one.part == Part::Review).unwrap();
    assert_eq!(
        manifest.files.iter().map(|file| file.rows).collect::<Vec<_>>(),
        [5, 10, 10, 5, 5],
        "what reviewers said too"
    );
    assert_eq!(manifest.files[0].name, "exchange/2026-03-01/standard/part-00000.parquet");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tells_what_is_there_and_whether_the_record_agrees() {
    let appliance = Settings::for_upstream("127.0.0.1:1".parse().unwrap())
        .with("  retention:", "  archive: { url: archive }\n  retention:")
        .prepare();
    let time = Time::at_noon(FIRST);
    let config = AuditConfig {
        clock: time.clock(),
        retention: retention(),
        archive: Some(folder(&appliance.folder().join("archive"))),
        ..sqlite(&appliance.state())
    };
    fs::create_dir(appliance.state()).unwrap();
    let audit = Audit::open(config.clone()).await.unwrap();
    days(&audit, &time, 6).await;
    audit.retain(Pace::All).await.unwrap();
    assert!(audit.close(PATIENCE).await);
    let told = |arguments: &[&str]| -> Vec<Value> {
        appliance.ask(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let lines = told(&["audit", "archive", "--verify"]);
    assert_eq!(lines.len(), 7);
    assert!(lines.iter().all(|line| line["verified"] == true && line["complete"] == true), "{lines:?}");
    assert!(lines.iter().any(|line| line["tombstone"] == "agrees" && line["part"] == "review" && line["rows"] == 30));
    assert!(told(&["audit", "archive"]).iter().all(|line| line["verified"].is_null()));

    // A file that was changed, and a manifest that was.
    let file = appliance.folder().join("archive/finding/2026-03-02/standard/part-00000.parquet");
    fs::write(&file, "nothing").unwrap();
    let manifest = appliance.folder().join("archive/manifests/2026-03-02/events-standard.json");
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + "\n").unwrap();
    let checked = appliance.command(&["audit", "archive", "--verify"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(
        said.contains("its bytes are not those that were written") && said.contains("\"tombstone\":\"differs\""),
        "{said}"
    );
}

#[test]
fn archives_that_cannot_be_are_refused_with_what_to_write() {
    for (archive, expected) in [
        ("{ url: 's3://audit/x' }", "s3:// needs a key"),
        (
            "{ url: 's3://audit/x', access_key: { env: KEY }, secret_key: { env: KEY } }",
            "Amazon's buckets are in a region",
        ),
        ("{ url: 's3://audit', access_key: { env: NONE }, secret_key: { env: KEY } }", "is not set"),
        ("{ url: 's3://audit', access_key: hush-hush, secret_key: { env: KEY } }", "access_key"),
        ("{ url: 'gs://audit' }", "needs a service account"),
        ("{ url: 'azure://audit' }", "is no place that objects can be put"),
        ("{ url: 's3://AUDIT' }", "is no place that objects can be put"),
        ("{ url: 'x', endpoint: 'minio.example' }", "is no server's address"),
        ("{ url: 'x', bucket: audit }", "bucket"),
        ("{ }", "url"),
    ] {
        let appliance = Settings::for_upstream("127.0.0.1:1".parse().unwrap())
            .rules_only()
            .with("  retention:", &format!("  archive: {archive}\n  retention:"))
            .variable("KEY", "hush-hush")
            .prepare();
        let checked = appliance.command(&["check"]).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
        assert!(!checked.status.success() && said.contains(expected), "{archive}: {said}");
        assert!(!said.replace("access_key: hush-hush", "").contains("hush-hush"), "{said}");
    }
    let appliance = Settings::for_upstream("127.0.0.1:1".parse().unwrap()).prepare();
    let none = appliance.command(&["audit", "archive"]).output().unwrap();
    assert!(String::from_utf8_lossy(&none.stderr).contains("name one as `audit.archive`"), "{none:?}");
}
