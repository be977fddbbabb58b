//! A site's own rules, overrides and exceptions through the real binary: what applies to whom, and what each action does.
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
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::appliance::{Appliance, Settings, poll};
use support::http::{Client, Reply, said, until};
use support::upstream::{Script, Upstream};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"demo","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}"#;
/// A client key of ours, of the tenant `acme`.
const ACME: &str = "pk-0123456789abcdef0123456789abcdef";

/// Rules that the shipped ones know nothing of: one for each word.
fn rule(number: u32, word: &str, rest: &str) -> String {
    let rest = rest.replace('\n', "\n    ");
    format!(
        "  - id: AGT-{number}\n    title: A word of the site\n    severity: info\n    tags: [owasp:LLM01:2025]\n    \
         patterns: [{{ literal: {word} }}]\n    examples: {{ match: [{word}, 'a {word}'], pass: [b, c] }}\n    {rest}\n"
    )
}

const BLOCKS: &str = "applies: { direction: both }\naction: block";

struct Site {
    upstream: Upstream,
    appliance: Appliance,
    client: Client,
    _rules: TempDir,
}

impl Site {
    async fn start(rules: &[String], overlay: &str, change: impl FnOnce(Settings) -> Settings) -> Self {
        let upstream = Upstream::start().await;
        for model in ["demo", "small", "other"] {
            upstream.script(model, Script::json(200, ANSWER));
        }
        let folder = site(rules, overlay);
        let settings = Settings::for_upstream(upstream.address).rules_only();
        let settings = settings.with("/rules']", &format!("/rules', '{}']", folder.path().display()));
        let hash: String = Sha256::digest(ACME).iter().map(|byte| format!("{byte:02x}")).collect();
        let settings = settings.with("keys: []", &format!("keys: [{{ id: team-a, tenant: acme, sha256: {hash} }}]"));
        let appliance = change(settings).start();
        Self { upstream, appliance, client: Client::http1(), _rules: folder }
    }

    async fn send(&self, headers: &[(&str, &str)], body: &Value) -> Reply {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.upstream.forget();
        self.client.send(Method::POST, &self.appliance.url("/v1/chat/completions"), &headers, body.to_string()).await
    }

    async fn say(&self, headers: &[(&str, &str)], text: &str) -> u16 {
        self.send(headers, &chat("demo", text)).await.status.as_u16()
    }

    /// The body that the provider saw last.
    fn arrived(&self) -> Option<Bytes> {
        self.upstream.seen().pop().map(|seen| seen.body)
    }

    /// The findings of an exchange's request, from its record.
    fn findings(&self, reply: &Reply) -> Vec<Value> {
        let id = reply.field("x-request-id").unwrap();
        let is_there = |rows: &[Value]| rows.iter().any(|row| row["exchange_id"] == id && row["outcome"].is_string());
        self.appliance.record_when("the exchange is in the record", is_there);
        let shown = self.appliance.ask_json(&["audit", "show", id]);
        shown["begin"]["request"]["findings"].as_array().cloned().unwrap_or_default()
    }
}

fn site(rules: &[String], overlay: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("agent")).unwrap();
    fs::write(folder.path().join("agent/site.yaml"), format!("family: agent\nrules:\n{}", rules.concat())).unwrap();
    if !overlay.is_empty() {
        fs::write(folder.path().join("overlay.yaml"), overlay).unwrap();
    }
    folder
}

