//! How soon the console's first pages are there, with a million records in PostgreSQL.

use std::time::Instant;

use http::Method;

use crate::rounds;
use crate::support::appliance::Settings;
use crate::support::audit::postgres;
use crate::support::http::Client;
use crate::support::past::lived_in;
use crate::support::postgres::Cluster;

/// What the pages ask when they are opened.
const PAGES: [(&str, &str); 10] = [
    ("overview, 24 h", "/api/v1/overview?range=24h"),
    ("overview, 7 d", "/api/v1/overview?range=7d"),
    ("incidents", "/api/v1/incidents?limit=100"),
    ("incidents, grouped", "/api/v1/incidents?group=1&limit=100"),
    ("incidents, by rule", "/api/v1/incidents?rule=SEC-003&limit=100"),
    ("incidents, by words", "/api/v1/incidents?q=system+prompt&limit=100"),
    ("rules", "/api/v1/rules"),
    ("principals", "/api/v1/principals"),
    ("exchanges", "/api/v1/exchanges?limit=100"),
    ("integrity", "/api/v1/integrity"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: make soak"]
async fn pages() {
    let cluster = Cluster::start();
    let url = cluster.database("audit").await;
    let settings = Settings::new("  - { name: demo, mock: true, models: ['*'] }").rules_only();
    let settings = settings.with("store: sqlite", "store: { postgres_env: AUDIT_URL }");
    let mut appliance = settings.variable("AUDIT_URL", url.expose()).prepare();
    std::fs::create_dir_all(appliance.state()).unwrap();
    // Every third exchange is an incident, and each has two records.
    let incidents = 170_000 * u32::try_from(rounds(100)).unwrap() / 100;
    let begun = Instant::now();
    lived_in(postgres(&appliance.state(), url), incidents).await;
    let records = cluster.count("audit", "SELECT count(*) FROM audit_event").await;
    println!("{records} records, {incidents} incidents, stored in {:?}", begun.elapsed());
    // As autovacuum does sooner or later.
    cluster.execute("audit", "ANALYZE").await;
    appliance.start();

    let (client, token) = (Client::http1(), format!("Bearer {}", appliance.token()));
    for (name, path) in PAGES {
        let url = appliance.admin_url(path);
        let mut times = Vec::new();
        for _ in 0..20 {
            let asked = Instant::now();
            let reply = client.send(Method::GET, &url, &[("authorization", &token)], "").await;
            assert_eq!(reply.status, 200, "{name}: {}", reply.text());
            times.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        println!("{name}: {first:.0} ms the first time, p50 {:.0} ms, most {:.0} ms", times[10], times[19]);
    }
    appliance.stop();
}
