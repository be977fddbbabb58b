//! Reload and rollback of the real binary: by signal, by watched files, by the admin port and the command line, under load.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

#[path = "inline_reload/site.rs"]
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::Value;
use site::{Site, ask, echo, masks, rules};
use support::http::Client;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const REQUESTS: usize = 10_000;
const RELOADS: usize = 200;
const CONNECTIONS: usize = 12;
/// Requests for each reload, at least: on a machine of any speed every reload lands among requests.
const EACH: usize = REQUESTS / RELOADS;
/// How long a request waits that is ahead of the reloads.
const AHEAD: Duration = Duration::from_millis(10);

/// One request in so many is streamed.
const STREAMED: usize = 8;

/// At least 10,000 requests while 200 reloads land among them, some of them broken: no error, and every reply is one policy's, from
/// what the provider saw to the last byte that it said. So says the record, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load() {
    let mut site = Site::new(echo(None).await, true);
    site.appliance.start();
    let (sent, landed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let url = site.appliance.url("/v1/chat/completions");
    let errors: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut workers: JoinSet<Vec<(String, String)>> = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (sent, landed, url, errors) = (Arc::clone(&sent), Arc::clone(&landed), url.clone(), Arc::clone(&errors));
        workers.spawn(async move {
            let client = Client::http1();
            let mut seen = Vec::new();
            loop {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let landed = landed.load(Ordering::Relaxed);
                if number >= REQUESTS && landed == RELOADS {
                    return seen;
                }
                // Never at rest: a policy must not change while nothing is in flight.
                if number >= (landed + 2) * EACH {
                    tokio::time::sleep(AHEAD).await;
                }
                let reply = ask(&client, &url, number % STREAMED == 0).await;
                match masks(&reply) {
                    Ok(mask) => seen.push((reply.field("x-request-id").unwrap().to_owned(), mask)),
                    Err(error) => errors.lock().unwrap().push(format!("request {number}: {error}")),
                }
            }
        });
    }
    // Which mask is whose: a policy that is gone back to has its own again.
    let mut known = BTreeMap::from([(site.version().await, "P0".to_owned())]);
    let (mut broken, mut rolled_back) = (0, 0);
    for number in 1..=RELOADS {
        while sent.load(Ordering::Relaxed) < (number - 1) * EACH {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(errors.lock().unwrap().is_empty(), "{:#?}", errors.lock().unwrap());
        let before = site.version().await;
        match number % 10 {
            3 | 6 => {
                broken += 1;
                break_it(&site, number).await;
                assert_eq!(site.version().await, before);
            }
            9 => {
                rolled_back += 1;
                let reply = site.rollback().await;
                assert_eq!(reply.status, 200, "{}", reply.text());
                let version = site.version().await;
                assert!(version != before && known.contains_key(&version), "{version}");
            }
            _ => {
                let name = format!("P{number}");
                site.write(&name);
                ask_for_it(&site, number).await;
                let policy =
                    site.until("the new policy", |policy| policy["in_force"]["version"] != before.as_str()).await;
                known.insert(policy["in_force"]["version"].as_str().unwrap().to_owned(), name);
            }
        }
        landed.store(number, Ordering::Relaxed);
    }
    assert!(broken == 40 && rolled_back == 20 && known.len() > 100, "{broken} {rolled_back} {}", known.len());
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    while let Some(done) = workers.join_next().await {
        seen.extend(done.unwrap());
    }
    assert!(errors.lock().unwrap().is_empty(), "{:#?}", errors.lock().unwrap());
    assert!(seen.len() >= REQUESTS, "{}", seen.len());
    let met: BTreeSet<&String> = seen.values().collect();
    assert!(met.len() > 60, "only {} policies met a request", met.len());
    let rows = site
        .appliance
        .record_when("all ends", |rows| rows.len() == seen.len() && rows.iter().all(|row| row["outcome"].is_string()));
    for row in rows {
        let (id, version) = (row["exchange_id"].as_str().unwrap(), row["policy_version"].as_str().unwrap());
        assert_eq!(row["outcome"], "completed", "{row:#}");
        assert_eq!(known.get(version), seen.get(id), "{id} by {version}");
    }
    // The memory of old policies is given back.
    site.until("old policies freed", |policy| policy["live"] == 1).await;
    let kept = site.policy().await["kept"].as_array().unwrap().len();
    assert_eq!(kept, 16, "limits.policies");
    site.appliance.stop();
}

