//! What is older than it is kept goes, class by class and day by day, and the chain says so.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use portcullis::audit::{
    Audit, AuditConfig, AuditReader, Begin, BreakKind, Classes, Event, Evidence, Filter, FullText, Keep, Line, Outcome,
    Pace, Part, PassageText, Retention, StoreConfig, Unread, Wanted, verify_file,
};
use portcullis::base::ExchangeId;
use portcullis::text::Role;
use portcullis::verdict::Action;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use support::audit::{PATIENCE, Time, begin, end, evidence, postgres, sqlite, verify};
use support::postgres::Cluster;
use uuid::{NoContext, Timestamp as UuidTimestamp, Uuid};

const FIRST: Date = date(2025, 11, 1);

fn retention() -> Retention {
    let keep = |events, review| Keep { events: Some(events), review: Some(review), texts: Some(2) };
    Retention {
        keep: [("standard", keep(10, 5)), ("short", keep(3, 3)), ("system", keep(10, 10))]
            .map(|(name, keep)| (name.to_owned(), keep))
            .into(),
        classes: Classes { tenants: [("hasty".to_owned(), "short".to_owned())].into() },
    }
}

/// An exchange of a tenant at the time that stands.
async fn exchange(audit: &Audit, time: &Time, tenant: &str) -> ExchangeId {
    let now = time.now();
    let seconds = u64::try_from(now.as_second()).unwrap();
    let id = ExchangeId::from(Uuid::new_v7(UuidTimestamp::from_unix(NoContext, seconds, 0)));
    let mut slot = audit.reserve().unwrap();
    let text = PassageText { role: Role::User, place: "/messages/0/content".into(), text: "the plan".into() };
    let prompt_text = Some(vec![text].into());
    slot.begin(Begin { at: now, tenant: tenant.into(), prompt_text, ..begin(id, Action::Flag) }).await.unwrap();
    slot.end(portcullis::audit::End { at: now, ..end(Outcome::Completed) });
    id
}

/// So many days of two tenants, with the retention of each night; gives the last day.
async fn days(audit: &Audit, time: &Time, count: i32) -> Date {
    for day in 0..count {
        time.set_noon(FIRST.checked_add(day.days()).unwrap());
        for tenant in ["acme", "hasty", "acme"] {
            exchange(audit, time, tenant).await;
        }
        assert!(audit.flush(PATIENCE).await);
        audit.retain(Pace::All).await.unwrap();
    }
    FIRST.checked_add((count - 1).days()).unwrap()
}

