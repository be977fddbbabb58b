//! Exported records: they verify anywhere, against keys and anchors, whole or in part.

use std::path::PathBuf;

use portcullis::audit::{Anchored, Event, Line, PublicKey, Wanted, verify_file};
use sha2::{Digest, Sha256};

use super::*;

/// The record as an export has it.
async fn exported(config: &AuditConfig) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut reader = AuditReader::open(config).await.unwrap();
    let each = |line: &Line| {
        lines.push(line.clone());
        Ok(())
    };
    assert_eq!(reader.export(&Wanted::default(), each).await.unwrap(), RECORDS);
    lines
}

fn write(folder: &Path, lines: &[Line]) -> PathBuf {
    let path = folder.join("record.jsonl");
    let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    fs::write(&path, text).unwrap();
    path
}

/// Computes the whole chain anew, as whoever can write everything but has no key would.
fn forge(lines: &mut [Line]) {
    let mut prev = "0".repeat(64);
    for line in lines {
        let event = line.event.as_mut().unwrap();
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&prev[2 * at..2 * at + 2], 16).unwrap()).collect();
        let hash: [u8; 32] = Sha256::new().chain_update(&bytes).chain_update(&event.body).finalize().into();
        event.prev_hash = prev;
        event.hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        prev = event.hash.clone();
        line.hash = Some(event.hash.clone());
    }
}

fn replace(line: &mut Line, from: &str, to: &str) {
    let event = line.event.as_mut().unwrap();
    assert!(event.body.contains(from), "{}", event.body);
    event.body = event.body.replace(from, to);
}

