//! kill -9 at random moments: every acknowledged event is in the database after the restart.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code"
)]

mod support;

use std::time::Duration;

use portcullis::audit::{AuditConfig, AuditReader};
use portcullis::base::Secret;
use support::audit::{postgres, sqlite};
use support::crash::{killed_after, nothing_is_lost, random_times};
use support::postgres::Cluster;

#[test]
#[ignore = "run by the tests below, as a process to kill"]
fn child() {
    support::crash::child();
}

async fn kill_rounds(config: AuditConfig, url: Option<Secret>, count: usize) {
    let times = random_times(count);
    println!("killed after {times:?}");
    let mut acknowledged = Vec::new();
    for time in times {
        let got = killed_after(time, &config.state_dir, url.as_ref());
        assert!(!got.is_empty());
        acknowledged.extend(got);
    }
    println!("{:?}", nothing_is_lost(&config, &acknowledged).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_with_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill_rounds(sqlite(folder.path()), None, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_with_postgres() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    kill_rounds(postgres(folder.path(), url.clone()), Some(url), 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_while_the_database_is_away_loses_nothing() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    let config = postgres(folder.path(), url.clone());
    cluster.down();
    let early = killed_after(Duration::from_millis(50), folder.path(), Some(&url));
    assert!(!early.is_empty());
    cluster.up();
    kill_rounds(config.clone(), Some(url), 2).await;
    let mut reader = AuditReader::open(&config).await.unwrap();
    for id in early {
        assert!(reader.show(id).await.unwrap().is_some());
    }
}