/// Something that must not come into force, asked for by all ways in turn.
async fn break_it(site: &Site, number: usize) {
    let policy = site.policy().await;
    let last = policy["attempts"][0]["at"].clone();
    let text = fs::read_to_string(site.folder().join("secrets/site.yaml")).unwrap();
    match number % 4 {
        0 => site.write_text(&text[..text.len() / 2]),
        1 => site.write_text(&rules("bad").replace("severity: high", &format!("severity: {number}"))),
        2 => site.write_text(&rules("bad").replace("token-[a-z]", "(token-[a-z]")),
        _ => site.write_text(&format!("# {number}\nfamily: secrets\nrules: []\n")),
    }
    ask_for_it(site, number).await;
    let refused = |policy: &Value| policy["attempts"][0]["at"] != last && policy["attempts"][0]["result"] == "refused";
    site.until("the refusal", refused).await;
}

/// By hand through the admin port, by signal, or not at all: the files are watched.
async fn ask_for_it(site: &Site, number: usize) {
    match number % 3 {
        0 => drop(site.reload().await),
        1 => site.appliance.signal("HUP"),
        _ => {}
    }
}

/// A reply that began under one policy ends under it, however many come in between; a request after them meets the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_under_way_keeps_its_policy() {
    let gate = Arc::new(Semaphore::new(0));
    let mut site = Site::new(echo(Some(Arc::clone(&gate))).await, false);
    site.appliance.start();
    let url = site.appliance.url("/v1/chat/completions");
    let client = site.client.clone();
    let streamed = tokio::spawn(async move { ask(&client, &url, true).await });
    support::http::until("the stream is under way", || {
        site.appliance.metrics().contains("portcullis_exchanges_in_flight 1")
    })
    .await;
    for name in ["P1", "P2"] {
        site.write(name);
        let reply = site.reload().await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["result"].as_str()),
            (200, Some("in_force")),
            "{}",
            reply.text()
        );
        assert_eq!(site.mask().await, name);
    }
    // The first policy lives for its stream; the second had nobody left.
    site.until("the second is freed", |policy| policy["live"] == 2).await;
    gate.add_permits(1);
    assert_eq!(masks(&streamed.await.unwrap()), Ok("P0".to_owned()));
    site.until("the first is freed", |policy| policy["live"] == 1).await;
    assert_eq!(site.mask().await, "P2");
}

/// The limits of what is told and of what is in memory, at n and n + 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_hold_at_n_and_n_plus_1() {
    let gate = Arc::new(Semaphore::new(0));
    let mut site = Site::limited(
        echo(Some(Arc::clone(&gate))).await,
        false,
        &[("policies_live", 2), ("policy_attempts", 2), ("policy_problems", 3)],
    );
    site.appliance.start();
    let url = site.appliance.url("/v1/chat/completions");
    let client = site.client.clone();
    let streamed = tokio::spawn(async move { ask(&client, &url, true).await });
    support::http::until("the stream is under way", || {
        site.appliance.metrics().contains("portcullis_exchanges_in_flight 1")
    })
    .await;
    site.write("P1");
    assert_eq!(site.reload().await.json()["result"], "in_force", "two in memory");
    site.write("P2");
    let reply = site.reload().await;
    assert!(reply.status == 422 && reply.text().contains("limits.policies_live"), "{}", reply.text());
    assert_eq!(site.mask().await, "P1");
    gate.add_permits(1);
    assert_eq!(masks(&streamed.await.unwrap()), Ok("P0".to_owned()));
    site.until("the first is freed", |policy| policy["live"] == 1).await;
    assert_eq!(site.reload().await.json()["result"], "in_force");
    assert_eq!(site.policy().await["attempts"].as_array().unwrap().len(), 2);
    for (problems, text) in [
        (3, rules("P3").replace("severity: high", "severity: x").replace("owasp:LLM02:2025", "x")),
        (4, rules("P3").replace("severity: high", "severity: x").replace("owasp:LLM02:2025", "x").replace("both", "x")),
    ] {
        site.write_text(&text);
        let attempt = site.reload().await.json();
        assert_eq!(attempt["problem_count"], problems, "{attempt:#}");
        assert_eq!(attempt["problems"].as_array().unwrap().len(), 3);
    }
    assert_eq!(site.policy().await["attempts"].as_array().unwrap().len(), 2);
}

