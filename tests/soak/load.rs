//! 2,000 events a second into PostgreSQL, and what that costs the requests that go through meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use portcullis::app::App;
use portcullis::audit::Outcome;
use portcullis::base::ExchangeId;
use portcullis::config::Source;
use portcullis::provider::{MockConfig, MockProvider};
use portcullis::telemetry::metrics;
use portcullis::verdict::Action;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::rounds;
use super::support::appliance::Settings;
use super::support::audit::{PATIENCE, begin, end};
use super::support::http::Client;
use super::support::postgres::Cluster;

/// Exchanges recorded in a second beside the measured requests; each is two events.
const EXCHANGES: u64 = 1000;
/// Requests measured in a second.
const REQUESTS: u64 = 50;
/// One stretch with or without the load; they take turns, so that a machine that slows down slows both.
const STRETCH: Duration = Duration::from_secs(10);

/// Five minutes of load, in stretches that take turns with as many without it. A durable PostgreSQL on the same machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long: make soak"]
async fn load() {
    let (cluster, folder) = (Cluster::durable(), tempfile::tempdir().unwrap());
    let url = cluster.database("audit").await;
    let mock = MockProvider::start("127.0.0.1:0".parse().unwrap(), MockConfig::default()).await.unwrap();
    let settings = Settings::for_upstream(mock.addr()).rules_only();
    let text =
        settings.with("store: sqlite", "store: { postgres_env: AUDIT_URL }").with("models: ['*']", "models: [demo]");
    std::fs::write(folder.path().join("portcullis.yaml"), text.text()).unwrap();
    let environment = vec![("AUDIT_URL".to_owned(), url.expose().to_owned())];
    let source = Source::new(Some(folder.path().join("portcullis.yaml")), environment);
    let loaded = source.read().unwrap().load().unwrap();
    let app = App::start(loaded.config, (source, loaded.written), metrics::install().unwrap()).await.unwrap();
    let app = Arc::new(app);

    let client = Client::http1();
    measure(&app, &client, false).await;
    let (mut quiet, mut busy) = (Stretch::default(), Stretch::default());
    let begun = Instant::now();
    for _ in 0..rounds(30) {
        quiet.add(measure(&app, &client, false).await);
        busy.add(measure(&app, &client, true).await);
    }
    let audit = app.proxy().audit.of_tenant("acme").clone();
    assert!(audit.flush(PATIENCE).await, "{:?}", audit.status());
    let stored =
        cluster.count("audit", "SELECT count(*) FROM exchange WHERE outcome IS NOT NULL AND tenant = 'acme'").await;
    assert_eq!(u64::try_from(stored).unwrap(), busy.recorded, "accepted is stored");
    assert_eq!(audit.status().refused_full, 0, "no exchange was held up or refused for the record's sake");
    let per_second = 2.0 * busy.recorded as f64 / (STRETCH.as_secs_f64() * rounds(30) as f64);
    println!(
        "{:.0} events/s for {:?} of {:?}, at most {} waiting",
        per_second,
        STRETCH * rounds(30) as u32,
        begun.elapsed(),
        busy.waiting
    );
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let (alone, beside) = (quiet.quantile(share), busy.quantile(share));
        println!(
            "{name}: {alone:.2} ms alone, {beside:.2} ms beside the load: {:+.1} %",
            (beside / alone - 1.0) * 100.0
        );
    }
    Arc::into_inner(app).unwrap().stop().await;
    mock.stop().await;
}

/// What stretches of one kind met.
#[derive(Default)]
struct Stretch {
    /// Milliseconds of each request.
    times: Vec<f64>,
    /// Exchanges recorded beside them.
    recorded: u64,
    /// Records that waited for PostgreSQL, at most.
    waiting: u64,
}

impl Stretch {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.recorded += other.recorded;
        self.waiting = self.waiting.max(other.waiting);
    }

    fn quantile(&mut self, share: f64) -> f64 {
        self.times.sort_by(f64::total_cmp);
        self.times[((self.times.len() - 1) as f64 * share) as usize]
    }
}

/// Requests at a steady rate, each begun in its time whether or not the ones before have ended.
async fn measure(app: &Arc<App>, client: &Client, busy: bool) -> Stretch {
    let recorded = Arc::new(AtomicU64::new(0));
    let load = busy.then(|| {
        let (app, recorded) = (Arc::clone(app), Arc::clone(&recorded));
        // On a thread of its own: what makes the load is no part of the appliance.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(record(app, recorded));
        })
    });
    let url = format!("http://{}/v1/chat/completions", app.data);
    let mut requests = JoinSet::new();
    let mut ticks = interval(Duration::from_micros(1_000_000 / REQUESTS));
    let (begun, mut waiting) = (Instant::now(), 0);
    while begun.elapsed() < STRETCH {
        ticks.tick().await;
        let (client, url) = (client.clone(), url.clone());
        let body =
            json!({ "model": "demo", "messages": [{ "role": "user", "content": "What is a heron?" }] }).to_string();
        requests.spawn(async move {
            let sent = Instant::now();
            let reply = client.send(Method::POST, &url, &[("content-type", "application/json")], body).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            sent.elapsed().as_secs_f64() * 1000.0
        });
        waiting = waiting.max(app.proxy().audit.status().queue_depth);
    }
    let times = requests.join_all().await;
    if let Some(load) = load {
        tokio::task::spawn_blocking(move || load.join().unwrap()).await.unwrap();
    }
    Stretch { times, recorded: recorded.load(Ordering::Relaxed), waiting }
}

/// Exchanges at a steady rate straight into the record.
async fn record(app: Arc<App>, recorded: Arc<AtomicU64>) {
    let audit = app.proxy().audit.of_tenant("acme").clone();
    let mut ticks = interval(Duration::from_micros(1_000_000 / EXCHANGES));
    let mut open = JoinSet::new();
    let begun = Instant::now();
    while begun.elapsed() < STRETCH {
        ticks.tick().await;
        let (audit, recorded) = (audit.clone(), Arc::clone(&recorded));
        open.spawn(async move {
            let mut slot = audit.reserve().unwrap();
            slot.begin(begin(ExchangeId::new(), Action::Flag)).await.unwrap();
            slot.end(end(Outcome::Completed));
            recorded.fetch_add(1, Ordering::Relaxed);
        });
    }
    open.join_all().await;
}
