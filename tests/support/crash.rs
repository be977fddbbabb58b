//! A process that records until it is killed, and what must be true afterwards.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis::audit::{Audit, AuditConfig, AuditReader, ExchangeRow, Filter, LIST_MAX, Outcome};
use portcullis::base::{ExchangeId, Secret};
use portcullis::verdict::Action;

use super::audit::{PATIENCE, begin, end, exchange, postgres, refused, sqlite, verify};
use super::postgres::Cluster;

const FOLDER: &str = "PORTCULLIS_TEST_CRASH_FOLDER";
const URL: &str = "PORTCULLIS_TEST_CRASH_URL";

/// The process: writes events and tells each acknowledged one on stdout. A binary that uses this module has an ignored test
/// `child` that calls this.
pub fn child() {
    let folder = std::env::var(FOLDER).expect("only the tests that kill it run this");
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

/// Runs the child, kills it, gives what it had acknowledged. `meanwhile` runs for as long as it may write.
pub fn killed(folder: &Path, url: Option<&Secret>, meanwhile: impl FnOnce()) -> Vec<ExchangeId> {
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
    // Read on all the while: a full pipe would stop the child.
    std::thread::scope(|scope| {
        let rest = scope.spawn(|| lines.map_while(Result::ok).filter(|line| line.len() >= 40).for_each(take));
        meanwhile();
        child.kill().unwrap();
        rest.join().unwrap();
    });
    child.wait().unwrap();
    acknowledged
}

/// The same, killed after a time.
pub fn killed_after(time: Duration, folder: &Path, url: Option<&Secret>) -> Vec<ExchangeId> {
    killed(folder, url, || std::thread::sleep(time))
}

/// What a store holds after kills.
#[derive(Debug)]
pub struct Tally {
    pub acknowledged: usize,
    pub stored: usize,
    pub interrupted: usize,
    pub records: u64,
}

/// Everything acknowledged is in the store, once; no exchange is open; the chain is whole.
pub async fn nothing_is_lost(config: &AuditConfig, acknowledged: &[ExchangeId]) -> Tally {
    let audit = Audit::open(config.clone()).await.unwrap();
    assert!(audit.close(PATIENCE).await);
    let rows = all(config).await;
    let stored: HashSet<_> = rows.iter().map(|row| row.exchange_id.clone()).collect();
    assert_eq!(stored.len(), rows.len());
    let lost: Vec<_> = acknowledged.iter().filter(|id| !stored.contains(&id.to_string())).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost: {lost:?}", lost.len(), acknowledged.len());
    assert!(rows.iter().all(|row| row.outcome.is_some()), "no exchange stays open");
    let count = |outcome: &str| rows.iter().filter(|row| row.outcome.as_deref() == Some(outcome)).count();
    let interrupted = count("interrupted");
    assert!(interrupted > 0 && count("completed") > 0 && count("refused") > 0, "{interrupted} interrupted");
    let chains = verify(config).await;
    assert_eq!(chains.len(), 2, "one in the store, one in the spool");
    assert!(chains.iter().all(|chain| chain.broken.is_none()), "{chains:?}");
    Tally { acknowledged: acknowledged.len(), stored: rows.len(), interrupted, records: chains[0].records }
}

async fn all(config: &AuditConfig) -> Vec<ExchangeRow> {
    let mut reader = AuditReader::open(config).await.unwrap();
    let mut rows: Vec<ExchangeRow> = Vec::new();
    loop {
        let before = rows.last().map(|row| row.exchange_id.parse().unwrap());
        let page = reader.list(&Filter { limit: Some(LIST_MAX), before, ..Filter::default() }).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// What kills of a database met.
#[derive(Debug, Default)]
pub struct Kills {
    /// Kills while the database had not said that a batch was taken.
    pub kills_in_a_batch: usize,
    pub exchanges: usize,
    pub records: u64,
}

/// Records from eight writers while the database is killed again and again, at random moments. Afterwards everything is in it once.
pub async fn database_kills(config: &AuditConfig, cluster: &Cluster, count: usize) -> Kills {
    let audit = Audit::open(config.clone()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (audit, stop) = (audit.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut ids = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    ids.push(exchange(&audit).await);
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
                ids
            })
        })
        .collect();
    let mut kills = Kills::default();
    for _ in 0..count {
        // Until it takes records, and then into the middle of it.
        let before = audit.status().shipped_seq;
        until(|| audit.status().shipped_seq > before).await;
        tokio::time::sleep(Duration::from_millis(draw(300))).await;
        kills.kills_in_a_batch += usize::from(audit.status().queue_depth > 0);
        cluster.down();
        tokio::time::sleep(Duration::from_millis(draw(500))).await;
        cluster.up();
    }
    stop.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for writer in writers {
        ids.extend(writer.await.unwrap());
    }
    assert!(audit.close(PATIENCE).await);
    let rows: HashSet<_> = all(config).await.into_iter().map(|row| row.exchange_id).collect();
    assert_eq!(rows.len(), ids.len());
    assert!(ids.iter().all(|id| rows.contains(&id.to_string())));
    let chain = verify(config).await.remove(0);
    assert_eq!(chain.broken, None);
    Kills { exchanges: ids.len(), records: chain.records, ..kills }
}

async fn until(done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "the database takes nothing");
}

/// Spread over the first instants and a good while after; drawn anew each run.
pub fn random_times(count: usize) -> Vec<Duration> {
    (0..count).map(|round| Duration::from_millis(draw(20 << (round % 5)))).collect()
}

/// A number below `bound`.
pub fn draw(bound: u64) -> u64 {
    ExchangeId::new().uuid().as_u128() as u64 % bound
}
