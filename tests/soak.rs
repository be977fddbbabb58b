//! Proofs that take long: `make soak`. What they print is in `docs/reliability.md`, with date and commit.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test code"
)]

#[path = "soak/load.rs"]
mod load;
#[path = "soak/pages.rs"]
mod pages;
mod support;

use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::date;
use portcullis::audit::{Audit, AuditConfig, Begin, Classes, End, Keep, Outcome, Pace, PassageText, Retention};
use portcullis::base::ExchangeId;
use portcullis::text::Role;
use portcullis::verdict::Action;
use support::audit::{PATIENCE, Time, begin, end, postgres, verify};
use support::crash::{database_kills, draw, killed, nothing_is_lost};
use support::postgres::Cluster;
use uuid::{NoContext, Timestamp, Uuid};

#[test]
#[ignore = "run by the tests below, as a process to kill"]
fn child() {
    support::crash::child();
}

/// How often: a number from the environment, so that a short run can be tried.
fn rounds(usual: usize) -> usize {
    std::env::var("SOAK_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("SOAK_ROUNDS is a number"))
}

/// 100 times `kill -9` under load at a random moment within two seconds; in every fifth round the database dies as well.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: make soak"]
async fn kills() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let config = postgres(folder.path(), url.clone());
    let (mut acknowledged, begun) = (Vec::new(), Instant::now());
    let (rounds, mut outages) = (rounds(100), 0);
    for round in 0..rounds {
        let time = Duration::from_millis(draw(2000));
        let got = killed(folder.path(), Some(&url), || {
            if round % 5 == 4 {
                outages += 1;
                std::thread::sleep(time / 2);
                cluster.down();
                std::thread::sleep(time / 2);
            } else {
                std::thread::sleep(time);
            }
        });
        if round % 5 == 4 {
            cluster.up();
        }
        assert!(!got.is_empty());
        acknowledged.extend(got);
    }
    let tally = nothing_is_lost(&config, &acknowledged).await;
    println!("{rounds} kills, {outages} of them with the database, in {:?}: {tally:?}", begun.elapsed());
}

/// PostgreSQL dies at random moments while batches are written, and is down for up to half a second each time.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: make soak"]
async fn database_dies() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let kills = database_kills(&postgres(folder.path(), url), &cluster, rounds(50)).await;
    println!("{} kills of PostgreSQL in {:?}: {kills:?}", rounds(50), begun.elapsed());
}

/// PostgreSQL is stopped for minutes under load.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: make soak"]
async fn database_away() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let config = postgres(folder.path(), url);
    let audit = Audit::open(config.clone()).await.unwrap();
    cluster.down();
    let (begun, away) = (Instant::now(), Duration::from_secs(rounds(180) as u64));
    let mut exchanges = 0_i64;
    while begun.elapsed() < away {
        support::audit::exchange(&audit).await;
        exchanges += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waiting = audit.status();
    cluster.up();
    let back = Instant::now();
    assert!(audit.close(Duration::from_secs(600)).await);
    let caught_up = back.elapsed();
    assert_eq!(cluster.count("audit", "SELECT count(*) FROM exchange").await, exchanges);
    assert_eq!(verify(&config).await[0].broken, None);
    println!(
        "away for {away:?}: {exchanges} exchanges, {} MB in the spool; caught up in {caught_up:?}",
        waiting.spool_bytes / 1_000_000
    );
}

/// A year of days of three classes of tenants, with the retention of each night.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: make soak"]
async fn a_year_of_retention() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let first = date(2025, 11, 1);
    let time = Time::at_noon(first);
    let keep = |events, review, texts| Keep { events: Some(events), review: Some(review), texts: Some(texts) };
    let retention = Retention {
        keep: [
            ("standard", keep(90, 60, 14)),
            ("short", keep(7, 7, 1)),
            ("long", keep(180, 90, 30)),
            ("system", keep(180, 180, 180)),
        ]
        .map(|(name, keep)| (name.to_owned(), keep))
        .into(),
        classes: Classes {
            tenants: [("hasty", "short"), ("bank", "long")].map(|(tenant, class)| (tenant.into(), class.into())).into(),
        },
    };
    let config = AuditConfig { clock: time.clock(), retention, ..postgres(folder.path(), url) };
    let audit = Audit::open(config.clone()).await.unwrap();
    let (begun, days) = (Instant::now(), i32::try_from(rounds(365)).unwrap());
    let (mut exchanges, mut given_up) = (0, 0);
    for day in 0..days {
        time.set_noon(first.checked_add(day.days()).unwrap());
        for tenant in ["acme", "hasty", "bank"] {
            for _ in 0..20 {
                record(&audit, &time, tenant).await;
                exchanges += 1;
            }
        }
        assert!(audit.flush(PATIENCE).await);
        given_up += audit.retain(Pace::All).await.unwrap().len();
    }
    assert!(audit.close(PATIENCE).await);
    let partitions = cluster
        .count(
            "audit",
            "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND NOT relname LIKE '%_pkey'",
        )
        .await;
    let megabytes = cluster.count("audit", "SELECT pg_database_size('audit') / 1000000").await;
    let reports = verify(&config).await;
    assert_eq!(reports[0].broken, None, "{reports:?}");
    for (table, kept) in [
        ("audit_event_%_standard", 91),
        ("audit_event_%_short", 8),
        ("audit_event_%_long", 181),
        ("exchange_%_long", 91),
        ("passage_text_%_standard", 15),
        ("audit_chain_%", 181),
    ] {
        let sql =
            format!("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE '{table}'");
        assert_eq!(cluster.count("audit", &sql).await, kept.min(i64::from(days)), "{table}");
    }
    println!(
        "{days} days, {exchanges} exchanges, {given_up} parts given up in {:?}; {partitions} partitions, {megabytes} MB, {} records verified",
        begun.elapsed(),
        reports[0].records
    );
}

/// One exchange with a text, at the time that stands.
async fn record(audit: &Audit, time: &Time, tenant: &str) {
    let now = time.now();
    let seconds = u64::try_from(now.as_second()).unwrap();
    let id = ExchangeId::from(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, 0)));
    let text = PassageText { role: Role::User, place: "/messages/0/content".into(), text: "the plan ".repeat(30) };
    let prompt_text = Some(vec![text].into());
    let mut slot = audit.reserve().unwrap();
    slot.begin(Begin { at: now, tenant: tenant.into(), prompt_text, ..begin(id, Action::Flag) }).await.unwrap();
    slot.end(End { at: now, ..end(Outcome::Completed) });
}
