//! The views answer what the page on the schema says, in both stores; and reviewers can read and nothing else.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use portcullis::audit::{
    Audit, AuditConfig, AuditReader, Begin, End, Evidence, Filter, Outcome, StoreConfig, VerdictRecord, grants,
};
use portcullis::base::{ExchangeId, Secret};
use portcullis::verdict::Action;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use support::audit::{PATIENCE, begin, end, finding, postgres, sqlite};
use support::postgres::Cluster;

/// 40 exchanges of one who was stopped once, by one finding; 10 of one who is stopped every time; one that failed.
async fn fill(config: &AuditConfig) {
    let audit = Audit::open(config.clone()).await.unwrap();
    let one = async |principal: &str, action: Action, findings: usize, ended: End| {
        let findings = vec![finding("INJ-001", None); findings];
        let request = VerdictRecord { action, findings, ..VerdictRecord::default() };
        let mut slot = audit.reserve().unwrap();
        let begin = Begin { principal: principal.into(), request, ..begin(ExchangeId::new(), Action::Allow) };
        slot.begin(begin).await.unwrap();
        slot.end(ended);
    };
    let completed = || End { completion_tokens: Some(5), ..end(Outcome::Completed) };
    for _ in 0..39 {
        one("key:calm", Action::Allow, 0, completed()).await;
    }
    one("key:calm", Action::Flag, 1, completed()).await;
    for _ in 0..10 {
        one("key:wild", Action::Block, 2, End::new(Outcome::Blocked)).await;
    }
    let uncounted = End { prompt_tokens: None, completion_tokens: None, ..end(Outcome::Completed) };
    one("key:calm", Action::Allow, 0, uncounted).await;
    assert!(audit.close(PATIENCE).await);
}

/// What is asked, and the answer as one text.
const QUESTIONS: [(&str, &str); 5] = [
    (
        "SELECT judge_id || ' ' || severity || ' ' || incidents || ' ' || blocked FROM incidents_by_rule WHERE tenant = 'acme'",
        "INJ-001 high 11 10",
    ),
    (
        "SELECT exchanges || ' ' || blocked || ' ' || flagged || ' ' || completion_tokens || ' ' || addresses \
         FROM principals_by_day WHERE principal = 'key:calm'",
        "41 0 1 200 1",
    ),
    (
        "SELECT principal || ' ' || action || ' ' || judge_id || ' ' || exchanges_that_day || ' ' || stopped_that_day \
         FROM false_alarm_candidates",
        "key:calm flag INJ-001 41 1",
    ),
    (
        "SELECT provider || ' ' || model || ' ' || exchanges || ' ' || completed || ' ' || prompt_tokens || ' ' || uncounted \
         FROM usage_by_day",
        "mock demo-1 41 41 400 1",
    ),
    (
        "SELECT stage || ' ' || exchanges || ' ' || round(p50_ms * 1000) || ' ' || round(max_ms * 1000) FROM latency_by_stage",
        "total 41 1234 1234",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn views_answer_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    fill(&config).await;
    let StoreConfig::Sqlite { path } = &config.store else { panic!() };
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    for (sql, answer) in QUESTIONS {
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        let rows: Vec<String> = rows.iter().map(|row| row.replace(".0", "")).collect();
        assert_eq!(rows, [answer], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_answer_in_postgres_and_reviewers_change_nothing() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let url = cluster.database("audit").await;
    let config = postgres(folder.path(), url.clone());
    fill(&config).await;
    let mut owner = PgConnection::connect(url.expose()).await.unwrap();
    for (role, records) in [("reviewers", false), ("auditors", true)] {
        // Twice: it may be run again after an upgrade.
        for _ in 0..2 {
            sqlx::raw_sql(AssertSqlSafe(grants(role, records).unwrap())).execute(&mut owner).await.unwrap();
        }
    }
    let people =
        "CREATE ROLE ada LOGIN PASSWORD 'x' IN ROLE reviewers; CREATE ROLE bob LOGIN PASSWORD 'x' IN ROLE auditors";
    sqlx::raw_sql(people).execute(&mut owner).await.unwrap();
    let of = |name: &str| Secret::new(as_user(url.expose(), name));
    let mut ada = PgConnection::connect(of("ada").expose()).await.unwrap();
    for (sql, answer) in QUESTIONS {
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut ada).await.unwrap();
        assert_eq!(rows, [answer], "{sql}");
    }
    for sql in [
        "DELETE FROM exchange",
        "UPDATE verdict SET action = 'allow'",
        "INSERT INTO finding SELECT * FROM finding",
        "DROP TABLE exchange",
        "TRUNCATE exchange",
        "SELECT body FROM audit_event",
        "SELECT checksum FROM _sqlx_migrations",
    ] {
        assert!(sqlx::raw_sql(sql).execute(&mut ada).await.is_err(), "{sql}");
    }
    // The tool reads with such a role, too; what it proves needs the records.
    let mut reader = AuditReader::open(&postgres(folder.path(), of("ada"))).await.unwrap();
    assert_eq!(reader.list(&Filter::default()).await.unwrap().len(), 50);
    assert!(reader.verify(&Evidence::default()).await.is_err());
    let mut reader = AuditReader::open(&postgres(folder.path(), of("bob"))).await.unwrap();
    assert_eq!(reader.verify(&Evidence::default()).await.unwrap()[0].broken, None);
}

/// The same database, as somebody else.
fn as_user(url: &str, name: &str) -> String {
    let (_, place) = url.rsplit_once('@').unwrap();
    format!("postgres://{name}:x@{place}")
}