/// What was refused for a reason that goes by itself comes into force without another change, and is told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_for_a_passing_reason_is_tried_again() {
    let gate = Arc::new(Semaphore::new(0));
    let limits = [("policies_live", 2), ("watch_poll_ms", 200)];
    let mut site = Site::limited(echo(Some(Arc::clone(&gate))).await, true, &limits);
    site.appliance.start();
    let url = site.appliance.url("/v1/chat/completions");
    let client = site.client.clone();
    let streamed = tokio::spawn(async move { ask(&client, &url, true).await });
    support::http::until("the stream is under way", || {
        site.appliance.metrics().contains("portcullis_exchanges_in_flight 1")
    })
    .await;
    let version = site.version().await;
    site.write("P1");
    site.until("two in memory", |policy| policy["in_force"]["version"] != version.as_str()).await;
    site.write("P2");
    site.until("the refusal", |policy| policy["attempts"][0]["passing"] == true).await;
    assert_eq!(site.mask().await, "P1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let attempts = site.policy().await["attempts"].clone();
    assert_eq!(attempts.as_array().unwrap().iter().filter(|one| one["result"] == "refused").count(), 1, "{attempts:#}");
    gate.add_permits(1);
    assert_eq!(masks(&streamed.await.unwrap()), Ok("P0".to_owned()));
    site.until("another try", |policy| policy["attempts"][0]["result"] == "in_force").await;
    assert_eq!(site.mask().await, "P2");
    assert_eq!(site.policy().await["in_force"]["origin"], "file");
}