fn chat(model: &str, text: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": text }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_blocks_may_tell_the_client_why() {
    let rules = [
        rule(901, "wombatted", &format!("{BLOCKS}\nmessage: Names of animals go to the zoo")),
        rule(902, "quokkally", BLOCKS),
    ];
    let site = Site::start(&rules, "", |settings| settings).await;
    for (text, said) in [
        ("wombatted", "Names of animals go to the zoo. Incident "),
        ("quokkally wombatted", "Names of animals go to the zoo. Incident "),
        ("quokkally", "The request was blocked by the content policy. Incident "),
    ] {
        let reply = site.send(&[], &chat("demo", text)).await;
        let error = &reply.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| message.starts_with(said)), "{text}: {error}");
        assert_eq!((reply.status.as_u16(), &error["code"]), (400, &json!("content_filter")));
    }
    let explained = site.appliance.command(&["rules", "explain", "AGT-901"]).output().unwrap();
    assert!(String::from_utf8_lossy(&explained.stdout).contains("message    Names of animals go to the zoo"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_and_overlays_apply_to_those_that_they_name() {
    let of = |scope: &str| format!("applies: {{ direction: both, {scope} }}\naction: block");
    let rules = [
        rule(901, "wombatted", &of("tenants: [acme]")),
        rule(902, "quokkally", &of("models: ['small*']")),
        rule(903, "numbatted", &of("headers: { x-app: 'agent-*' }")),
        rule(904, "bilbified", BLOCKS),
        rule(905, "potorooed", &format!("{BLOCKS}\nmode: shadow")),
        rule(906, "bettongly", BLOCKS),
    ];
    let overlay = "overrides:\n- { rules: [AGT-904], applies: { tenants: [acme] }, mode: 'off' }\n\
                   exceptions:\n- { id: EXC-1, rules: [AGT-906], applies: { keys: [team-a] }, reason: Their product, expires: 2999-12-31 }\n\
                   - { id: EXC-2, rules: [AGT-906], reason: It was, expires: 2020-01-01 }\n";
    let site = Site::start(&rules, overlay, |settings| settings).await;
    let bearer = format!("Bearer {ACME}");
    let acme = [("authorization", bearer.as_str())];
    assert_eq!((site.say(&acme, "wombatted").await, site.say(&[], "wombatted").await), (400, 200));
    let small = site.send(&[], &chat("small", "quokkally")).await;
    assert_eq!((small.status.as_u16(), site.say(&[], "quokkally").await), (400, 200));
    let agent = [("X-App", "Agent-7")];
    assert_eq!((site.say(&agent, "numbatted").await, site.say(&[], "numbatted").await), (400, 200));
    assert_eq!((site.say(&acme, "bilbified").await, site.say(&[], "bilbified").await), (200, 400));
    assert_eq!((site.say(&acme, "bettongly").await, site.say(&[], "bettongly").await), (200, 400));

    let passed = site.send(&[], &chat("demo", "potorooed")).await;
    assert_eq!(passed.status, 200);
    assert_eq!(site.appliance.counter("portcullis_findings_total{source=\"AGT-905\",standing=\"shadow\"}"), 1);
    let findings = site.findings(&passed);
    let shadow = findings.iter().find(|finding| finding["id"] == "AGT-905").unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!(
        (&shadow["standing"], &shadow["would"], &shadow["points"]),
        (&json!("shadow"), &json!("block"), &json!(0))
    );
    assert_eq!(site.appliance.counter("portcullis_findings_total{source=\"AGT-906\",standing=\"excepted\"}"), 1);
    let said = site.appliance.output();
    assert!(said.contains("`EXC-2` ended on 2020-01-01"), "{said}");
    let checked = site.appliance.command(&["check"]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(told.contains("W010") && told.contains("W011") && told.contains("EXC-1"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_leave_and_come_back() {
    let rules = [rule(901, "wombatted", "applies: { direction: request }\naction: redact\ntoken: CARD")];
    let site = Site::start(&rules, "", |settings| settings.with("text: redacted", "text: full")).await;
    let answer = ANSWER.replace("Hello.", "It is @@, not [CARD-1-aaaaaaaaaaaa].");
    site.upstream.script("demo", Script { echo: Some(4096), ..Script::json(200, answer) });
    let reply = site.send(&[], &chat("demo", "My word is wombatted.")).await;
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "It is wombatted, not [CARD-1-aaaaaaaaaaaa].");
    let arrived = String::from_utf8(site.arrived().unwrap().to_vec()).unwrap();
    assert!(!arrived.contains("wombatted") && arrived.contains("My word is [CARD-1-"), "{arrived}");
    site.appliance.record_when("the exchange is in the record", |rows| rows.len() == 1);
    let id = reply.field("x-request-id").unwrap();
    let recorded = site.appliance.ask(&["audit", "show", id]);
    assert!(recorded.contains("My word is [CARD-1-") && recorded.contains("It is [CARD-1-"), "{recorded}");
    assert!(!recorded.contains("wombatted"), "{recorded}");

    let chunk = |delta: Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!(
            "data: {}\n\n",
            json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
        )
    };
    for bytes in [1, 7, 64, 4096] {
        let events = chunk(json!({ "role": "assistant", "content": "It is @@" }), Value::Null)
            + &chunk(json!({ "content": "." }), Value::Null)
            + &chunk(json!({}), json!("stop"))
            + "data: [DONE]\n\n";
        site.upstream.script("other", Script { echo: Some(bytes), ..Script::events(vec![events.into()]) });
        let mut body = chat("other", "My word is wombatted.");
        body["stream"] = json!(true);
        let (chunks, done) = site.send(&[], &body).await.chunks();
        assert!(done);
        assert_eq!(said(&chunks, 0, "/delta/content"), "It is wombatted.", "in pieces of {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stripped_does_not_arrive() {
    let rules = [rule(901, "wombatted", "applies: { direction: request }\naction: strip")];
    let site = Site::start(&rules, "", |settings| settings).await;
    let mut body = chat("demo", "Hello.");
    body["metadata"] = json!({ "note": "wombatted", "kept": "yes" });
    assert_eq!(site.send(&[], &body).await.status, 200);
    body["metadata"] = json!({ "kept": "yes" });
    assert_eq!(serde_json::from_slice::<Value>(&site.arrived().unwrap()).unwrap(), body);
    assert_eq!(site.appliance.counter("portcullis_verdicts_total{direction=\"request\",action=\"strip\"}"), 1);
    assert_eq!(site.say(&[], "wombatted").await, 400, "a message without its content is none");
    assert!(site.arrived().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_routes_to_another_model() {
    let rules = [
        rule(901, "wombatted", "applies: { direction: request }\naction: { route: small }"),
        rule(902, "quokkally", "applies: { direction: request }\naction: { route: held }"),
    ];
    let held =
        "\n  - { name: kept, base_url: 'http://127.0.0.1:9/v1', auth: { key_env: HELD_KEY }, models: [held] }\naccess:";
    let site = Site::start(&rules, "", |settings| {
        settings.with("models: ['*']", "models: [demo, small]").with("\naccess:", held).variable("HELD_KEY", "sk-held")
    })
    .await;
    assert_eq!(site.say(&[], "wombatted").await, 200);
    let arrived: Value = serde_json::from_slice(&site.arrived().unwrap()).unwrap();
    assert_eq!(arrived, chat("small", "wombatted"));
    let rows =
        site.appliance.record_when("it is in the record", |rows| rows.len() == 1 && rows[0]["outcome"] == "completed");
    assert_eq!(
        (&rows[0]["model_asked"], &rows[0]["model"], &rows[0]["request_action"]),
        (&json!("demo"), &json!("small"), &json!("route"))
    );
    let refused = site.send(&[], &chat("demo", "quokkally")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_deref()),
        (400, Some("content_filter")),
        "not for this caller"
    );
    assert!(site.arrived().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_throttles_whoever_sent_it() {
    let rules = [
        rule(901, "wombatted", "applies: { direction: request }\naction: { throttle: slow }"),
        rule(902, "quokkally", "applies: { direction: reply }\naction: { throttle: slow }"),
    ];
    let site = Site::start(&rules, "", |settings| settings.with("per_minute: 6", "per_minute: 2")).await;
    let bearer = format!("Bearer {ACME}");
    let acme = [("authorization", bearer.as_str())];
    assert_eq!(site.say(&acme, "wombatted").await, 200, "it passes itself");
    let statuses = [site.say(&acme, "a").await, site.say(&acme, "b").await];
    assert_eq!(statuses, [200, 200]);
    let slowed = site.send(&acme, &chat("demo", "c")).await;
    assert_eq!((slowed.status.as_u16(), slowed.code().as_deref()), (429, Some("rate_limit_exceeded")));
    let wait: u64 = slowed.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(slowed.field("x-should-retry"), Some("true"));
    assert!(site.arrived().is_none());
    assert_eq!(site.say(&[], "d").await, 200, "others are not slowed down");
    assert_eq!(site.appliance.counter("portcullis_throttles_total{throttle=\"slow\"}"), 1);
    assert_eq!(site.appliance.counter("portcullis_faults_total{cause=\"throttled\",action=\"block\"}"), 1);

    site.upstream.script("demo", Script::json(200, ANSWER.replace("Hello.", "quokkally")));
    let statuses =
        [site.say(&[], "e").await, site.say(&[], "f").await, site.say(&[], "g").await, site.say(&[], "h").await];
    assert_eq!(statuses, [200, 200, 200, 429], "by a reply as well");
}

/// A request whose body never ends, to the place where the appliance works on it.
async fn unfinished(site: &Site, authorization: &str) -> TcpStream {
    let mut connection = TcpStream::connect(site.appliance.data()).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{authorization}content-length: 99\r\n\r\n{{",
        site.appliance.data()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let at_work = || site.appliance.counter("portcullis_exchanges_in_flight") == 1;
    until("the request is at work", at_work).await;
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_given_back_once_however_the_exchange_ends() {
    let rules = [rule(901, "wombatted", "applies: { direction: request }\naction: { throttle: slow }")];
    let settings = |settings: Settings| settings.with("per_minute: 6", "per_minute: 4").limit("exchanges", 1);
    let site = Site::start(&rules, "", settings).await;
    let bearer = format!("Bearer {ACME}");
    let acme = [("authorization", bearer.as_str())];
    let line = format!("authorization: {bearer}\r\n");
    // Gives the time that a connection's end needs to be seen.
    let passes = async || {
        for _ in 0..500 {
            match site.say(&acme, "a").await {
                429 | 503 => tokio::time::sleep(Duration::from_millis(10)).await,
                status => return status,
            }
        }
        0
    };
    assert_eq!(site.say(&acme, "wombatted").await, 200, "slowed down from here on");

    // Somebody else has all the room there is: what finds none does not count.
    let other = unfinished(&site, "").await;
    for _ in 0..6 {
        assert_eq!(site.say(&acme, "a").await, 503);
    }
    drop(other);
    assert_eq!(passes().await, 200, "the first of four");

    assert_eq!(site.send(&acme, &json!([])).await.status, 400, "the second is refused");
    let gone = unfinished(&site, &line).await;
    assert_eq!(site.say(&acme, "a").await, 429, "the third is at work, and only one may be");
    drop(gone);
    assert_eq!(passes().await, 200, "the fourth");
    assert_eq!(site.say(&acme, "a").await, 429, "what began counts, however it ended");
}

#[test]
fn a_model_or_a_throttle_that_is_not_there_keeps_it_from_starting() {
    for (action, expected) in
        [("route: nowhere", "`nowhere`, which no provider"), ("throttle: slwo", "`slwo`; policy.throttles has: slow")]
    {
        let rules = [rule(901, "wombatted", &format!("applies: {{ direction: request }}\naction: {{ {action} }}"))];
        let folder = site(&rules, "");
        let settings = Settings::new("  - { name: demo, mock: true, models: [demo] }").rules_only();
        let settings = settings.with("/rules']", &format!("/rules', '{}']", folder.path().display()));
        let appliance = settings.prepare();
        for command in ["check", "run"] {
            let output = appliance.command(&[command]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(64), "{command}: {said}");
            assert!(said.contains(expected) && said.contains("AGT-901"), "{command}: {said}");
        }
    }
}

#[test]
fn the_start_names_what_nobody_has_and_what_may_be_typed() {
    let rules = [rule(901, "wombatted", "applies: { direction: request, routes: [chat_completion] }\naction: flag")];
    let folder = site(&rules, "");
    let settings = Settings::new("  - { name: mine, mock: true, models: ['x-*', my-model] }").rules_only();
    let settings = settings.with("/rules']", &format!("/rules', '{}']", folder.path().display()));
    let mut appliance = settings.start();
    poll("the greeting", || appliance.output().contains("audit list"));
    let said = appliance.output();
    assert!(said.contains("W020") && said.contains("did you mean `chat_completions`?"), "{said}");
    let program = appliance.command(&[]).get_program().to_string_lossy().into_owned();
    assert!(said.contains(r#"{"model":"my-model","messages""#) && !said.contains(r#""demo""#), "{said}");
    let line = said.lines().find(|line| line.contains("audit list")).unwrap().trim();
    assert!(
        line.starts_with(&format!("{program} audit list --config ")) && line.ends_with("portcullis.yaml"),
        "{said}"
    );
    appliance.stop();
}
