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

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portcullis::audit::{Audit, AuditConfig, AuditReader, Outcome};
use portcullis::base::{ExchangeId, Secret};
use portcullis::verdict::Action;
use support::audit::{PATIENCE, begin, end, postgres, refused, sqlite, verify};
use support::postgres::Cluster;

const FOLDER: &str = "PORTCULLIS_TEST_CRASH_FOLDER";
const URL: &str = "PORTCULLIS_TEST_CRASH_URL";

/// The child: writes events and tells each acknowledged one on stdout, until it is killed.
#[test]
#[ignore = "run by the tests below, as a process to kill"]
fn child() {
    let folder = std::env::var(FOLDER).expect("only the tests below run this");
    let config = match std::env::var(URL) {
        Ok(url) => postgres(Path::new(&folder), Secret::new(url)),
        Err(_) => sqlite(Path::new(&folder)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let audit = Audit::open(config).await.unwrap();
        let writers = (0..8).map(|writer| tokio::spawn(write(audit.clone(), writer)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

async fn write(audit: Audit, writer: usize) {
    for round in writer.. {
        let id = ExchangeId::new();
        if round % 10 == 0 {
            audit.refuse(refused(id)).await.unwrap();
            acknowledge(id);
            continue;
        }
        let mut slot = audit.reserve().unwrap();
        slot.begin(begin(id, Action::Flag)).await.unwrap();
        acknowledge(id);
        tokio::time::sleep(Duration::from_millis(round as u64 % 5)).await;
        slot.end(end(Outcome::Completed));
    }
}

/// One whole line with one `write`, so that a kill cannot tear it.
fn acknowledge(id: ExchangeId) {
    std::io::stdout().lock().write_all(format!("ack {id}\n").as_bytes()).unwrap();
}

/// Runs the child, kills it, gives what it had acknowledged.
fn killed_after(time: Duration, folder: &Path, url: Option<&Secret>) -> Vec<ExchangeId> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "child", "--nocapture", "--test-threads=1"]).env(FOLDER, folder);
    if let Some(url) = url {
        command.env(URL, url.expose());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    let mut take = |line: String| {
        acknowledged.extend(line.split_once("ack ").map(|(_, id)| id.trim().parse::<ExchangeId>().unwrap()));
    };
    // The clock starts when it writes: start-up on a loaded machine is not what is tested.
    while let Some(Ok(line)) = lines.next() {
        let begun = line.contains("ack ");
        take(line);
        if begun {
            break;
        }
    }
    std::thread::sleep(time);
    child.kill().unwrap();
    lines.map_while(Result::ok).filter(|line| line.len() >= 40).for_each(take);
    child.wait().unwrap();
    acknowledged
}

async fn kill_rounds(config: AuditConfig, url: Option<Secret>, times_ms: &[u64]) {
    let mut acknowledged = Vec::new();
    for time in times_ms {
        let got = killed_after(Duration::from_millis(*time), &config.state_dir, url.as_ref());
        assert!(!got.is_empty());
        acknowledged.extend(got);
    }
    let audit = Audit::open(config.clone()).await.unwrap();
    assert!(audit.close(PATIENCE).await);

    let mut reader = AuditReader::open(&config).await.unwrap();
    let rows = reader.list(&portcullis::audit::Filter { limit: Some(10_000), ..Default::default() }).await.unwrap();
    assert!(rows.len() < 10_000, "the test must see every row");
    let stored: HashSet<_> = rows.iter().map(|row| row.exchange_id.clone()).collect();
    assert_eq!(stored.len(), rows.len());
    let lost: Vec<_> = acknowledged.iter().filter(|id| !stored.contains(&id.to_string())).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost: {lost:?}", lost.len(), acknowledged.len());
    assert!(rows.iter().all(|row| row.outcome.is_some()), "no exchange stays open");
    let interrupted = rows.iter().filter(|row| row.outcome.as_deref() == Some("interrupted")).count();
    let completed = rows.iter().filter(|row| row.outcome.as_deref() == Some("completed")).count();
    assert!(interrupted > 0 && completed > 0, "{interrupted} interrupted, {completed} completed");
    assert!(rows.iter().any(|row| row.outcome.as_deref() == Some("refused")));
    let chains = verify(&config).await;
    assert_eq!(chains.len(), 2, "one in the store, one in the spool");
    assert!(chains.iter().all(|chain| chain.broken.is_none()), "{chains:?}");
    println!("{} acknowledged, {} stored, {interrupted} interrupted", acknowledged.len(), rows.len());
}

/// Spread over the first instants and a good while after; drawn anew each run.
fn random_times(count: usize) -> Vec<u64> {
    let times = (0..count).map(|round| {
        let draw = ExchangeId::new().uuid().as_u128() as u64;
        draw % (20 << round.min(4))
    });
    let times = times.collect();
    println!("kill times in ms: {times:?}");
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_with_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill_rounds(sqlite(folder.path()), None, &random_times(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_with_postgres() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let folder = tempfile::tempdir().unwrap();
    kill_rounds(postgres(folder.path(), url.clone()), Some(url), &random_times(6)).await;
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
    kill_rounds(config.clone(), Some(url), &random_times(2)).await;
    let mut reader = AuditReader::open(&config).await.unwrap();
    for id in early {
        assert!(reader.show(id).await.unwrap().is_some());
    }
}