/// What is wrong is named, all of it, everywhere; nothing of it comes into force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_policy_changes_nothing_and_is_told() {
    let mut site = Site::new(echo(None).await, false);
    site.appliance.start();
    let version = site.version().await;
    site.write_text(&rules("P1").replace("severity: high", "severity: awful").replace("owasp:LLM02:2025", "nonsense"));
    let reply = site.reload().await;
    let attempt = reply.json();
    assert_eq!((reply.status.as_u16(), attempt["result"].as_str()), (422, Some("refused")), "{attempt:#}");
    assert_eq!((attempt["problem_count"].as_u64(), attempt["version"].as_str()), (Some(3), Some(version.as_str())));
    let problem = &attempt["problems"][0];
    assert!(problem["file"].as_str().unwrap().ends_with("rules/secrets/site.yaml"), "{problem:#}");
    assert!(problem["line"].as_u64() > Some(1) && problem["code"].is_string(), "{problem:#}");
    let policy = site.policy().await;
    assert_eq!(policy["attempts"][0]["problems"].as_array().unwrap().len(), 3, "{policy:#}");
    assert_eq!(policy["in_force"]["version"], version.as_str());
    assert_eq!(policy["in_force"]["origin"], "start");
    support::http::until("the log says it too", || site.appliance.output().contains("awful")).await;
    let changes = |origin: &str, result: &str| {
        let labels = format!("{{origin=\"{origin}\",result=\"{result}\"}}");
        site.appliance.counter(&format!("portcullis_policy_changes_total{labels}"))
    };
    assert_eq!(changes("api", "refused"), 1);
    let metrics = site.appliance.metrics();
    assert!(metrics.contains("portcullis_policy_last_change_ok 0"), "{metrics}");
    assert!(metrics.contains(&format!("portcullis_policy_info{{version=\"{version}\",rules=")), "{metrics}");
    let output = site.appliance.command(&["rules", "reload"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("awful") && said.contains("nonsense") && said.contains("stays in force"), "{said}");
    assert_eq!(site.mask().await, "P0");

    // Rules that are well beside a key that needs a restart: nothing of both.
    site.write("P2");
    site.configure("threads: 1", "threads: 2");
    site.configure("region: local", "region: elsewhere");
    let reply = site.reload().await;
    let attempt = reply.json();
    assert_eq!((reply.status.as_u16(), attempt["result"].as_str()), (409, Some("needs_restart")), "{attempt:#}");
    assert_eq!(attempt["needs_restart"], serde_json::json!(["region", "model.threads"]));
    let output = site.appliance.command(&["rules", "reload"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs a restart: region, model.threads"));
    assert_eq!(site.mask().await, "P0");
    site.configure("threads: 2", "threads: 1");
    site.configure("region: elsewhere", "region: local");

    // A configuration that is broken elsewhere is broken.
    site.configure("sqlite ", "nowhere ");
    assert_eq!(site.reload().await.status, 422);
    site.configure("nowhere ", "sqlite ");
    // A policy that wants a classifier where none is loaded.
    site.configure("model_missing: degrade", "model_missing: block");
    let reply = site.reload().await;
    assert!(reply.status == 422 && reply.text().contains("no classifier is loaded"), "{}", reply.text());
    site.configure("model_missing: block", "model_missing: degrade");
    assert_eq!(site.mask().await, "P0");

    // A policy that cannot be kept could not be gone back to.
    let in_the_way = site.appliance.state().join("policies/index.new");
    fs::create_dir(&in_the_way).unwrap();
    let reply = site.reload().await;
    assert!(reply.status == 422 && reply.text().contains("cannot be kept"), "{}", reply.text());
    assert_eq!(site.mask().await, "P0");
    fs::remove_dir(&in_the_way).unwrap();

    // Mended, it comes into force, with what the policy says beside the rules.
    site.configure("text: redacted", "text: full");
    let attempt = site.reload().await.json();
    assert_eq!(attempt["result"], "in_force", "{attempt:#}");
    assert_eq!(site.mask().await, "P2");
    assert_eq!(site.reload().await.json()["result"], "unchanged");
    let rows = site.appliance.record_when("the last exchange", |rows| {
        rows.iter().all(|row| row["outcome"].is_string()) && rows[0]["policy_version"] != version.as_str()
    });
    let detail = site.appliance.ask_json(&["audit", "show", rows[0]["exchange_id"].as_str().unwrap()]);
    assert!(detail["begin"]["prompt_text"].is_array(), "{detail:#}");
    assert_eq!(changes("api", "in_force"), 1);
    assert!(site.appliance.metrics().contains("portcullis_policy_last_change_ok 1"));
}

/// One command puts the policy before back in force, and it stays until somebody wants something else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_by_one_command_and_it_stays() {
    let mut site = Site::new(echo(None).await, true);
    site.appliance.start();
    assert_eq!(site.rollback().await.status, 422, "there is nothing to go back to");
    for name in ["P1", "P2"] {
        site.write(name);
        site.appliance.ask(&["rules", "reload"]);
        assert_eq!(site.mask().await, name);
    }
    let said = site.appliance.ask(&["rules", "rollback"]);
    assert!(said.contains("is in force"), "{said}");
    assert_eq!(site.mask().await, "P1");
    let listed = site.appliance.ask_json(&["rules", "versions", "--json"]);
    let flag = |name: &str| listed.as_array().unwrap().iter().filter(|kept| kept[name] == true).count();
    assert_eq!((listed.as_array().unwrap().len(), flag("in_force"), flag("previous")), (3, 1, 1), "{listed:#}");
    assert!(site.appliance.ask(&["rules", "versions"]).contains("in force, pinned"));

    // Touched, or written again as they were, the files do not take its place; nor does a restart.
    site.write("P2");
    site.configure("# Portcullis", "# Portcullis");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(site.mask().await, "P1");
    site.appliance.stop();
    site.appliance.start();
    assert_eq!(site.mask().await, "P1");
    let policy = site.policy().await;
    assert_eq!((&policy["in_force"]["pinned"], &policy["in_force"]["origin"]), (&true.into(), &"rollback".into()));
    assert!(site.appliance.metrics().contains("portcullis_policy_pinned 1"));

    // Again, further back; while nothing runs, for the next start.
    site.appliance.stop();
    let said = site.appliance.ask(&["rules", "rollback"]);
    assert!(said.contains("after the next start"), "{said}");
    site.appliance.start();
    assert_eq!(site.mask().await, "P0");
    let output = site.appliance.command(&["rules", "rollback"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "nothing is further back");

    // By name, forth again, even while the configuration is broken.
    let kept = site.policy().await["kept"].as_array().unwrap().clone();
    let newest = kept.iter().find(|kept| kept["in_force"] == false && kept["rules"] == 1).unwrap()["version"].clone();
    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), config.replace("region: local", "region: [")).unwrap();
    let broken = site.appliance.command(&["rules", "rollback", newest.as_str().unwrap()]).output().unwrap();
    assert!(!broken.status.success(), "not even its state folder can be read");
    fs::write(site.config(), config.replace("region: local", "region: ' '")).unwrap();
    site.appliance.ask(&["rules", "rollback", newest.as_str().unwrap()]);
    assert_eq!(site.version().await, newest.as_str().unwrap());
    for name in ["../../secrets", "000000000000", ""] {
        let reply = site.admin(Method::POST, "/api/v1/policy/rollback", &format!("{{\"version\":\"{name}\"}}")).await;
        assert_eq!(reply.status, 422, "{name}: {}", reply.text());
    }
    fs::write(site.config(), config).unwrap();

    // A reload by hand ends it; so does a file of another content.
    site.appliance.ask(&["rules", "reload"]);
    assert_eq!(site.mask().await, "P2");
    site.appliance.ask(&["rules", "rollback"]);
    assert_ne!(site.mask().await, "P2");
    site.write("P3");
    site.until("the changed file", |policy| policy["in_force"]["pinned"] == false).await;
    assert_eq!(site.mask().await, "P3");
    // A kept policy that was changed by hand is not believed.
    let kept = site.policy().await["kept"].clone();
    let before = kept.as_array().unwrap().iter().find(|kept| kept["previous"] == true).unwrap()["version"].clone();
    let folder = site.appliance.state().join("policies").join(before.as_str().unwrap());
    fs::write(folder.join("rules/0/rules/secrets/site.yaml"), rules("EVIL")).unwrap();
    assert_eq!(site.rollback().await.status, 422);
    assert_eq!(site.mask().await, "P3");
}

