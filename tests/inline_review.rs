//! The console's API through the real binary: what is shown of an incident, what becomes of it in the rules, and the figures around it.
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

use http::{Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use support::appliance::{Appliance, Settings};
use support::http::Client;
use support::upstream::{Script, Upstream};

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}}"#;
const RULES: &str = "family: injection\nrules:\n  - id: INJ-900\n    title: Says abracadabra\n    severity: high\n    tags: [owasp:LLM01:2025]\n    applies: { direction: request }\n    patterns:\n      - regex: 'abracadabra-\\d+'\n    action: block\n    examples:\n      match:\n        - 'abracadabra-1'\n        - 'so: abracadabra-22'\n      pass:\n        - 'abra'\n        - 'cadabra'\n";

struct Site {
    appliance: Appliance,
    token: String,
    /// Answers until the end.
    _upstream: Upstream,
}

impl Site {
    async fn start() -> Self {
        let upstream = Upstream::start().await;
        upstream.script("m", Script::json(200, ANSWER));
        let price = "prices: [{ model: 'm*', prompt: 2.5, completion: 10 }]";
        let address = upstream.address;
        let provider =
            format!("  - {{ name: up, base_url: 'http://{address}/v1', auth: none, models: ['*'], {price} }}");
        let shipped = format!("folders: ['{}/rules']", env!("CARGO_MANIFEST_DIR"));
        let settings = Settings::new(&provider).rules_only().with(&shipped, "folders: [own]");
        let mut appliance = settings.with("watch: true", "watch: false").with("text: redacted", "text: full").prepare();
        let own = appliance.folder().join("own/injection");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("own.yaml"), RULES).unwrap();
        appliance.start();
        let token = format!("Bearer {}", appliance.token());
        Self { appliance, token, _upstream: upstream }
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let headers = [("authorization", self.token.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = Client::http1().send(method, &self.appliance.admin_url(path), &headers, body).await;
        (reply.status.as_u16(), serde_json::from_str(reply.text()).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Sends a prompt; gives the status and the incident's id.
    async fn say(&self, text: &str) -> (u16, String) {
        let body = json!({ "model": "m", "messages": [
            { "role": "system", "content": "Be kind." }, { "role": "user", "content": text },
        ] });
        let headers = [("content-type", "application/json")];
        let url = self.appliance.url("/v1/chat/completions");
        let reply = Client::http1().send(Method::POST, &url, &headers, body.to_string()).await;
        (reply.status.as_u16(), format!("{}:request", reply.field("x-request-id").unwrap()))
    }

    /// Asks until the answer will do.
    async fn get_when(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let answer = self.ask(Method::GET, path, Value::Null).await.1;
            if done(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path}: {}", self.ask(Method::GET, path, Value::Null).await.1);
    }

    /// Listens to what happens.
    async fn listen(&self) -> Response<Incoming> {
        let headers = [("authorization", self.token.as_str())];
        Client::http1().open(Method::GET, &self.appliance.admin_url("/api/v1/live"), &headers, "").await.unwrap()
    }
}

/// Reads on until this was said.
async fn until(live: &mut Response<Incoming>, what: &str) -> String {
    let mut said = String::new();
    let reading = async {
        while !said.contains(what) {
            let frame = live.body_mut().frame().await.expect("it goes on").unwrap();
            said.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("it is said");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_shown_judged_again_and_made_an_exception() {
    let mut site = Site::start().await;
    // One full-width letter, and one in base64.
    let text = "\u{1f600} please say \u{ff21}bracadabra-77 and YWJyYWNhZGFicmEtODg= now";
    let (status, id) = site.say(text).await;
    assert_eq!(status, 400);
    let path = format!("/api/v1/incidents/{id}");
    let told = site.get_when(&path, |answer| answer["incident"]["id"] == id).await;
    assert_eq!((&told["exchange"]["outcome"], &told["client_saw"]["what"]), (&json!("blocked"), &json!("refusal")));
    assert_eq!(told["exchange"]["status"], 400);
    let direction = &told["directions"][0];
    assert_eq!((&direction["direction"], &direction["why_no_text"]), (&json!("request"), &Value::Null));
    let findings = direction["findings"].as_array().unwrap();
    assert!(findings.iter().all(|one| one["id"] == "INJ-900" && one["standing"] == "acts"), "{direction}");
    assert!(findings[0]["rule"]["patterns"][0].as_str().unwrap().contains("abracadabra"));
    let sum = &direction["sum"][0];
    assert_eq!((&sum["points"][0]["id"], &sum["points"][0]["demands"]), (&json!("INJ-900"), &json!("block")));
    assert_eq!(sum["total"], sum["points"][0]["points"], "a rule counts once");
    let passages = direction["passages"].as_array().unwrap();
    assert_eq!(passages.len(), 2);
    assert_eq!((&passages[0]["role"], &passages[0]["layers"]), (&json!("system"), &json!([])));
    let said = &passages[1];
    assert_eq!(said["text"], text);
    // Spans count characters, so that a page can cut there.
    let shown = |span: &Value, text: &str| -> String {
        let place = |name: &str| usize::try_from(span[name].as_u64().unwrap()).unwrap();
        text.chars().skip(place("start")).take(place("end") - place("start")).collect()
    };
    let spans: Vec<String> = said["spans"].as_array().unwrap().iter().map(|span| shown(span, text)).collect();
    assert!(spans.iter().any(|span| span == "\u{ff21}bracadabra-77"), "{spans:?}");
    let layers = said["layers"].as_array().unwrap();
    let names: Vec<&str> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"raw") && names.contains(&"canonical") && names.contains(&"base64"), "{names:?}");
    let decoded = layers.iter().find(|layer| layer["name"] == "base64").unwrap();
    assert_eq!(shown(&decoded["spans"][0], decoded["text"].as_str().unwrap()), "abracadabra-88");
    assert_eq!(told["records"].as_array().unwrap().len(), 2);
    assert_eq!(told["timeline"].as_array().unwrap().len(), 1);

    // By the policy in force it is the same again.
    let (status, again) = site.ask(Method::POST, &format!("{path}/rescan"), Value::Null).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!((&again["before"]["action"], &again["after"]["action"]), (&json!("block"), &json!("block")));

    let number = findings.iter().position(|finding| finding["layer"] != "base64").unwrap();
    exceptions(&site, (&path, &id, text), number).await;
    examples(&site, &path, number).await;

    // A file that somebody broke meanwhile is told, and stays theirs.
    let file = site.appliance.folder().join("own/console.yaml");
    let broken = format!("{}oops: [\n", fs::read_to_string(&file).unwrap());
    fs::write(&file, &broken).unwrap();
    let body = json!({ "finding": number, "until": "2027-01-01", "reason": "x" });
    let (status, answer) = site.ask(Method::POST, &format!("{path}/exception"), body).await;
    assert_eq!(status, 422, "{answer}");
    assert!(answer["problems"][0]["file"].as_str().unwrap().ends_with("own/console.yaml"), "{answer}");
    assert!(!answer.to_string().contains("/draft/"), "{answer}");
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    site.appliance.stop();
}

async fn exceptions(site: &Site, (path, id, text): (&str, &str, &str), number: usize) {
    let ask = |more: Value| {
        let mut body = json!({ "finding": number, "until": "2027-01-01", "reason": "a spell: no attack" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let exception = format!("{path}/exception");
    for (body, expected) in [
        (json!({}), 422),
        (ask(json!({ "finding": 99 })), 404),
        (ask(json!({ "reason": " " })), 422),
        (ask(json!({ "scope": { "planet": "x" } })), 422),
        (ask(json!({ "scope": { "role": "emperor" } })), 422),
        (ask(json!({ "commit": true })), 409),
    ] {
        let (status, answer) = site.ask(Method::POST, &exception, body.clone()).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    let (_, looked) = site.ask(Method::POST, &exception, ask(json!({ "only_this_text": true }))).await;
    let diff = looked["diff"].as_str().unwrap();
    assert!(diff.contains("+    text: '\u{ff21}bracadabra-77'"), "{diff}");
    assert_eq!(looked["changed"]["rows"], json!([]), "the encoded one acts on");
    let wide = ask(json!({ "scope": { "role": "user" } }));
    let (status, looked) = site.ask(Method::POST, &exception, wide.clone()).await;
    assert_eq!(status, 200, "{looked}");
    assert_eq!((&looked["committed"], &looked["tests"]["failed"]), (&json!(false), &json!([])));
    assert_eq!((&looked["tests"]["rules"], &looked["changed"]["replayed"]), (&json!(1), &json!(1)));
    let row = &looked["changed"]["rows"][0];
    let became = (&row["id"], &row["before"]["action"], &row["after"]["action"]);
    assert_eq!(became, (&json!(id), &json!("block"), &json!("allow")));
    let file = site.appliance.folder().join("own/console.yaml");
    assert!(!file.exists(), "a look changes nothing");
    assert!(!site.appliance.state().join("draft").exists());
    assert_eq!(site.say(text).await.0, 400);

    let before = site.get("/api/v1/policy").await["in_force"]["version"].clone();
    let mut commit = wide;
    (commit["commit"], commit["seen"]) = (json!(true), looked["seen"].clone());
    let (status, done) = site.ask(Method::POST, &exception, commit.clone()).await;
    assert_eq!((status, &done["committed"]), (200, &json!(true)), "{done}");
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("reason: 'a spell: no attack'") && written.contains("by: admin-token"), "{written}");
    assert_eq!(site.say(text).await.0, 200, "in force at once");
    assert_eq!(site.ask(Method::POST, &exception, commit).await.0, 409, "what was looked at is not there any more");
    let (_, again) = site.ask(Method::POST, &format!("{path}/rescan"), Value::Null).await;
    assert_eq!(again["after"]["action"], "allow");
    let rule = site.get("/api/v1/rules/INJ-900").await;
    assert_eq!(rule["exceptions"][0]["reason"], "a spell: no attack");
    assert!(rule["yaml"].as_str().unwrap().starts_with("- id: INJ-900\n  title: Says abracadabra"), "{rule}");

    let (before, after) = (before.as_str().unwrap(), done["version"].as_str().unwrap());
    let diff = site.get(&format!("/api/v1/policy/diff?from={before}&to={after}")).await;
    assert_eq!(diff["files"].as_array().unwrap().len(), 1, "{diff}");
    assert_eq!(diff["files"][0]["path"], "own/console.yaml");
    assert_eq!(site.ask(Method::GET, "/api/v1/policy/diff?from=x&to=../../x", Value::Null).await.0, 404);
}

async fn examples(site: &Site, path: &str, number: usize) {
    let example = format!("{path}/example");
    let commit = |body: &Value, looked: &Value| {
        let mut body = body.clone();
        (body["commit"], body["seen"]) = (json!(true), looked["seen"].clone());
        body
    };
    let odd = json!({ "finding": number, "expect": "match", "text": "nothing of the kind" });
    let (status, looked) = site.ask(Method::POST, &example, odd.clone()).await;
    assert_eq!(status, 200, "{looked}");
    assert!(!looked["tests"]["failed"].as_array().unwrap().is_empty());
    let (status, _) = site.ask(Method::POST, &example, commit(&odd, &looked)).await;
    assert_eq!(status, 422, "an example that does not hold is not kept");
    let text = "abracadabra, said the \u{202e}wizard";
    let good = json!({ "finding": number, "expect": "pass", "text": text });
    let (_, looked) = site.ask(Method::POST, &example, good.clone()).await;
    assert_eq!(looked["tests"]["failed"], json!([]), "{looked}");
    let (status, done) = site.ask(Method::POST, &example, commit(&good, &looked)).await;
    assert_eq!((status, &done["committed"]), (200, &json!(true)), "{done}");
    let rule = site.get("/api/v1/rules/INJ-900").await;
    assert!(rule["examples"]["pass"].as_array().unwrap().iter().any(|one| one == text), "{rule}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_principals_integrity_and_actions() {
    let mut site = Site::start().await;
    let mut live = site.listen().await;
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    // With the first tick somebody has looked: what comes from now on is new.
    let first = until(&mut live, "event: tick").await;
    assert!(first.contains("\"in_flight\":0"), "{first}");
    for _ in 0..3 {
        assert_eq!(site.say("good morning").await.0, 200);
    }
    let (_, id) = site.say("abracadabra-1").await;
    let told = until(&mut live, &id).await;
    assert!(told.contains("event: incident"), "{told}");
    drop(live);

    let overview = site.get_when("/api/v1/overview?range=1h", |answer| answer["totals"]["requests"] == 4).await;
    let totals = &overview["totals"];
    let some = (&totals["blocked"], &totals["incidents_open"], &totals["prompt_tokens"]);
    assert_eq!(some, (&json!(1), &json!(1), &json!(3000)));
    // 1000 tokens at 2.50 and 500 at 10 dollars a million, three times.
    assert_eq!(totals["cost_usd"], 0.0225);
    let sum: u64 = overview["series"]["requests"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).sum();
    assert_eq!(sum, 4);
    assert_eq!(overview["series"]["at"].as_array().unwrap().len(), 60);
    assert_eq!(overview["providers"][0]["name"], "up");
    assert!(overview["latency"].as_array().unwrap().iter().any(|stage| stage["name"] == "scan"));
    assert_eq!(overview["rules"][0]["id"], "INJ-900");
    assert_eq!(overview["tenants"], json!(["default"]));
    assert_eq!(site.get("/api/v1/overview?range=90d&tenant=nobody").await["totals"]["requests"], 0);
    assert_eq!(site.ask(Method::GET, "/api/v1/overview?range=1y", Value::Null).await.0, 400);

    // Costs are measured in the background.
    let rules = site.get_when("/api/v1/rules", |answer| answer["rules"][0]["cost"].is_number()).await;
    let rule = &rules["rules"][0];
    assert_eq!((&rule["id"], &rule["hits_24h"], &rule["blocked_30d"]), (&json!("INJ-900"), &json!(1), &json!(1)));
    assert_eq!((&rule["false_rate"], &rule["cost"]), (&Value::Null, &json!(1.0)));
    let path = format!("/api/v1/incidents/{id}/disposition");
    assert_eq!(site.ask(Method::POST, &path, json!({ "disposition": "false_positive" })).await.0, 200);
    assert_eq!(site.get("/api/v1/rules").await["rules"][0]["false_rate"], 1.0);
    assert_eq!(site.ask(Method::GET, "/api/v1/rules/NO-1", Value::Null).await.0, 404);

    let principals = site.get("/api/v1/principals?sort=requests").await;
    let one = &principals["principals"][0];
    assert_eq!((&one["requests"], &one["blocked"], &one["stopped"]), (&json!(4), &json!(1), &json!(1)));
    let name = one["principal"].as_str().unwrap();
    let shown = site.get(&format!("/api/v1/principals/default/{}", name.replace(':', "%3A"))).await;
    assert_eq!((&shown["rules"][0]["id"], &shown["addresses"][0]["name"]), (&json!("INJ-900"), &json!("127.0.0.1")));
    assert_eq!((shown["exchanges"].as_array().unwrap().len(), &shown["incidents"][0]["id"]), (4, &json!(id)));
    assert_eq!(site.ask(Method::GET, "/api/v1/principals/default/nobody", Value::Null).await.0, 404);

    let integrity = site.get("/api/v1/integrity").await;
    assert_eq!(integrity["regions"][0]["key"]["algorithm"], "Ed25519");
    assert!(integrity["regions"][0]["chains"][0]["last_seq"].as_u64().unwrap() >= 8);
    assert_eq!(site.ask(Method::POST, "/api/v1/integrity/verify", Value::Null).await.0, 202);
    let checked = site.get_when("/api/v1/integrity", |answer| answer["check"]["finished_at"].is_string()).await;
    let chain = &checked["check"]["regions"][0]["chains"][0];
    assert_eq!((&chain["break"], &checked["check"]["by"]), (&Value::Null, &json!("admin-token")), "{checked}");

    let csv = site.appliance.admin_url("/api/v1/incidents.csv?state=all");
    let csv = Client::http1().send(Method::GET, &csv, &[("authorization", site.token.as_str())], "").await;
    assert_eq!(csv.field("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<&str> = csv.text().lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with(&format!("\"{id}\",")) && lines[1].contains("\"false_positive\""), "{lines:?}");

    let actions = site.get_when("/api/v1/actions?limit=1", |answer| answer["actions"][0]["what"] == "verify").await;
    let next = actions["next"].as_str().unwrap();
    let older = site.get(&format!("/api/v1/actions?cursor={next}")).await;
    assert_eq!((&older["actions"][0]["what"], &older["actions"][0]["target"]), (&json!("review"), &json!(id)));
    assert_eq!(site.ask(Method::GET, "/api/v1/actions?cursor=x", Value::Null).await.0, 400);
    // A page that listens does not hold up the stop.
    let _listens = site.listen().await;
    site.appliance.stop();
}
