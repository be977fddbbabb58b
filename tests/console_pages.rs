//! The console's pages in headless Chromium (`tests/clients/console.py`): an incident from its arrival to an exception by keyboard,
//! hostile text, ten thousand incidents, and every page in both themes held against axe's rules. With `PORTCULLIS_SCREENSHOTS`, a
//! folder, the pages of `docs/console.md` are photographed there (`make screenshots`).
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::appliance::{Appliance, Settings};
use support::audit::sqlite;
use support::past::lived_in;
use support::upstream::{Script, Upstream};

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}}"#;
const RULES: &str = "family: injection\nrules:\n  - id: INJ-900\n    title: Says abracadabra\n    severity: high\n    tags: [owasp:LLM01:2025]\n    applies: { direction: request }\n    patterns:\n      - regex: 'abracadabra-\\d+'\n    action: block\n    examples:\n      match:\n        - 'abracadabra-1'\n        - 'so: abracadabra-22'\n      pass:\n        - 'abra'\n        - 'cadabra'\n";

struct Site {
    appliance: Appliance,
    link: String,
    /// Answers until the end.
    _upstream: Upstream,
}

impl Site {
    async fn start(incidents: u32) -> Self {
        let upstream = Upstream::start().await;
        upstream.script("m", Script::json(200, ANSWER));
        let price = "prices: [{ model: 'm*', prompt: 2.5, completion: 10 }]";
        let address = upstream.address;
        let provider =
            format!("  - {{ name: up, base_url: 'http://{address}/v1', auth: none, models: ['*'], {price} }}");
        let shipped = format!("folders: ['{}/rules']", env!("CARGO_MANIFEST_DIR"));
        let own = shipped.replace(']', ", own]");
        let settings = Settings::new(&provider).rules_only().with(&shipped, &own);
        let mut appliance = settings.with("watch: true", "watch: false").with("text: redacted", "text: full").prepare();
        let own = appliance.folder().join("own/injection");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("own.yaml"), RULES).unwrap();
        let state = appliance.state();
        fs::create_dir_all(&state).unwrap();
        lived_in(sqlite(&state), incidents).await;
        appliance.start();
        let link = appliance.ask(&["console", "link"]).trim().to_owned();
        Self { appliance, link, _upstream: upstream }
    }

    /// Lets Chromium do what a scenario of `console.py` says, and gives what it saw.
    async fn drive(&self, scenario: &'static str, more: Value) -> Value {
        let mut settings = json!({
            "origin": self.appliance.admin_url(""), "link": self.link,
            "data": self.appliance.url("/v1/chat/completions"), "pictures": std::env::var_os("PORTCULLIS_SCREENSHOTS").map(PathBuf::from),
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        // The upstream answers on this thread's runtime meanwhile.
        let seen = tokio::task::spawn_blocking(move || browse(scenario, &settings)).await.unwrap();
        assert_eq!((&seen["complaints"], &seen["elsewhere"]), (&json!([]), &json!([])), "{scenario}");
        seen
    }
}

fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/clients").join(path);
    assert!(path.exists(), "{} is missing: run `scripts/test.sh` (`make test`), which installs it", path.display());
    path
}

fn browse(scenario: &str, settings: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/console.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(scenario).env("PYTHONPATH", installed("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONIOENCODING", "utf-8").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3 runs");
    child.stdin.take().unwrap().write_all(settings.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{scenario}: {}\n{err}", output.status);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{scenario}: {error}\n{out}\n{err}"))
}

fn has(seen: &Value, parts: &[&str]) {
    let text = seen.as_str().unwrap();
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_reviewed_from_arrival_to_exception_by_keyboard() {
    let mut site = Site::start(300).await;
    let seen = site.drive("review", json!({})).await;
    has(&seen["total"], &["300 incidents"]);
    assert_eq!((&seen["status"], &seen["status_after"]), (&json!(400), &json!(200)), "{seen:#}");
    has(&seen["title"], &["Says abracadabra"]);
    has(&seen["why"], &["INJ-900", "demands it"]);
    assert!(seen["marks"].as_array().unwrap().contains(&json!("\u{aa}bracadabra-77")), "{seen:#}");
    assert!(seen["marked"].as_u64().unwrap() >= 1, "{seen:#}");
    let readings = seen["readings"].as_array().unwrap();
    assert!(["as sent", "canonical", "base64"].iter().all(|name| readings.contains(&json!(name))), "{seen:#}");
    has(&seen["client"], &["Refusal", "400"]);
    has(&seen["sum"], &["INJ-900", "Blocked"]);
    has(
        &seen["look"],
        &["own/console.yaml", "a spell, no attack", "1 incident of this rule judged again, 1 would change"],
    );
    has(&seen["again"], &["Then", "Blocked", "Now", "Passed"]);
    has(&seen["actions"], &["ann", "Set up", "true_positive", "Exception INJ-900", "Example INJ-900"]);

    let written = fs::read_to_string(site.appliance.folder().join("own/console.yaml")).unwrap();
    assert!(written.contains("reason: 'a spell, no attack'") && written.contains("by: ann"), "{written}");
    let rules = fs::read_to_string(site.appliance.folder().join("own/injection/own.yaml")).unwrap();
    assert!(rules.contains("abracadabra, said nobody"), "{rules}");
    site.appliance.ask(&["audit", "verify"]);
    site.appliance.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_incidents_are_all_reached_and_few_are_in_the_document() {
    let site = Site::start(10_000).await;
    let seen = site.drive("queue", json!({})).await;
    assert_eq!((&seen["total"], &seen["seen"]), (&json!(10_000), &json!(10_000)), "{seen}");
    assert!(seen["most"].as_u64().unwrap() < 60, "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_attackers_write_stays_text_and_what_they_hide_is_shown() {
    let site = Site::start(3).await;
    let text = concat!(
        "=cmd|' /C calc'!A0 abracadabra-1 <img src=x onerror=\"window.pwned=1\"><script>document.title='x'</script>",
        " \u{202e}gnippilf\u{202c} \u{200b}\u{1b}[31mred\u{1b}[0m \u{e0068}\u{e0069} [link](javascript:window.pwned=2)",
    );
    let seen = site.drive("hostile", json!({ "text": text })).await;
    assert_eq!(seen["pwned"], json!([null, "Incident · Portcullis"]), "{seen:#}");
    assert_eq!((&seen["elements"], &seen["raw"]), (&json!(0), &json!(false)), "{seen:#}");
    has(&seen["shown"], &["<img src=x onerror=", "<script>", "‹RLO›", "‹PDF›", "‹ZWSP›", "‹ESC[31m›", "‹TAG hi›"]);
    let csv = seen["csv"].as_str().unwrap();
    assert!(
        csv.lines().skip(1).all(|line| !line.split(',').any(|cell| cell.starts_with(['=', '+', '-', '@']))),
        "{csv}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_accessible_in_both_themes_and_fits_every_width() {
    let site = Site::start(300).await;
    let axe = installed("node/node_modules/axe-core/axe.min.js");
    let seen = site.drive("pages", json!({ "axe": axe })).await;
    assert_eq!(seen["pages"].as_array().unwrap().len(), 12, "{seen}");
    assert_eq!(seen["problems"], json!([]), "{seen:#}");
}
