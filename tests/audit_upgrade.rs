//! A record of an earlier schema goes on: its rows are there after the migration, and its chain holds.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use jiff::Timestamp;
use portcullis::audit::{Audit, AuditConfig, AuditReader, ChainPlace, Filter, StoreConfig};
use portcullis::base::ExchangeId;
use sha2::{Digest, Sha256};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqlStr};
use support::audit::{PATIENCE, exchange, postgres, sqlite, verify};
use support::postgres::Cluster;

fn migrator(files: [&'static str; 2]) -> Migrator {
    let names = ["record", "standing"];
    let migrations = files.into_iter().zip(names).enumerate().map(|(index, (sql, name))| {
        Migration::new(index as i64 + 1, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// A record of schema 1: its body, the hash before it, and its own.
fn record(seq: u64, prev: &str, event: &str) -> (String, String) {
    let body =
        format!("{{\"schema_version\":1,\"node\":\"old-0a1b2c3d\",\"region\":\"r\",\"seq\":{seq},\"event\":{event}}}");
    let prev: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&prev[2 * at..2 * at + 2], 16).unwrap()).collect();
    let hash = Sha256::new().chain_update(prev).chain_update(&body).finalize();
    (body, hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Old {
    exchange: ExchangeId,
    bodies: [String; 2],
    hashes: [String; 2],
}

fn old() -> Old {
    let exchange = ExchangeId::new();
    let zero = "0".repeat(64);
    let start =
        "{\"kind\":\"system\",\"at\":\"2026-11-22T10:00:00Z\",\"what\":\"start\",\"detail\":\"0.1\"}".to_owned();
    let refused = format!(
        "{{\"kind\":\"refused\",\"exchange\":\"{exchange}\",\"at\":\"2026-11-22T10:00:01Z\",\"tenant\":\"acme\",\"client_addr\":\"c\",\
         \"method\":\"POST\",\"path\":\"/x\",\"status\":404,\"request_bytes\":0,\"policy_version\":\"p\",\
         \"fault\":{{\"cause\":\"no_route\",\"blame\":\"client\",\"detail\":\"d\"}}}}"
    );
    let (first, first_hash) = record(1, &zero, &start);
    let (second, second_hash) = record(2, &first_hash, &refused);
    Old { exchange, bodies: [first, second], hashes: [first_hash, second_hash] }
}

async fn check(config: &AuditConfig, old: &Old) {
    let audit = Audit::open(config.clone()).await.unwrap();
    exchange(&audit).await;
    assert!(audit.close(PATIENCE).await);
    let reports = verify(config).await;
    let found =
        reports.iter().find(|report| report.node == "old-0a1b2c3d" && report.place == ChainPlace::Store).unwrap();
    assert_eq!((found.records, found.sealed_seq, &found.broken), (2, 0, &None));
    assert!(reports.iter().all(|report| report.broken.is_none()), "{reports:?}");
    let mut reader = AuditReader::open(config).await.unwrap();
    let rows = reader.list(&Filter { rule: Some("OLD-001".into()), ..Filter::default() }).await.unwrap();
    assert_eq!(rows.len(), 1, "the finding's exchange");
    assert_eq!((rows[0].exchange_id.clone(), rows[0].outcome.as_deref()), (old.exchange.to_string(), Some("refused")));
    assert_eq!(reader.show(old.exchange).await.unwrap().unwrap().refused.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_schema_2_goes_on_in_postgres() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let url = cluster.database("audit").await;
    let mut connection = PgConnection::connect(url.expose()).await.unwrap();
    let files = [
        include_str!("../migrations/postgres/0001_record.sql"),
        include_str!("../migrations/postgres/0002_standing.sql"),
    ];
    migrator(files).run_direct(None, &mut connection, false).await.unwrap();
    let old = old();
    let Old { exchange, bodies, hashes } = &old;
    // The first 48 bits of the id are the time that it was made.
    let ms = i64::try_from(exchange.uuid().as_u128() >> 80).unwrap();
    let day = Timestamp::from_millisecond(ms).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut sql = String::new();
    for table in ["audit_event", "exchange", "verdict", "finding"] {
        for day in [day, jiff::civil::date(2026, 11, 22)] {
            let (name, next) = (day.strftime("%Y%m%d"), day.tomorrow().unwrap());
            sql += &format!(
                "CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} FOR VALUES FROM ('{day}') TO ('{next}');"
            );
        }
    }
    sql += &format!(
        "INSERT INTO audit_event VALUES
            ('2026-11-22', 'old-0a1b2c3d', 1, 'r', '', '2026-11-22T10:00:00Z', 'system', NULL, '{zero}', '{}', '{}'),
            ('2026-11-22', 'old-0a1b2c3d', 2, 'r', 'acme', '2026-11-22T10:00:01Z', 'refused', '{exchange}', '{}', '{}', '{}');
         INSERT INTO exchange (day, exchange_id, node, region, tenant, started_at, begin_seq, end_seq, outcome, request_action)
            VALUES ('{day}', '{exchange}', 'old-0a1b2c3d', 'r', 'acme', '2026-11-22T10:00:01Z', 2, 2, 'refused', 'block');
         INSERT INTO finding (day, exchange_id, direction, number, node, tenant, at, judge, judge_id, title, severity, points, role,
            trust, place, layer, span_start, span_end, excerpt, tags)
            VALUES ('{day}', '{exchange}', 'request', 0, 'old-0a1b2c3d', 'acme', now(), 'rule', 'OLD-001', 't', 'high', 4, 'user',
            'user', '/', 'raw', 0, 1, 'x', '[]');",
        hashes[0], bodies[0], hashes[0], hashes[1], bodies[1],
        zero = "0".repeat(64),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    check(&postgres(folder.path(), url), &old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_schema_2_goes_on_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    let StoreConfig::Sqlite { path } = &config.store else { panic!() };
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    let files =
        [include_str!("../migrations/sqlite/0001_record.sql"), include_str!("../migrations/sqlite/0002_standing.sql")];
    migrator(files).run_direct(None, &mut connection, false).await.unwrap();
    let old = old();
    let (exchange, zero) = (old.exchange, "0".repeat(64));
    let sql = format!(
        "INSERT INTO audit_event VALUES
            (20779, 'old-0a1b2c3d', 1, 'r', '', 1795341600000000, 'system', NULL, '{zero}', '{}', '{}'),
            (20779, 'old-0a1b2c3d', 2, 'r', 'acme', 1795341601000000, 'refused', '{exchange}', '{}', '{}', '{}');
         INSERT INTO exchange (day, exchange_id, node, region, tenant, started_us, begin_seq, end_seq, outcome, request_action)
            VALUES (20779, '{exchange}', 'old-0a1b2c3d', 'r', 'acme', 1795341601000000, 2, 2, 'refused', 'block');
         INSERT INTO finding (day, exchange_id, direction, number, node, tenant, at_us, judge, judge_id, title, severity, points,
            role, trust, place, layer, span_start, span_end, excerpt, tags)
            VALUES (20779, '{exchange}', 'request', 0, 'old-0a1b2c3d', 'acme', 1, 'rule', 'OLD-001', 't', 'high', 4, 'user',
            'user', '/', 'raw', 0, 1, 'x', '[]');",
        old.hashes[0], old.bodies[0], old.hashes[0], old.hashes[1], old.bodies[1],
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    check(&config, &old).await;
}
