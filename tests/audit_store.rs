//! The record in real stores: what goes in comes out, in PostgreSQL as in SQLite.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use jiff::Timestamp;
use portcullis::audit::{
    Audit, AuditConfig, AuditReader, ChainPlace, ExchangeRow, Filter, Outcome, Refused, StoreConfig, SystemKind,
};
use portcullis::base::{ExchangeId, Secret};
use portcullis::verdict::Action;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use support::audit::{PATIENCE, Time, begin, end, exchange, postgres, refused, sqlite, verify};
use support::postgres::Cluster;
use uuid::{Timestamp as UuidTimestamp, Uuid};

async fn list(config: &AuditConfig, filter: Filter) -> Vec<ExchangeRow> {
    AuditReader::open(config).await.unwrap().list(&filter).await.unwrap()
}

async fn round_trip(config: AuditConfig) {
    let audit = Audit::open(config.clone()).await.unwrap();
    audit.system(SystemKind::Start, "started");
    let (blocked, dropped, turned_away) = (ExchangeId::new(), ExchangeId::new(), ExchangeId::new());
    let mut slot = audit.reserve().unwrap();
    let request = begin(blocked, Action::Block);
    slot.begin(request.clone()).await.unwrap();
    let reply = end(Outcome::Blocked);
    slot.end(reply.clone());
    audit.refuse(refused(turned_away)).await.unwrap();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(dropped, Action::Allow)).await.unwrap();

    // Readable while it runs, the open exchange as open, and before it is shipped.
    let mut reader = AuditReader::open(&config).await.unwrap();
    assert!(reader.show(dropped).await.unwrap().unwrap().begin.is_some());
    assert!(audit.flush(PATIENCE).await, "{:?}", audit.status());
    let open = list(&config, Filter::default()).await;
    assert_eq!(open.iter().filter(|row| row.outcome.is_none()).count(), 1);
    drop(slot);
    assert!(audit.flush(PATIENCE).await);
    let status = audit.status();
    assert_eq!((status.slots, status.reserved_bytes, status.queue_depth, status.bare), (0, 0, 0, 0), "{status:?}");
    assert!(status.store_ok && status.written_seq == 6, "{status:?}");
    assert!(audit.close(PATIENCE).await);

    // Readable while it is stopped.
    let rows = list(&config, Filter::default()).await;
    let outcome =
        |id: ExchangeId| rows.iter().find(|row| row.exchange_id == id.to_string()).unwrap().outcome.clone().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!((outcome(blocked), outcome(dropped)), ("blocked".into(), "interrupted".into()));
    assert_eq!(outcome(turned_away), "refused");
    let row = rows.iter().find(|row| row.exchange_id == blocked.to_string()).unwrap();
    assert_eq!(row.started_at.unwrap().as_microsecond(), request.at.as_microsecond());
    assert_eq!(row.ended_at.unwrap().as_microsecond(), reply.at.as_microsecond());
    assert_eq!((row.action(), row.stream, row.status), (Action::Block, Some(true), Some(200)));
    assert_eq!(
        (row.prompt_tokens, row.completion_tokens),
        (Some(10), None),
        "a count that no column holds is left out"
    );
    assert_eq!(row.model_asked.as_deref(), Some("demo \u{FFFD} model"));
    assert_eq!(row.latency_us.as_ref().unwrap()["total"], 1234);
    assert_eq!((row.tenant.as_str(), row.region.as_str()), ("acme", "eu-1"));

    let mut reader = AuditReader::open(&config).await.unwrap();
    let detail = reader.show(blocked).await.unwrap().unwrap();
    assert_eq!(detail.begin.as_ref().unwrap().request, request.request);
    assert_eq!(detail.begin.unwrap().cut.strings, 1, "the NUL in the model's name was replaced and told");
    let stored = detail.end.unwrap();
    assert_eq!((stored.reply, stored.completion_tokens), (reply.reply, Some(u64::MAX)));
    assert_eq!(detail.records.len(), 2);
    let stored = reader.show(turned_away).await.unwrap().unwrap().refused.unwrap();
    assert_eq!(stored, Refused { at: stored.at, ..refused(turned_away) });
    assert!(reader.show(ExchangeId::new()).await.unwrap().is_none());
    let chains = verify(&config).await;
    let seen: Vec<_> = chains.iter().map(|chain| (chain.place, chain.records, chain.broken.clone())).collect();
    assert_eq!(seen, [(ChainPlace::Store, 7, None), (ChainPlace::Spool, 7, None)], "six and a seal");

    filters(&config, blocked, dropped).await;
}

