//! A database that is away: at start, in the middle, with a full spool. Nothing is lost, order is kept, nothing comes twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod support;

use std::time::Duration;

use jiff::civil::date;
use portcullis::audit::{Audit, AuditConfig, AuditReader, Outcome};
use portcullis::base::{Cause, ExchangeId, Limits};
use portcullis::verdict::Action;
use support::audit::{PATIENCE, Time, begin, end, exchange, postgres, sqlite, verify};
use support::crash::database_kills;
use support::postgres::Cluster;

async fn until(what: &str, audit: &Audit, done: impl Fn(&Audit) -> bool) {
    let wait = async {
        while !done(audit) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never {what}: {:?}", audit.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_and_goes_gets_everything_once_and_in_order() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let config = postgres(folder.path(), url);

    // Away at start.
    cluster.down();
    let audit = Audit::open(config.clone()).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(exchange(&audit).await);
    }
    let status = audit.status();
    assert!(!status.store_ok && status.queue_depth > 0 && status.store_failures > 0, "{status:?}");
    assert!(status.store_error.unwrap().contains("is it running"));
    assert!(!audit.flush(Duration::from_millis(50)).await);

    // There, and away again, while exchanges go on.
    for _ in 0..2 {
        cluster.up();
        for _ in 0..20 {
            ids.push(exchange(&audit).await);
        }
        assert!(audit.flush(PATIENCE).await, "{:?}", audit.status());
        cluster.down();
        for _ in 0..20 {
            ids.push(exchange(&audit).await);
        }
        until("noticed", &audit, |audit| !audit.status().store_ok).await;
    }

    // What waits in the spool can be shown before the database has it.
    cluster.up();
    let mut reader = AuditReader::open(&config).await.unwrap();
    for id in &ids {
        assert!(reader.show(*id).await.unwrap().unwrap().end.is_some(), "in the store or in the spool");
    }
    cluster.down();
    ids.push(exchange(&audit).await);

    // Stopped and started while it is away.
    assert!(!audit.close(Duration::from_millis(50)).await);
    let audit = Audit::open(config.clone()).await.unwrap();
    ids.push(exchange(&audit).await);
    cluster.up();
    assert!(audit.close(PATIENCE).await);

    let mut reader = AuditReader::open(&config).await.unwrap();
    for id in &ids {
        assert_eq!(reader.show(*id).await.unwrap().unwrap().end.unwrap().outcome, Outcome::Completed);
    }
    let chain = verify(&config).await.remove(0);
    assert_eq!(
        (chain.records, chain.broken),
        (ids.len() as u64 * 2 + 2, None),
        "and a seal for each time that it stopped"
    );
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM exchange").await, ids.len() as i64);
    let begins = "SELECT count(*) FROM (SELECT begin_seq, lag(begin_seq) OVER (ORDER BY exchange_id) AS before FROM exchange) \
                  AS pairs WHERE begin_seq < before";
    assert_eq!(cluster.count("audit", begins).await, 0, "ids and sequence numbers are in the same order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_killed_in_the_middle_of_batches_has_every_record_once() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let config = postgres(folder.path(), url);
    let told = database_kills(&config, &cluster, 4).await;
    assert!(told.kills_in_a_batch > 0, "{told:?}");
}

/// Clocks are set, by hand and by NTP: the chain goes on whatever they say, and each record is of the day that they said.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_and_forth_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::at_noon(date(2026, 11, 23));
    let config = AuditConfig { clock: time.clock(), ..sqlite(folder.path()) };
    let mut ids = Vec::new();
    for restart in 0..2 {
        let audit = Audit::open(config.clone()).await.unwrap();
        for day in [date(2026, 11, 23), date(2026, 11, 25), date(2026, 11, 22), date(1999, 1, 1), date(2038, 1, 20)] {
            time.set_noon(day);
            for _ in 0..3 {
                ids.push(exchange(&audit).await);
            }
            if restart == 0 {
                audit.seal().await.unwrap();
            }
        }
        assert!(audit.close(PATIENCE).await);
        time.set_noon(date(2026, 11, 20));
    }
    let reports = verify(&config).await;
    assert!(reports.iter().all(|report| report.broken.is_none()), "{reports:?}");
    assert!(reports[0].sealed_seq + 1 >= reports[0].last_seq, "{reports:?}");
    let mut reader = AuditReader::open(&config).await.unwrap();
    for id in ids {
        assert!(reader.stored(id).await.unwrap().unwrap().end.is_some());
    }
}