/// The system's notices are enough, with the configuration and the folders of the rules named by relative paths.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_at_once() {
    let mut site = Site::limited(echo(None).await, true, &[("watch_poll_ms", 3_600_000)]);
    site.appliance.start();
    let version = site.version().await;
    site.write("P1");
    site.until("the notice", |policy| policy["in_force"]["version"] != version.as_str()).await;
    assert_eq!(site.mask().await, "P1");
    site.appliance.stop();
}

/// Files are watched as they are really changed: in place and half, by rename, as Kubernetes swaps a folder of links, and
/// where the folder itself is put in the place of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_files_are_seen() {
    let mut site = Site::new(echo(None).await, true);
    // As a mounted ConfigMap: links through `..data`.
    let mount = site.folder().join("secrets");
    fs::remove_file(mount.join("site.yaml")).unwrap();
    let put = |name: &str, text: &str| {
        fs::create_dir_all(mount.join(name)).unwrap();
        fs::write(mount.join(name).join("site.yaml"), text).unwrap();
        symlink(name, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    put("..1", &rules("K1"));
    symlink("..data/site.yaml", mount.join("site.yaml")).unwrap();
    site.appliance.start();
    assert_eq!(site.mask().await, "K1");
    let version = site.version().await;
    put("..2", &rules("K2"));
    site.until("the swapped link", |policy| policy["in_force"]["version"] != version.as_str()).await;
    assert_eq!(site.mask().await, "K2");
    assert_eq!(site.policy().await["in_force"]["origin"], "file");

    // Half a file, then the whole.
    fs::remove_file(mount.join("site.yaml")).unwrap();
    let whole = rules("K3");
    fs::write(mount.join("site.yaml"), &whole[..whole.len() / 2]).unwrap();
    site.until("the refusal", |policy| policy["attempts"][0]["result"] == "refused").await;
    assert_eq!(site.mask().await, "K2");
    fs::write(mount.join("site.yaml"), &whole).unwrap();
    site.until("the whole file", |policy| policy["attempts"][0]["result"] == "in_force").await;
    assert_eq!(site.mask().await, "K3");

    // Another folder in the place of this one, and a change in it afterwards.
    let beside = site.appliance.folder().join("rules-new/secrets");
    fs::create_dir_all(&beside).unwrap();
    fs::write(beside.join("site.yaml"), rules("K4")).unwrap();
    fs::rename(site.folder(), site.appliance.folder().join("rules-old")).unwrap();
    fs::rename(site.appliance.folder().join("rules-new"), site.folder()).unwrap();
    let version = site.version().await;
    site.until("the other folder", |policy| policy["in_force"]["version"] != version.as_str()).await;
    assert_eq!(site.mask().await, "K4");
    let version = site.version().await;
    site.write("K5");
    site.until("a file in it", |policy| policy["in_force"]["version"] != version.as_str()).await;

    // A folder below the family's, and a file in it.
    fs::create_dir_all(site.folder().join("secrets/of/ours")).unwrap();
    fs::rename(site.folder().join("secrets/site.yaml"), site.folder().join("secrets/of/ours/site.yml")).unwrap();
    fs::write(site.folder().join("secrets/of/ours/site.yml"), rules("K5b")).unwrap();
    for _ in 0..3000 {
        if site.mask().await == "K5b" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(site.mask().await, "K5b");
    fs::remove_dir_all(site.folder().join("secrets/of")).unwrap();

    // What lies behind a link, where the system tells nothing of: the files are looked at.
    let target = site.appliance.folder().join("elsewhere.yaml");
    fs::write(&target, rules("K6")).unwrap();
    symlink(&target, site.folder().join("secrets/site.yaml")).unwrap();
    let version = site.version().await;
    site.until("the link", |policy| policy["in_force"]["version"] != version.as_str()).await;
    assert_eq!(site.mask().await, "K6");
    let version = site.version().await;
    fs::write(&target, rules("K7")).unwrap();
    site.until("what is behind the link", |policy| policy["in_force"]["version"] != version.as_str()).await;
    assert_eq!(site.mask().await, "K7");

    // The configuration is watched with them, and can end the watch.
    let version = site.version().await;
    site.configure("block_end: release", "block_end: hold");
    site.until("the configuration", |policy| policy["in_force"]["version"] != version.as_str()).await;
    site.configure("watch: true", "watch: false");
    site.until("the end of the watch", |policy| policy["watched"] == false).await;
    site.write("K8");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(site.mask().await, "K7");
    site.appliance.signal("HUP");
    site.until("SIGHUP", |policy| policy["in_force"]["origin"] == "signal").await;
    assert_eq!(site.mask().await, "K8");
}

/// The two handlers that change something are as closed as the others, and take nothing but what they know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reloads_without_the_token() {
    let mut site = Site::new(echo(None).await, false);
    site.appliance.start();
    site.write("P1");
    for path in ["/api/v1/policy/reload", "/api/v1/policy/rollback"] {
        for authorization in ["", "Bearer ", "Bearer wrong"] {
            let url = site.appliance.admin_url(path);
            let reply = site.client.send(Method::POST, &url, &[("authorization", authorization)], "").await;
            assert_eq!(reply.status, 401, "{path}");
        }
        assert_eq!(site.admin(Method::GET, path, "").await.status, 405, "{path}");
        let url = site.appliance.url(path);
        assert_eq!(site.client.send(Method::POST, &url, &[], "").await.status, 404, "{path} on the data port");
    }
    for body in ["x", "[]", "{\"version\":1}", "{\"versions\":\"x\"}"] {
        let reply = site.admin(Method::POST, "/api/v1/policy/rollback", body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
    }
    let reply = site.admin(Method::POST, "/api/v1/policy/rollback", &" ".repeat(65_537)).await;
    assert_eq!(reply.status, 413);
    assert_eq!(site.mask().await, "P0");
    site.appliance.stop();
    assert!(!site.appliance.state().join("admin-address").exists());
    // What a crash left is no address to send the token to: somebody else may listen there.
    let impostor = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    impostor.set_nonblocking(true).unwrap();
    let address = impostor.local_addr().unwrap();
    fs::write(site.appliance.state().join("admin-address"), address.to_string()).unwrap();
    site.configure("admin: 127.0.0.1:0", &format!("admin: {address}"));
    let output = site.appliance.command(&["rules", "rollback"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "there is nothing to go back to");
    let output = site.appliance.command(&["rules", "reload"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "no appliance runs");
    assert!(impostor.accept().is_err(), "nobody was asked");
}