async fn filters(config: &AuditConfig, blocked: ExchangeId, dropped: ExchangeId) {
    let ids = |rows: Vec<ExchangeRow>| rows.into_iter().map(|row| row.exchange_id).collect::<Vec<_>>();
    let (blocked, dropped) = (blocked.to_string(), dropped.to_string());
    let tenant = Filter { tenant: Some("acme".into()), ..Filter::default() };
    assert_eq!(ids(list(config, tenant).await), [dropped.clone(), blocked.clone()], "newest first");
    let nobody = Filter { tenant: Some("acm".into()), ..Filter::default() };
    assert!(list(config, nobody).await.is_empty());
    let rule = Filter { rule: Some("INJ-001".into()), limit: Some(1), ..Filter::default() };
    assert_eq!(ids(list(config, rule).await), vec![dropped.clone()]);
    let page = Filter { rule: Some("injection".into()), before: Some(dropped.parse().unwrap()), ..Filter::default() };
    assert_eq!(ids(list(config, page).await), vec![blocked.clone()]);
    let action = Filter { action: Some(Action::Block), tenant: Some("acme".into()), ..Filter::default() };
    assert_eq!(ids(list(config, action).await), [blocked]);
    let now = Timestamp::now();
    assert!(list(config, Filter { since: Some(now), ..Filter::default() }).await.is_empty());
    assert_eq!(list(config, Filter { until: Some(now), ..Filter::default() }).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn round_trip_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    round_trip(sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn round_trip_postgres() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    round_trip(postgres(folder.path(), cluster.database("audit").await)).await;
    let findings = "SELECT count(*) FROM finding WHERE excerpt LIKE '%''quoted''%' AND tags ? 'owasp:llm01'";
    assert_eq!(cluster.count("audit", findings).await, 4);
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM verdict").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_says_what_to_do() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let error = async |url: Secret| Audit::open(postgres(folder.path(), url)).await.unwrap_err();
    let wrong = error(cluster.url_with("hunter2", "postgres")).await;
    assert!(wrong.is_permanent() && wrong.to_string().contains("check the user and password"), "{wrong}");
    assert!(!wrong.to_string().contains("hunter2") && !format!("{wrong:?}").contains("hunter2"));
    let missing = error(cluster.url("nowhere")).await;
    assert!(missing.is_permanent() && missing.to_string().contains("create that database"), "{missing}");
    let url = cluster.database("other").await;
    cluster.execute("other", "CREATE TABLE exchange (rate int)").await;
    let foreign = error(url).await;
    assert!(foreign.is_permanent() && foreign.to_string().contains("one of its own"), "{foreign}");
    let url = cluster.database("newer").await;
    let audit = Audit::open(postgres(folder.path(), url.clone())).await.unwrap();
    assert!(audit.close(PATIENCE).await);
    cluster.execute("newer", "INSERT INTO _sqlx_migrations VALUES (99, 'later', now(), true, '\\x00', 0)").await;
    let newer = error(url).await;
    assert!(newer.is_permanent() && newer.to_string().contains("another version"), "{newer}");
    let empty = cluster.database("empty").await;
    let unread = AuditReader::open(&postgres(folder.path(), empty)).await.unwrap_err();
    assert!(unread.to_string().contains("start the appliance once"), "{unread}");
}

/// An exchange id of a chosen time.
fn id_at(unix_ms: i64) -> ExchangeId {
    let (seconds, millis) = (unix_ms.div_euclid(1000), unix_ms.rem_euclid(1000));
    let time = UuidTimestamp::from_unix(
        uuid::NoContext,
        u64::try_from(seconds).unwrap(),
        u32::try_from(millis).unwrap() * 1_000_000,
    );
    ExchangeId::from(Uuid::new_v7(time))
}

#[tokio::test(flavor = "multi_thread")]
async fn days_have_partitions_and_midnight_splits_nothing() {
    const MIDNIGHT_MS: i64 = 20_000 * 86_400_000;
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_ms(MIDNIGHT_MS - 5);
    let config = AuditConfig { clock: time.clock(), ..postgres(folder.path(), cluster.database("audit").await) };
    let audit = Audit::open(config.clone()).await.unwrap();
    let before = id_at(MIDNIGHT_MS - 1);
    for (id, begun_ms, ended_ms) in [
        (before, MIDNIGHT_MS - 1, MIDNIGHT_MS + 5),
        (id_at(MIDNIGHT_MS), MIDNIGHT_MS, MIDNIGHT_MS),
        (id_at(MIDNIGHT_MS + 86_400_000), MIDNIGHT_MS + 86_400_000, MIDNIGHT_MS + 86_400_001),
    ] {
        let mut slot = audit.reserve().unwrap();
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        time.set_ms(begun_ms);
        slot.begin(portcullis::audit::Begin { at: at(begun_ms), ..begin(id, Action::Allow) }).await.unwrap();
        time.set_ms(ended_ms);
        slot.end(portcullis::audit::End { at: at(ended_ms), ..end(Outcome::Completed) });
        assert!(audit.flush(PATIENCE).await);
    }
    assert!(audit.close(PATIENCE).await);
    let count = async |sql: &str| cluster.count("audit", sql).await;
    assert_eq!(count("SELECT count(*) FROM audit_event_20241003").await, 1, "the begin of 23:59:59.999");
    assert_eq!(count("SELECT count(*) FROM audit_event_20241004").await, 3 + 1, "and the seal of the day before");
    assert_eq!(count("SELECT count(*) FROM audit_event_20241005").await, 2 + 2, "and that of the end");
    assert_eq!(count("SELECT count(*) FROM audit_event_20241005_system").await, 2);
    assert_eq!(count("SELECT count(*) FROM exchange_20241003").await, 1);
    assert_eq!(count("SELECT count(*) FROM exchange WHERE begin_seq IS NOT NULL AND outcome = 'completed'").await, 3);
    let mut reader = AuditReader::open(&config).await.unwrap();
    assert_eq!(reader.show(before).await.unwrap().unwrap().records.len(), 2);
    assert_eq!(verify(&config).await[0].broken, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_a_database() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // The same configured name on purpose: the chains must still be two. Both migrate and make partitions at once.
    let (one, two) = tokio::join!(
        Audit::open(postgres(folders[0].path(), url.clone())),
        Audit::open(postgres(folders[1].path(), url.clone()))
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.status().node, two.status().node);
    for _ in 0..50 {
        tokio::join!(exchange(&one), exchange(&two));
    }
    let (one, two) = tokio::join!(one.close(PATIENCE), two.close(PATIENCE));
    assert!(one && two);
    let config = postgres(folders[0].path(), url);
    let mut chains = verify(&config).await;
    chains.retain(|chain| chain.place == ChainPlace::Store);
    assert_eq!(
        chains.iter().map(|chain| (chain.records, chain.broken.clone())).collect::<Vec<_>>(),
        [(101, None), (101, None)],
        "a hundred and a seal each"
    );
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM exchange WHERE outcome = 'completed'").await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_somebody_else_under_our_number_stops_shipping_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    let audit = Audit::open(config.clone()).await.unwrap();
    exchange(&audit).await;
    assert!(audit.flush(PATIENCE).await);
    let StoreConfig::Sqlite { path } = &config.store else { panic!() };
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    // Somebody forges our next record before we write it.
    let forged = "INSERT INTO audit_chain SELECT day, node, 3, class, hash FROM audit_chain WHERE seq = 2";
    sqlx::raw_sql(forged).execute(&mut connection).await.unwrap();
    let lost = exchange(&audit).await;
    while audit.status().store_ok {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(audit.status().store_error.unwrap().contains("holds another record"));
    // A person resolves it; nothing was lost.
    sqlx::raw_sql("DELETE FROM audit_chain WHERE seq = 3").execute(&mut connection).await.unwrap();
    assert!(audit.flush(PATIENCE).await);
    assert!(AuditReader::open(&config).await.unwrap().show(lost).await.unwrap().is_some());
}

/// The questions in docs/audit-schema.md, by store.
fn documented_questions() -> (Vec<String>, Vec<String>) {
    let page = include_str!("../docs/audit-schema.md");
    let (mut postgres, mut sqlite) = (Vec::new(), Vec::new());
    let (_, questions) = page.split_once("## Questions").unwrap();
    let mut parts = questions.split("```");
    while let (Some(words), Some(block)) = (parts.next(), parts.next()) {
        let sql = block.strip_prefix("sql\n").unwrap().to_owned();
        if words.contains("in SQLite") { sqlite.push(sql) } else { postgres.push(sql) }
    }
    (postgres, sqlite)
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_questions_have_answers() {
    let (for_postgres, for_sqlite) = documented_questions();
    assert_eq!((for_postgres.len(), for_sqlite.len()), (6, 1));
    let cluster = Cluster::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let configs = [postgres(folders[0].path(), cluster.database("audit").await), sqlite(folders[1].path())];
    for config in &configs {
        let audit = Audit::open(config.clone()).await.unwrap();
        exchange(&audit).await;
        assert!(audit.close(PATIENCE).await);
    }
    for sql in for_postgres {
        cluster.execute("audit", &sql).await;
    }
    let whole = "SELECT count(*) FROM audit_event \
                 WHERE hash = sha256(prev_hash || convert_to(body, 'UTF8'))";
    assert_eq!(cluster.count("audit", whole).await, 3, "the proof by hand agrees");
    let StoreConfig::Sqlite { path } = &configs[1].store else { panic!() };
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    for sql in for_sqlite {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
}