/// Limits whose spool takes exactly `slots` slots and little more.
fn tight(slots: u64) -> Limits {
    let limits = Limits { audit_record_bytes: 32 * 1024, ..Limits::default() };
    let record = limits.audit_record_bytes as u64 + 44;
    Limits { spool_bytes: slots * 2 * record, ..limits }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_is_audit_full_at_the_next_slot_and_recovers() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let mut config = postgres(folder.path(), cluster.database("audit").await);
    config.limits = tight(10);
    cluster.down();
    let audit = Audit::open(config.clone()).await.unwrap();
    let mut held: Vec<_> = (0..10).map(|_| audit.reserve().unwrap()).collect();
    assert_eq!(audit.reserve().unwrap_err().cause, Cause::AuditFull);
    assert_eq!(audit.status().refused_full, 1);
    drop(held.pop());
    drop(audit.reserve().unwrap());
    drop(held);
    assert_eq!(audit.status().reserved_bytes, 0);

    // Fill it with real records until it refuses; every reserved slot must still find its room.
    let mut ids = Vec::new();
    let refusal = loop {
        let quiet = audit.status().slots == 0;
        let mut slot = match audit.reserve() {
            Ok(slot) => slot,
            Err(refusal) if quiet => break refusal,
            // An end that is still being written holds a whole record's room.
            Err(_) => {
                tokio::task::yield_now().await;
                continue;
            }
        };
        let id = ExchangeId::new();
        slot.begin(begin(id, Action::Flag)).await.unwrap();
        slot.end(end(Outcome::Completed));
        ids.push(id);
    };
    assert!(refusal.detail.contains("limits.spool_bytes"), "{refusal}");
    let status = audit.status();
    assert!(status.spool_bytes <= config.limits.spool_bytes && ids.len() > 50, "{} {status:?}", ids.len());
    assert_eq!(audit.refuse(support::audit::refused(ExchangeId::new())).await.unwrap_err().cause, Cause::AuditFull);

    cluster.up();
    assert!(audit.flush(PATIENCE).await);
    until("emptied", &audit, |audit| audit.status().spool_bytes < config.limits.spool_bytes / 4).await;
    for _ in 0..200 {
        ids.push(exchange(&audit).await);
        if audit.status().spool_bytes > config.limits.spool_bytes / 2 {
            assert!(audit.flush(PATIENCE).await);
        }
    }
    assert!(audit.close(PATIENCE).await);
    assert_eq!(
        cluster.count("audit", "SELECT count(*) FROM exchange WHERE outcome = 'completed'").await,
        ids.len() as i64
    );
    assert_eq!(verify(&config).await[0].broken, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_bounded_at_n_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = sqlite(folder.path());
    config.limits.audit_slots = 3;
    let audit = Audit::open(config).await.unwrap();
    let mut slots: Vec<_> = (0..3).map(|_| audit.reserve().unwrap()).collect();
    let refusal = audit.reserve().unwrap_err();
    assert!(refusal.cause == Cause::AuditFull && refusal.detail.contains("limits.audit_slots"), "{refusal}");
    let mut slot = slots.pop().unwrap();
    slot.begin(begin(ExchangeId::new(), Action::Allow)).await.unwrap();
    assert_eq!(slot.begin(begin(ExchangeId::new(), Action::Allow)).await.unwrap_err().cause, Cause::Internal);
    slot.end(end(Outcome::Completed));
    assert!(audit.flush(PATIENCE).await);
    assert!(audit.reserve().is_ok());
    drop(slots);
    assert_eq!(audit.status().slots, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn opted_in_text_is_kept_up_to_its_limit_and_the_cut_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = sqlite(folder.path());
    config.limits.audit_text_bytes = 100_000;
    let audit = Audit::open(config.clone()).await.unwrap();
    for (bytes, lost) in [(100_000, 0), (100_001, 1)] {
        let id = ExchangeId::new();
        let text = portcullis::audit::PassageText {
            role: portcullis::text::Role::User,
            place: "/messages/0/content".into(),
            text: "\u{1}".repeat(bytes),
        };
        let mut slot = audit.reserve().unwrap();
        slot.begin(portcullis::audit::Begin { prompt_text: Some(vec![text].into()), ..begin(id, Action::Allow) })
            .await
            .unwrap();
        slot.end(end(Outcome::Completed));
        assert!(audit.flush(PATIENCE).await);
        let stored = AuditReader::open(&config).await.unwrap().show(id).await.unwrap().unwrap().begin.unwrap();
        assert_eq!(
            (stored.prompt_text.unwrap().passages().unwrap()[0].text.len(), stored.cut.text_bytes),
            (100_000, lost)
        );
    }
    assert_eq!(audit.status().reserved_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_database_refuses_cost_no_record() {
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let config = postgres(folder.path(), cluster.database("audit").await);
    let audit = Audit::open(config.clone()).await.unwrap();
    cluster.execute("audit", "ALTER TABLE finding ADD CHECK (tenant <> 'odd')").await;
    cluster.down();
    let mut ids = Vec::new();
    for number in 0..20 {
        let tenant = if number == 7 { "odd" } else { "acme" };
        let id = ExchangeId::new();
        let mut slot = audit.reserve().unwrap();
        slot.begin(portcullis::audit::Begin { tenant: tenant.into(), ..begin(id, Action::Flag) }).await.unwrap();
        slot.end(end(Outcome::Completed));
        ids.push(id);
    }
    cluster.up();
    assert!(audit.flush(PATIENCE).await, "{:?}", audit.status());
    assert_eq!(audit.status().bare, 1);
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM audit_event").await, 40);
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM exchange WHERE begin_seq IS NOT NULL").await, 19);
    let mut reader = AuditReader::open(&config).await.unwrap();
    assert!(reader.show(ids[7]).await.unwrap().unwrap().begin.is_some());

    // A retention job that drops today's partitions under our feet: the next records make new ones.
    let day = "DO $$ DECLARE t text; BEGIN FOR t IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent::regclass::text IN \
               ('audit_event', 'exchange', 'verdict', 'finding') AND inhrelid::regclass::text NOT LIKE '%idx%' \
               LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$";
    cluster.execute("audit", day).await;
    let later = exchange(&audit).await;
    assert!(audit.flush(PATIENCE).await, "{:?}", audit.status());
    assert!(reader.show(later).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_open_in_the_store_alone_is_closed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    let audit = Audit::open(config.clone()).await.unwrap();
    let id = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(id, Action::Allow)).await.unwrap();
    // As after a crash: the slot's drop never runs, and the segment is shipped and gone.
    std::mem::forget(slot);
    assert!(audit.close(PATIENCE).await);
    for entry in std::fs::read_dir(folder.path().join("audit")).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let audit = Audit::open(config.clone()).await.unwrap();
    let mut reader = AuditReader::open(&config).await.unwrap();
    let wait = async {
        while reader.show(id).await.unwrap().unwrap().end.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok());
    assert_eq!(reader.show(id).await.unwrap().unwrap().end.unwrap().outcome, Outcome::Interrupted);
    assert!(audit.flush(PATIENCE).await);
    assert_eq!(reader.list(&Default::default()).await.unwrap()[0].outcome.as_deref(), Some("interrupted"));
    assert!(audit.close(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_in_the_middle_of_a_begin_leaves_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let config = sqlite(folder.path());
    let audit = Audit::open(config.clone()).await.unwrap();
    for _ in 0..200 {
        let mut slot = audit.reserve().unwrap();
        tokio::select! {
            biased;
            _ = slot.begin(begin(ExchangeId::new(), Action::Allow)) => {}
            () = std::future::ready(()) => {}
        }
    }
    assert!(audit.flush(PATIENCE).await);
    let status = audit.status();
    assert_eq!((status.slots, status.reserved_bytes), (0, 0), "{status:?}");
    let filter = portcullis::audit::Filter { limit: Some(1000), ..Default::default() };
    let rows = AuditReader::open(&config).await.unwrap().list(&filter).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.outcome.as_deref() == Some("interrupted")).count(), 200);
}
