//! Tampering of every kind is found and named: on a live store, in the hands of who has no key, and in an exported file.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

#[path = "audit_proof/files.rs"]
mod files;

use std::fs;
use std::path::Path;

use portcullis::audit::{
    Audit, AuditConfig, AuditReader, BreakKind, ChainReport, Evidence, ExchangeRow, Filter, Hash, Inclusion,
    StoreConfig, own_key,
};
use portcullis::base::ExchangeId;
use portcullis::verdict::Action;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use support::audit::{PATIENCE, Time, begin, end, evidence, exchange, postgres, sqlite, verify};
use support::postgres::Cluster;

/// Six exchanges over two days with seals in between: records 1 to 4, a seal, 6 to 9, the seal of midnight, 11 to 14, a seal.
async fn record(config: &AuditConfig, time: &Time) {
    let audit = Audit::open(config.clone()).await.unwrap();
    for part in 0..3 {
        if part == 2 {
            time.set_noon("2026-11-24".parse().unwrap());
        }
        exchange(&audit).await;
        exchange(&audit).await;
        assert!(audit.flush(PATIENCE).await);
        if part == 0 {
            audit.seal().await.unwrap();
        }
    }
    assert!(audit.close(PATIENCE).await);
}

const RECORDS: u64 = 15;

async fn sqlite_record() -> (tempfile::TempDir, AuditConfig) {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon("2026-11-23".parse().unwrap());
    let config = AuditConfig { clock: time.clock(), ..sqlite(folder.path()) };
    record(&config, &time).await;
    (folder, config)
}

/// A copy of a record as it lies, with what its machine knows.
fn copy(from: &Path) -> (tempfile::TempDir, AuditConfig) {
    let folder = tempfile::tempdir().unwrap();
    for file in ["audit.db", "audit.db-wal"] {
        let _ = fs::copy(from.join(file), folder.path().join(file));
    }
    fs::create_dir(folder.path().join("audit")).unwrap();
    for file in ["audit/node", "audit/shipped", "audit/signing-key"] {
        fs::copy(from.join(file), folder.path().join(file)).unwrap();
    }
    let config = sqlite(folder.path());
    (folder, config)
}