async fn check(config: &AuditConfig, last: Date) {
    let reports = verify(config).await;
    let store = &reports[0];
    assert_eq!(store.broken, None, "{reports:?}");
    assert!(store.first_seq > 100, "the first days are gone whole: {store:?}");
    // Seven days of the hasty one, whose bodies are gone and whose hashes are not.
    assert_eq!(store.gone, 7 * 2);
    let mut reader = AuditReader::open(config).await.unwrap();
    let rows = reader.list(&Filter { limit: Some(1000), ..Filter::default() }).await.unwrap();
    let of = |tenant: &str| rows.iter().filter(|row| row.tenant == tenant).count();
    assert_eq!((of("acme"), of("hasty")), (6 * 2, 4), "today and five days, today and three");
    let mut readable = 0;
    for row in &rows {
        let detail = reader.stored(row.exchange_id.parse().unwrap()).await.unwrap().unwrap();
        match detail.begin.unwrap().prompt_text.unwrap() {
            FullText::Plain(_) => readable += 1,
            FullText::Kept(text) => assert_eq!(text.unread, Some(Unread::Gone)),
        }
    }
    assert_eq!(readable, 3 * 3, "texts of today and two days");
    assert!(reader.due(&retention()).await.unwrap().is_empty());

    // The same on a file, and what was given up is told there.
    let mut lines = Vec::new();
    let each = |line: &Line| {
        lines.push(line.clone());
        Ok(())
    };
    reader.export(&Wanted::default(), each).await.unwrap();
    assert_eq!(lines.first().unwrap().day, last.checked_sub(10.days()).unwrap());
    let told = lines.iter().filter_map(|line| {
        let body: serde_json::Value = serde_json::from_str(&line.event.as_ref()?.body).unwrap();
        match serde_json::from_value(body["event"].clone()).unwrap() {
            Event::Tombstone(tombstone) => Some(*tombstone),
            _ => None,
        }
    });
    let told: Vec<_> = told.filter(|tombstone| tombstone.day == last.checked_sub(6.days()).unwrap()).collect();
    let parts: Vec<_> = told.iter().map(|one| (one.part, one.class.as_deref().unwrap())).collect();
    let texts = [(Part::Texts, "short"), (Part::Texts, "standard")];
    let others = [(Part::Review, "short"), (Part::Events, "short"), (Part::Review, "standard")];
    assert_eq!(parts, [texts.as_slice(), &others].concat());
    assert_eq!((told[3].chains.len(), told[3].chains[0].records), (1, 2));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.jsonl");
    let write = |lines: &[Line]| {
        std::fs::write(&file, lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect::<String>())
            .unwrap();
        verify_file(&file, &evidence(config)).unwrap().remove(0).broken
    };
    assert_eq!(write(&lines), None);

    // A tombstone hides nothing but what it is for.
    let gone = lines.iter().position(|line| line.event.is_none()).unwrap();
    let mut more = lines.clone();
    let other = more.iter_mut().skip(gone).find(|line| line.class == "standard").unwrap();
    other.event = None;
    assert_eq!(write(&more).unwrap().kind, BreakKind::Missing, "a body of another class");
    let mut fewer = lines.clone();
    fewer.remove(gone);
    assert_eq!(write(&fewer).unwrap().kind, BreakKind::Missing, "a hash that must still be there");
    let mut changed = lines.clone();
    changed[gone].hash = Some("00".repeat(32));
    assert_ne!(write(&changed), None, "a hash that is another");
    let whole_day: Vec<Line> =
        lines.iter().filter(|line| line.day > last.checked_sub(9.days()).unwrap()).cloned().collect();
    assert_eq!(write(&whole_day).unwrap().kind, BreakKind::Missing, "more days than were given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_go_class_by_class_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon(FIRST);
    let config = AuditConfig { clock: time.clock(), retention: retention(), ..sqlite(folder.path()) };
    let audit = Audit::open(config.clone()).await.unwrap();
    let last = days(&audit, &time, 40).await;
    assert!(audit.close(PATIENCE).await);
    check(&config, last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_go_class_by_class_in_postgres_and_their_partitions_with_them() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon(FIRST);
    let config = postgres(folder.path(), cluster.database("audit").await);
    let config = AuditConfig { clock: time.clock(), retention: retention(), ..config };
    let audit = Audit::open(config.clone()).await.unwrap();
    let last = days(&audit, &time, 25).await;
    assert!(audit.close(PATIENCE).await);
    check(&config, last).await;
    let partitions = async |like: &str| {
        let sql =
            format!("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE '{like}'");
        cluster.count("audit", &sql).await
    };
    assert_eq!(partitions("audit_event_%_standard").await, 11, "today and ten days");
    assert_eq!(partitions("audit_event_%_short").await, 4);
    assert_eq!(partitions("exchange_%_standard").await, 6);
    assert_eq!(partitions("finding_%_standard").await, 6);
    assert_eq!(partitions("audit_chain_%").await, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_leaps_costs_a_few_days_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon(FIRST);
    let config = AuditConfig { clock: time.clock(), ..sqlite(folder.path()) };
    let audit = Audit::open(config.clone()).await.unwrap();
    days(&audit, &time, 20).await;
    assert!(audit.close(PATIENCE).await);
    // From now on days are given up, and the clock says that a year is over.
    let config = AuditConfig { retention: retention(), ..config };
    let audit = Audit::open(config.clone()).await.unwrap();
    time.set_noon(FIRST.checked_add(1.year()).unwrap().min(jiff::Zoned::now().date().checked_sub(1.day()).unwrap()));
    assert!(audit.flush(PATIENCE).await);
    let given_up = audit.retain(Pace::Slow).await.unwrap();
    let days = |part: Part, class: &str| {
        given_up.iter().filter(|one| one.part == part && one.class.as_deref() == Some(class)).count()
    };
    assert_eq!((days(Part::Events, "standard"), days(Part::Review, "standard")), (3, 3), "{given_up:?}");
    assert!(
        audit.retain(Pace::Slow).await.unwrap().iter().all(|one| one.part == Part::Chain),
        "not more in the next hour"
    );
    assert_eq!(verify(&config).await[0].broken, None);
    // Somebody looked at it.
    assert!(audit.retain(Pace::All).await.unwrap().len() > 30);
    assert!(audit.close(PATIENCE).await);
    let report = verify(&config).await.remove(0);
    assert_eq!(report.broken, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_without_a_seal_explains_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon(FIRST);
    let config = AuditConfig { clock: time.clock(), retention: retention(), ..sqlite(folder.path()) };
    let audit = Audit::open(config.clone()).await.unwrap();
    days(&audit, &time, 6).await;
    assert!(audit.close(PATIENCE).await);
    let mut lines = Vec::new();
    let each = |line: &Line| {
        lines.push(line.clone());
        Ok(())
    };
    AuditReader::open(&config).await.unwrap().export(&Wanted::default(), each).await.unwrap();
    let is_of_events = |body: &str| body.contains("\"kind\":\"tombstone\"") && body.contains("\"part\":\"events\"");
    let last_tombstone =
        lines.iter().rposition(|line| line.event.as_ref().is_some_and(|event| is_of_events(&event.body))).unwrap();
    lines.truncate(last_tombstone + 1);
    let file = folder.path().join("record.jsonl");
    std::fs::write(&file, lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect::<String>())
        .unwrap();
    let unsigned = Evidence::default();
    let broken = verify_file(&file, &unsigned).unwrap().remove(0).broken.unwrap();
    assert!(broken.kind == BreakKind::Missing && broken.detail.contains("under no seal"), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_without_a_seal_explains_no_row_either() {
    // What goes last, of all that goes: anything that went after it would be missed first.
    for (part, review, texts) in [("review", 3, 3), ("texts", 10, 3)] {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let time = Time::at_noon(FIRST);
        let keep = Keep { events: Some(10), review: Some(review), texts: Some(texts) };
        let retention = Retention {
            keep: ["standard", "system"].map(|class| (class.to_owned(), keep)).into(),
            classes: Classes::default(),
        };
        let config = AuditConfig { clock: time.clock(), retention, ..sqlite(folder.path()) };
        let audit = Audit::open(config.clone()).await.unwrap();
        days(&audit, &time, 7).await;
        assert!(audit.close(PATIENCE).await);
        // A reader on another machine sees no more than the store: there the record ends with a tombstone.
        let StoreConfig::Sqlite { path } = &config.store else { panic!() };
        let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let last = format!(
            "(SELECT max(seq) FROM audit_event WHERE kind = 'tombstone' AND body LIKE '%\"part\":\"{part}\"%')"
        );
        for sql in [
            format!(
                "DELETE FROM exchange WHERE exchange_id IN (SELECT exchange_id FROM audit_event WHERE seq > {last})"
            ),
            format!("DELETE FROM audit_chain WHERE seq > {last}"),
            format!("DELETE FROM audit_event WHERE seq > {last}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        let reader = AuditConfig { store: config.store.clone(), ..sqlite(elsewhere.path()) };
        let reports = AuditReader::open(&reader).await.unwrap().verify(&evidence(&config)).await.unwrap();
        let broken = reports[0].broken.clone().unwrap();
        assert!(broken.detail.contains(part) && broken.detail.contains("under no seal"), "{part}: {broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_tombstone_and_drop_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon(FIRST);
    let config = AuditConfig { clock: time.clock(), retention: retention(), ..sqlite(folder.path()) };
    let audit = Audit::open(config.clone()).await.unwrap();
    days(&audit, &time, 4).await;
    assert!(audit.flush(PATIENCE).await);
    // What is dropped is put back: as if the program had died after the tombstone.
    let StoreConfig::Sqlite { path } = &config.store else { panic!() };
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let mut run = async |sql: &str| {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    };
    run("CREATE TABLE kept AS SELECT * FROM audit_event WHERE class = 'short'").await;
    time.set_noon(FIRST.checked_add(4.days()).unwrap());
    let first = audit.retain(Pace::All).await.unwrap();
    assert!(first.iter().any(|one| one.part == Part::Events && one.day == FIRST), "{first:?}");
    run("INSERT INTO audit_event SELECT * FROM kept WHERE (node, seq) NOT IN (SELECT node, seq FROM audit_event)")
        .await;
    assert_eq!(verify(&config).await[0].broken, None, "told and still there");
    let again = audit.retain(Pace::All).await.unwrap();
    assert!(again.iter().any(|one| one.part == Part::Events && one.day == FIRST), "{again:?}");
    assert!(audit.close(PATIENCE).await);
    let report = verify(&config).await.remove(0);
    assert_eq!((report.broken, report.gone), (None, 2));
}
