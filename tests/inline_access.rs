//! Who may call whom through the real binary, and whose key travels where.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::sync::Arc;

use http::Method;
use portcullis::provider::{MockConfig, MockProvider};
use serde_json::json;
use sha2::{Digest, Sha256};
use support::appliance::{Appliance, Settings, raw};
use support::http::{Client, Reply};
use support::upstream::{Script, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}"#;
/// A key of ours, and its tenant.
const OURS: &str = "pk-0123456789abcdef0123456789abcdef";
/// The key that is held for a provider.
const HELD: &str = "sk-held-by-the-appliance-9f2c";
/// A client's own key for its provider.
const THEIRS: &str = "sk-of-the-client-4b1d";

struct Rig {
    upstreams: [Upstream; 3],
    appliance: Appliance,
    client: Client,
}

const MODELS: [&str; 3] = ["open", "own", "held"];

impl Rig {
    async fn start(change: impl FnOnce(Settings) -> Settings) -> Self {
        let upstreams = [Upstream::start().await, Upstream::start().await, Upstream::start().await];
        for (upstream, model) in upstreams.iter().zip(MODELS) {
            upstream.script(model, Script::json(200, ANSWER));
        }
        let [open, own, held] = upstreams.each_ref().map(|upstream| upstream.address);
        let hash: String = Sha256::digest(OURS).iter().map(|byte| format!("{byte:02x}")).collect();
        let settings = Settings::new(&format!(
            "  - {{ name: open, base_url: 'http://{open}/v1', auth: none, models: [open] }}
  - {{ name: own, base_url: 'http://{own}/v1', auth: pass_through, models: [own] }}
  - {{ name: held, base_url: 'http://{held}/v1', auth: {{ key_env: HELD_KEY }}, models: [held] }}"
        ))
        .rules_only()
        .with("keys: []", &format!("keys: [{{ id: team-a, tenant: acme, sha256: {hash} }}]"))
        .variable("HELD_KEY", HELD);
        Self { upstreams, appliance: change(settings).start(), client: Client::http1() }
    }

    /// Asks a model; gives the reply and the Authorization that each provider saw.
    async fn ask(&self, model: &str, headers: &[(&str, &str)]) -> (Reply, Vec<Option<String>>) {
        self.upstreams.iter().for_each(Upstream::forget);
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Hello." }] }).to_string();
        let headers = [&[("content-type", "application/json")], headers].concat();
        let url = self.appliance.url("/v1/chat/completions");
        let reply = self.client.send(Method::POST, &url, &headers, body).await;
        let seen = self.upstreams.iter().flat_map(Upstream::seen);
        let authorization =
            |headers: http::HeaderMap| headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        (reply, seen.map(|seen| authorization(seen.headers)).collect())
    }
}

/// Model, Authorization sent, Authorization that arrives (the outer `None`: nothing arrives).
type Row<'r> = (&'r str, Option<&'r str>, Option<Option<String>>);

#[track_caller]
fn unauthorized(reply: &Reply, what: &str) {
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_deref()),
        (401, Some("invalid_api_key")),
        "{what}: {}",
        reply.text()
    );
    assert_eq!(reply.json()["error"]["type"], "authentication_error", "{what}");
    assert_eq!(reply.field("x-should-retry"), Some("false"), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_travel_where_they_belong() {
    let rig = Rig::start(|settings| settings).await;
    let bearer = |key: &str| format!("Bearer {key}");
    let (ours, theirs) = (bearer(OURS), bearer(THEIRS));
    let account = [("authorization", theirs.as_str()), ("openai-organization", "org"), ("idempotency-key", "k")];
    // What is sent, to which model, and the Authorization that arrives; `None`: refused.
    let rows: [Row<'_>; 9] = [
        ("open", None, Some(None)),
        ("open", Some(&ours), Some(None)),
        ("open", Some(&theirs), Some(None)),
        ("own", None, None),
        ("own", Some(&ours), None),
        ("own", Some(&theirs), Some(Some(theirs.clone()))),
        ("held", None, None),
        ("held", Some(&ours), Some(Some(bearer(HELD)))),
        ("held", Some(&theirs), None),
    ];
    for (model, authorization, arrives) in &rows {
        let what = format!("{model} with {authorization:?}");
        let headers: Vec<(&str, &str)> = authorization.iter().map(|value| ("authorization", *value)).collect();
        let (reply, seen) = rig.ask(model, &headers).await;
        match arrives {
            Some(arrives) => {
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                assert_eq!(seen, std::slice::from_ref(arrives), "{what}");
            }
            None => {
                unauthorized(&reply, &what);
                assert!(seen.is_empty(), "{what}");
            }
        }
    }
    // What names an account goes with the client's own key only.
    for (model, arrives) in [("own", true), ("open", false)] {
        let (reply, _) = rig.ask(model, &account).await;
        assert_eq!(reply.status, 200);
        let seen = rig.upstreams.iter().flat_map(Upstream::seen).next().unwrap();
        assert_eq!(seen.headers.contains_key("openai-organization"), arrives, "{model}");
        assert_eq!(seen.headers.contains_key("idempotency-key"), arrives, "{model}");
    }
    // The provider can be named outright; that opens no other door.
    let (reply, seen) = rig.ask("held/held", &[("authorization", &theirs)]).await;
    unauthorized(&reply, "a provider named outright");
    assert!(seen.is_empty());
    let (reply, seen) = rig.ask("held/held", &[("authorization", &ours)]).await;
    assert_eq!((reply.status.as_u16(), seen), (200, vec![Some(bearer(HELD))]), "{}", reply.text());
    // Other schemes and two keys at once.
    for headers in
        [vec![("authorization", "Basic eDp5")], vec![("authorization", OURS)], vec![("authorization", "Bearer ")]]
    {
        let (reply, seen) = rig.ask("open", &headers).await;
        unauthorized(&reply, &format!("{headers:?}"));
        assert!(seen.is_empty());
    }
    let (reply, seen) = rig.ask("held", &[("authorization", &theirs), ("authorization", &ours)]).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_deref()), (400, Some("invalid_body")));
    assert!(seen.is_empty());

    let rows = rig.appliance.record_when("all exchanges", |rows| rows.len() == rows_sent());
    let of = |key: &str| rows.iter().filter(|row| row["key_id"] == key).collect::<Vec<_>>();
    assert!(of("team-a").iter().all(|row| row["tenant"] == "acme" && row["principal"] == "key:team-a"));
    assert_eq!(of("team-a").len(), 4);
    // A key that its provider accepted is a principal of its own from then on; no key stands anywhere in clear.
    assert!(rows[0..6].iter().any(|row| row["principal"].as_str().unwrap().starts_with("hmac:")), "{rows:#?}");
    let state = all_bytes(&rig.appliance);
    for key in [OURS, HELD, THEIRS] {
        assert!(!rig.appliance.output().contains(key), "{key} is in the log");
        assert!(!state.windows(key.len()).any(|window| window == key.as_bytes()), "{key} is in the state folder");
    }
}