async fn tamper(config: &AuditConfig, sql: &str) {
    let StoreConfig::Sqlite { path } = &config.store else { panic!() };
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

fn broken(reports: &[ChainReport]) -> Option<(u64, BreakKind, String)> {
    let broken = reports.iter().find_map(|report| report.broken.clone())?;
    Some((broken.seq, broken.kind, broken.detail))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_tampering_in_a_store_is_named() {
    use BreakKind::{Changed, Inserted, Missing, Reordered};
    let cases: &[(&str, u64, BreakKind, &str)] = &[
        ("UPDATE audit_event SET body = replace(body, 'acme', 'evil') WHERE seq = 3", 3, Changed, "bytes"),
        ("UPDATE audit_event SET hash = prev_hash WHERE seq = 4", 4, Changed, "bytes"),
        ("UPDATE audit_event SET hash = 'nonsense' WHERE seq = 1", 1, Changed, "none"),
        ("UPDATE audit_chain SET hash = 'nonsense' WHERE seq = 1", 1, Changed, "none"),
        (
            "UPDATE audit_chain SET hash = (SELECT hash FROM audit_chain WHERE seq = 2) WHERE seq = 3",
            3,
            Changed,
            "not the one",
        ),
        ("UPDATE audit_event SET tenant = 'evil' WHERE seq = 3", 3, Changed, "`tenant`"),
        ("UPDATE audit_event SET at_us = at_us + 1 WHERE seq = 3", 3, Changed, "`at`"),
        ("UPDATE audit_event SET kind = 'end' WHERE seq = 3", 3, Changed, "`kind`"),
        ("UPDATE audit_event SET region = 'us-1' WHERE seq = 3", 3, Changed, "`region`"),
        ("UPDATE audit_event SET exchange_id = NULL WHERE seq = 3", 3, Changed, "`exchange_id`"),
        ("UPDATE exchange SET outcome = 'failed' WHERE begin_seq = 3", 4, Changed, "`outcome`"),
        ("UPDATE exchange SET principal = 'evil' WHERE begin_seq = 3", 3, Changed, "`principal`"),
        ("UPDATE exchange SET latency_us = '{}' WHERE begin_seq = 3", 4, Changed, "`latency_us`"),
        ("UPDATE exchange SET stream = 0 WHERE begin_seq = 3", 3, Changed, "`stream`"),
        ("UPDATE verdict SET action = 'block' WHERE direction = 'reply'", 2, Changed, "`action`"),
        ("UPDATE finding SET score = 0.25 WHERE score IS NOT NULL", 1, Changed, "`score`"),
        ("DELETE FROM finding WHERE number = 1", 1, Missing, "finding 1"),
        ("DELETE FROM verdict WHERE direction = 'reply'", 2, Missing, "verdict"),
        ("DELETE FROM exchange WHERE begin_seq = 6", 6, Missing, "lacks exchange"),
        ("UPDATE finding SET number = 7 WHERE number = 1", 1, Missing, "finding 1"),
        (
            "CREATE TEMP TABLE t AS SELECT * FROM finding WHERE number = 1; UPDATE t SET number = 2; INSERT INTO finding SELECT * FROM t",
            1,
            Inserted,
            "table finding has more",
        ),
        (
            "CREATE TEMP TABLE t AS SELECT * FROM exchange WHERE begin_seq = 1; \
             UPDATE t SET exchange_id = replace(exchange_id, '-7', '-8'); INSERT INTO exchange SELECT * FROM t",
            RECORDS,
            Inserted,
            "no record tells of",
        ),
        ("UPDATE audit_event SET class = 'system' WHERE seq = 3", 3, Missing, "no tombstone"),
        ("DELETE FROM audit_event WHERE seq = 5", 5, Missing, "no tombstone"),
        ("DELETE FROM audit_event WHERE seq BETWEEN 2 AND 4", 2, Missing, "no tombstone"),
        ("DELETE FROM audit_chain WHERE seq = 6", 6, Inserted, "does not have"),
        (
            "DELETE FROM audit_event WHERE seq = 6; DELETE FROM audit_chain WHERE seq = 6",
            7,
            Missing,
            "record 6 is missing",
        ),
        ("DELETE FROM audit_event WHERE seq < 4; DELETE FROM audit_chain WHERE seq < 4", 4, Missing, "records 1 to 3"),
        ("DELETE FROM audit_event WHERE seq > 9; DELETE FROM audit_chain WHERE seq > 9", 15, Missing, "10 to 15"),
        ("DELETE FROM audit_event; DELETE FROM audit_chain", 15, Missing, "1 to 15"),
        (
            "UPDATE audit_event SET seq = 100 WHERE seq = 3; UPDATE audit_event SET seq = 3 WHERE seq = 4; \
             UPDATE audit_event SET seq = 4 WHERE seq = 100",
            3,
            Changed,
            "not the one",
        ),
        (
            "UPDATE audit_event SET seq = 100 WHERE seq = 3; UPDATE audit_event SET seq = 3 WHERE seq = 4; \
             UPDATE audit_event SET seq = 4 WHERE seq = 100; UPDATE audit_chain SET hash = e.hash FROM audit_event e \
             WHERE audit_chain.seq = e.seq",
            3,
            Reordered,
            "holds record 4",
        ),
        (
            "INSERT INTO audit_event SELECT day, node, seq + 100, region, tenant, at_us, kind, exchange_id, prev_hash, hash, \
             body, class FROM audit_event WHERE seq = 2",
            102,
            Inserted,
            "does not have",
        ),
        (
            "INSERT INTO audit_event SELECT day + 1, node, seq, region, tenant, at_us, kind, exchange_id, prev_hash, hash, \
             body, class FROM audit_event WHERE seq = 2; INSERT INTO audit_chain SELECT day + 1, node, seq, class, hash \
             FROM audit_chain WHERE seq = 2",
            2,
            Changed,
            "`day`",
        ),
    ];
    let (folder, config) = sqlite_record().await;
    let whole = verify(&config).await;
    assert_eq!(broken(&whole), None, "{whole:?}");
    assert_eq!((whole[0].records, whole[0].seals, whole[0].sealed_seq), (RECORDS, 3, RECORDS - 1));
    for (sql, seq, kind, detail) in cases {
        let (_copy, config) = copy(folder.path());
        tamper(&config, sql).await;
        let found = broken(&verify(&config).await).unwrap_or_else(|| panic!("not noticed: {sql}"));
        assert_eq!((found.0, found.1), (*seq, *kind), "{sql}: {found:?}");
        assert!(found.2.contains(detail), "{sql}: {}", found.2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_exchange_is_proved_without_the_others() {
    let (_folder, config) = sqlite_record().await;
    let key = own_key(&config).unwrap().unwrap().key;
    let mut reader = AuditReader::open(&config).await.unwrap();
    let ids: Vec<ExchangeId> = list(&mut reader).await.iter().map(|row| row.exchange_id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 6);
    for id in ids {
        let proofs = reader.prove(id).await.unwrap().unwrap();
        assert_eq!(proofs.len(), 2, "its begin and its end");
        for proof in proofs {
            assert_eq!(proof.check(&[key]).unwrap().event.exchange(), Some(id));
            let changed = |change: fn(&mut Inclusion)| {
                let mut proof = proof.clone();
                change(&mut proof);
                proof.check(&[key]).unwrap_err()
            };
            assert!(changed(|proof| proof.body = proof.body.replace("acme", "evil")).contains("root"));
            assert!(changed(|proof| proof.prev_hash = Hash::of(proof.prev_hash, b"")).contains("root"));
            assert!(
                changed(|proof| {
                    let _ = proof.path.pop();
                })
                .contains("root")
            );
            assert!(
                changed(|proof| proof.checkpoint = proof.checkpoint.replace("2026-11-2", "2026-11-1"))
                    .contains("signed")
            );
            assert!(proof.check(&[]).unwrap_err().contains("signed"));
        }
    }
    assert!(reader.prove(ExchangeId::new()).await.unwrap().is_none());
}

async fn list(reader: &mut AuditReader) -> Vec<ExchangeRow> {
    reader.list(&Filter::default()).await.unwrap()
}

/// PostgreSQL keeps the same record: the same walk, over its own types.
#[tokio::test(flavor = "multi_thread")]
async fn tampering_in_postgres_is_named() {
    use BreakKind::{Changed, Inserted, Missing};
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon("2026-11-23".parse().unwrap());
    let config = AuditConfig { clock: time.clock(), ..postgres(folder.path(), cluster.database("audit").await) };
    record(&config, &time).await;
    let whole = verify(&config).await;
    assert_eq!((whole[0].records, whole[0].seals, broken(&whole)), (RECORDS, 3, None));
    for (sql, undo, seq, kind) in [
        (
            "UPDATE audit_event SET body = replace(body, 'acme', 'evil') WHERE seq = 3",
            "UPDATE audit_event SET body = replace(body, 'evil', 'acme') WHERE seq = 3",
            3,
            Changed,
        ),
        (
            "UPDATE audit_event SET tenant = 'evil' WHERE seq = 3",
            "UPDATE audit_event SET tenant = 'acme' WHERE seq = 3",
            3,
            Changed,
        ),
        (
            "INSERT INTO audit_event SELECT day, class, node, seq + 100, region, tenant, at, kind, exchange_id, prev_hash, hash, \
             body FROM audit_event WHERE seq = 2",
            "DELETE FROM audit_event WHERE seq = 102",
            102,
            Inserted,
        ),
        (
            "UPDATE audit_chain SET hash = '\\x00' WHERE seq = 9",
            "UPDATE audit_chain c SET hash = e.hash FROM audit_event e WHERE c.seq = 9 AND e.seq = 9",
            9,
            Changed,
        ),
        (
            "UPDATE exchange SET outcome = 'failed' WHERE begin_seq = 3",
            "UPDATE exchange SET outcome = 'completed' WHERE begin_seq = 3",
            4,
            Changed,
        ),
        (
            "UPDATE finding SET tags = '[]' WHERE number = 0",
            "UPDATE finding SET tags = '[\"owasp:llm01\"]' WHERE number = 0",
            1,
            Changed,
        ),
        ("UPDATE verdict SET faults = '[1]' WHERE direction = 'reply'", "UPDATE verdict SET faults = '[]'", 2, Changed),
        ("DELETE FROM audit_event WHERE seq = 3", "SELECT 1", 3, Missing),
        ("DELETE FROM audit_chain WHERE seq < 3", "SELECT 1", 1, Inserted),
        ("DROP TABLE audit_event_20261123, audit_chain_20261123", "SELECT 1", 10, Missing),
    ] {
        cluster.execute("audit", sql).await;
        let found = broken(&verify(&config).await).unwrap_or_else(|| panic!("not noticed: {sql}"));
        assert_eq!((found.0, found.1), (seq, kind), "{sql}: {found:?}");
        cluster.execute("audit", undo).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unsealed_end_is_told_and_a_seal_comes_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    let audit = Audit::open(config.clone()).await.unwrap();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(ExchangeId::new(), Action::Allow)).await.unwrap();
    assert!(audit.flush(PATIENCE).await);
    let report = verify(&config).await;
    assert_eq!((report[0].records, report[0].sealed_seq), (1, 0));
    audit.seal().await.unwrap();
    audit.seal().await.unwrap();
    slot.end(end(portcullis::audit::Outcome::Completed));
    assert!(audit.flush(PATIENCE).await);
    let report = verify(&config).await;
    assert_eq!(
        (report[0].records, report[0].seals, report[0].sealed_seq),
        (3, 1, 1),
        "one seal: nothing new came for the second"
    );
}