/// Every record that is no seal, numbered anew.
fn without_seals(lines: &[Line]) -> Vec<Line> {
    let mut kept: Vec<Line> =
        lines.iter().filter(|line| !line.event.as_ref().unwrap().body.contains("\"kind\":\"seal\"")).cloned().collect();
    for (index, line) in kept.iter_mut().enumerate() {
        let (old, new) = (line.seq, index as u64 + 1);
        line.seq = new;
        replace(line, &format!("\"seq\":{old},\"day\""), &format!("\"seq\":{new},\"day\""));
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_verifies_without_the_appliance_and_every_kind_of_tampering_is_named() {
    use BreakKind::{Changed, Missing, Reordered};
    let (folder, config) = sqlite_record().await;
    let lines = exported(&config).await;
    let evidence = evidence(&config);
    let file = write(folder.path(), &lines);
    let report = verify_file(&file, &evidence).unwrap();
    assert_eq!(
        (report.len(), report[0].records, report[0].sealed_seq, broken(&report)),
        (1, RECORDS, RECORDS - 1, None)
    );

    type Change = fn(&mut Vec<Line>);
    let cases: [(&str, Change, u64, BreakKind, &str); 11] = [
        ("changed", |lines| replace(&mut lines[2], "acme", "evil"), 3, Changed, "bytes"),
        ("missing", |lines| drop(lines.remove(5)), 7, Missing, "record 6 is missing"),
        ("cut off at the start", |lines| drop(lines.drain(..2)), 3, Missing, "records 1 to 2"),
        ("reordered", |lines| lines.swap(2, 3), 4, Missing, "record 3 is missing"),
        ("twice", |lines| lines.insert(3, lines[2].clone()), 3, Reordered, "twice"),
        ("without its body", |lines| lines[2].event = None, 3, Missing, "no tombstone"),
        ("stored under another day", |lines| lines[2].day = lines[14].day, 3, Changed, "`day`"),
        (
            "changed, and the chain computed anew",
            |lines| {
                replace(&mut lines[2], "key:demo", "key:evil");
                forge(lines);
            },
            5,
            Changed,
            "seal in record 5",
        ),
        (
            "a record taken out, and numbers and chain made anew",
            |lines| {
                lines.remove(2);
                for (index, line) in lines.iter_mut().enumerate().skip(2) {
                    line.seq = index as u64 + 1;
                    let (old, new) = (index + 2, index + 1);
                    replace(line, &format!("\"seq\":{old},\"day\""), &format!("\"seq\":{new},\"day\""));
                }
                forge(lines);
            },
            4,
            Changed,
            "seal in record 4",
        ),
        (
            "every seal taken out, and numbers and chain made anew",
            |lines| {
                *lines = without_seals(lines);
                forge(lines);
            },
            9,
            Missing,
            "without a seal",
        ),
        ("nothing left", Vec::clear, 0, Missing, ""),
    ];
    for (name, change, seq, kind, detail) in cases {
        let mut lines = lines.clone();
        change(&mut lines);
        let reports = verify_file(&write(folder.path(), &lines), &evidence).unwrap();
        if lines.is_empty() {
            assert!(reports.is_empty(), "an empty file is a record of nothing");
            continue;
        }
        let found = broken(&reports).unwrap_or_else(|| panic!("not noticed: {name}"));
        assert_eq!((found.0, found.1), (seq, kind), "{name}: {found:?}");
        assert!(found.2.contains(detail), "{name}: {}", found.2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_key_cannot_sign_and_who_has_the_key_is_held_by_the_anchor() {
    let (folder, config) = sqlite_record().await;
    let lines = exported(&config).await;
    let key = own_key(&config).unwrap().unwrap().key;
    // A whole other record of the same name, signed by a key of its own.
    let (_other, other) = sqlite_record().await;
    let foreign = Evidence { keys: vec![own_key(&other).unwrap().unwrap().key.into()], ..Evidence::default() };
    let file = write(folder.path(), &lines);
    let found = broken(&verify_file(&file, &foreign).unwrap()).unwrap();
    assert_eq!((found.0, found.1), (5, BreakKind::Unsigned), "{found:?}");
    // Either key: a key was changed at some time.
    let both = Evidence { keys: vec![foreign.keys[0].clone(), key.into()], ..Evidence::default() };
    assert_eq!(broken(&verify_file(&file, &both).unwrap()), None);

    // The notes, as an anchor keeps them.
    let node = lines[0].node.clone();
    let seals: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let body: serde_json::Value = serde_json::from_str(&line.event.as_ref().unwrap().body).unwrap();
            match serde_json::from_value(body["event"].clone()).unwrap() {
                Event::Seal(seal) => Some(seal.note(&node)),
                _ => None,
            }
        })
        .collect();
    let anchors = Anchored::parse_all(&seals.join("\n")).unwrap();
    assert_eq!(anchors.len(), 3);
    let newest = AuditReader::open(&config).await.unwrap().checkpoints().await.unwrap();
    assert_eq!(newest, seals[2..]);
    let anchored = Evidence { keys: vec![key.into()], anchors: anchors.clone(), ..Evidence::default() };
    assert_eq!(broken(&verify_file(&file, &anchored).unwrap()), None);
    assert_eq!(broken(&AuditReader::open(&config).await.unwrap().verify(&anchored).await.unwrap()), None);

    // The newest records are taken away whole: only the anchor knows.
    let shorter = write(folder.path(), &lines[..12]);
    let alone = Evidence { keys: vec![key.into()], ..Evidence::default() };
    assert_eq!(broken(&verify_file(&shorter, &alone).unwrap()), None);
    let found = broken(&verify_file(&shorter, &anchored).unwrap()).unwrap();
    assert_eq!((found.0, found.1), (14, BreakKind::Missing), "{found:?}");
    let found = broken(&verify_file(&write(folder.path(), &[]), &anchored).unwrap()).unwrap();
    assert_eq!(found.1, BreakKind::Missing, "{found:?}");

    // Who has the key writes and signs another record under the same name and number: only the anchor knows.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("audit")).unwrap();
    for file in ["audit/node", "audit/signing-key"] {
        fs::copy(folder.path().join(file), elsewhere.path().join(file)).unwrap();
    }
    let time = Time::at_noon("2026-11-23".parse().unwrap());
    let anew = AuditConfig { clock: time.clock(), ..sqlite(elsewhere.path()) };
    record(&anew, &time).await;
    let file = write(folder.path(), &exported(&anew).await);
    assert_eq!(broken(&verify_file(&file, &alone).unwrap()), None);
    let found = broken(&verify_file(&file, &anchored).unwrap()).unwrap();
    assert_eq!((found.0, found.1), (4, BreakKind::Changed), "{found:?}");
    assert!(found.2.contains("anchored"), "{}", found.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_record_verifies_as_a_part() {
    let (folder, config) = sqlite_record().await;
    let mut lines = Vec::new();
    let mut reader = AuditReader::open(&config).await.unwrap();
    let wanted = Wanted { since: Some("2026-11-24".parse().unwrap()), ..Wanted::default() };
    let each = |line: &Line| {
        lines.push(line.clone());
        Ok(())
    };
    assert_eq!(reader.export(&wanted, each).await.unwrap(), 6, "the seal of midnight, four, and a seal");
    let file = write(folder.path(), &lines);
    let found = broken(&verify_file(&file, &evidence(&config)).unwrap()).unwrap();
    assert_eq!((found.0, found.1), (10, BreakKind::Missing));
    let part = Evidence { is_part: true, ..evidence(&config) };
    let report = verify_file(&file, &part).unwrap();
    assert_eq!((report[0].first_seq, report[0].records, broken(&report)), (10, 6, None));
    replace(&mut lines[2], "acme", "evil");
    assert!(broken(&verify_file(&write(folder.path(), &lines), &part).unwrap()).is_some());
}

#[test]
fn a_file_that_is_no_export_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for (text, line) in [("hello\n", "line 1"), ("{}\n", "line 1")] {
        fs::write(&path, text).unwrap();
        let error = verify_file(&path, &Evidence::default()).unwrap_err().to_string();
        assert!(error.contains(line) && error.contains("audit export"), "{error}");
    }
    let error = verify_file(&folder.path().join("absent"), &Evidence::default()).unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
    assert!(PublicKey::parse("nonsense").is_none());
}