/// Exchanges of [`keys_travel_where_they_belong`].
fn rows_sent() -> usize {
    9 + 2 + 2 + 3 + 1
}

/// Everything in the state folder.
fn all_bytes(appliance: &Appliance) -> Vec<u8> {
    let mut folders = vec![appliance.state()];
    let mut bytes = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                bytes.extend(std::fs::read(entry).unwrap_or_default());
            }
        }
    }
    assert!(bytes.len() > 1000);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_nobody_is_served_where_policy_says_so() {
    let rig = Rig::start(|settings| {
        // Where everybody needs a key of ours, nobody can bring a provider's own.
        settings.with("anonymous: allow", "anonymous: refuse").with("auth: pass_through", "auth: none")
    })
    .await;
    let (ours, theirs) = (format!("Bearer {OURS}"), format!("Bearer {THEIRS}"));
    for headers in [vec![], vec![("authorization", theirs.as_str())]] {
        for model in MODELS {
            let (reply, seen) = rig.ask(model, &headers).await;
            unauthorized(&reply, model);
            assert!(seen.is_empty());
        }
        unauthorized(&rig.client.get(&rig.appliance.url("/v1/models"), &headers).await, "models");
    }
    let headers = [("authorization", ours.as_str())];
    for model in MODELS {
        assert_eq!(rig.ask(model, &headers).await.0.status, 200, "{model}");
    }
    let models = rig.client.get(&rig.appliance.url("/v1/models"), &headers).await.json();
    let names: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, MODELS);
}

#[test]
fn an_open_relay_does_not_start() {
    let held =
        "  - { name: held, base_url: 'https://provider.example/v1', auth: { key_env: HELD_KEY }, models: ['*'] }";
    let settings = || Settings::new(held).rules_only().variable("HELD_KEY", HELD);
    let output = settings().run_to_its_end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("open relay") && said.contains("portcullis keys new"), "{said}");
    assert!(!said.contains(HELD));
    // Without its key it does not start either.
    let output = Settings::new(held).rules_only().run_to_its_end();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("HELD_KEY"), "{said}");
    // It does when somebody says that this is what they want.
    let mut appliance = settings().with("keys: []", "keys: []\n  dangerous_open_relay: true").start();
    assert!(appliance.output().contains("open relay"), "it says so: {}", appliance.output());
    appliance.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_port_speaks_tls_with_the_configured_certificate() {
    let mock = MockProvider::start(([127, 0, 0, 1], 0).into(), MockConfig::default()).await.unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let tls = format!("{{ certificate: '{}', key: '{}' }}", certificate.display(), key.display());
    let appliance = Settings::for_upstream(mock.addr()).rules_only().variable("PORTCULLIS_SERVER__TLS", &tls).start();
    assert!(appliance.output().contains("https://"), "{}", appliance.output());

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(appliance.data()).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let request = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    let reply = String::from_utf8(reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    // Plain HTTP is not answered there.
    let plain = raw(appliance.data(), request).unwrap();
    assert!(!String::from_utf8_lossy(&plain).contains("200 OK"));
}
