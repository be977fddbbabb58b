//! Signing in to the console at an identity provider: with a real one (`tests/clients/oidc.mjs`) in headless Chromium, and at one that
//! answers what an attacker would like it to.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::appliance::{Appliance, Settings};
use support::http::{Client, Reply};
use support::receiver::python;
use tokio::net::TcpListener;

const CLIENT: &str = "portcullis";
/// As a form encodes it, it reads otherwise.
const SECRET: &str = "a secret: 100% of it+";
const PASSWORD: &str = "vier Störche im Nebel";

fn settings(issuer: &str, more: &str) -> Settings {
    let oidc = format!(
        "console:
  oidc:
    issuer: '{issuer}'
    name: Test staff
    client_id: {CLIENT}
    client_secret: {{ env: OIDC_SECRET }}
{more}
log:"
    );
    Settings::new("  - { name: demo, mock: true, models: ['*'] }")
        .rules_only()
        .with("log:", &oidc)
        .variable("OIDC_SECRET", SECRET)
}

const ROLES: &str = "    scopes: [profile, email, groups]
    roles: { claim: groups, reviewer: [guards], admin: [wardens, owners] }";

/// A person with a password, made with the token of the box.
async fn with_password(appliance: &Appliance, name: &str) {
    let body = json!({ "name": name, "role": "viewer", "password": PASSWORD }).to_string();
    let token = format!("Bearer {}", appliance.token());
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let reply = Client::http1().send(Method::POST, &appliance.admin_url("/api/v1/users"), &headers, body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// What the record has of sign-ins, oldest first: the detail of each, failed ones with an exclamation mark.
async fn sign_ins(appliance: &Appliance) -> Vec<String> {
    let token = format!("Bearer {}", appliance.token());
    let url = appliance.admin_url("/api/v1/actions");
    let actions = Client::http1().get(&url, &[("authorization", &token)]).await.json();
    let told = actions["actions"].as_array().unwrap().iter().rev().filter_map(|deed| {
        let detail = deed["detail"].as_str()?;
        match deed["what"].as_str()? {
            "sign_in" => Some(format!("{} {detail}", deed["user"].as_str()?)),
            "sign_in_failed" => Some(format!("! {detail}")),
            _ => None,
        }
    });
    told.collect()
}

/// Its output is kept open: what it says would end it otherwise.
struct Provider {
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Provider {
    fn start(people: &Value) -> (Self, String) {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        let packages = checkout.join(".cache/clients/node");
        assert!(packages.is_dir(), "{} is missing: run `make test`, which installs it", packages.display());
        // Node looks for packages beside the script.
        let script = packages.join("oidc.mjs");
        fs::copy(checkout.join("tests/clients/oidc.mjs"), &script).unwrap();
        let wanted = json!({ "client_id": CLIENT, "client_secret": SECRET, "people": people });
        let mut child =
            Command::new("node").arg(script).arg(wanted.to_string()).stdout(Stdio::piped()).spawn().expect("node runs");
        let mut issuer = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut issuer).unwrap();
        assert!(issuer.starts_with("http://127.0.0.1:"), "{issuer}");
        (Self { child, _output: output }, issuer.trim().to_owned())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_a_real_provider_come_in_by_their_groups() {
    let person = |name: &str, groups: Value| json!({ "preferred_username": name, "groups": groups });
    let (_provider, issuer) = Provider::start(&json!({
        "ann": person("ann@example.com", json!(["owners", "staff"])), "mona": person("mona", json!(["guards"])),
        "eve": person("eve", json!(["staff"])), "pat": person("pat", json!(["owners"])),
    }));
    let appliance = settings(&issuer, ROLES).start();
    with_password(&appliance, "pat").await;
    let wanted = json!({ "origin": appliance.admin_url(""), "issuer": issuer }).to_string();
    let seen = tokio::task::spawn_blocking(move || {
        let mut browser = python("console.py");
        let mut child = browser.arg("oidc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), wanted.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    let seen = seen.await.unwrap();
    assert_eq!((&seen["complaints"], &seen["elsewhere"]), (&json!([]), &json!([])), "{seen:#}");
    let has = |what: &str, part: &str| assert!(seen[what].as_str().unwrap().contains(part), "{what}: {seen:#}");
    has("first", "Sign in with Test staff");
    assert_eq!((&seen["ann"], &seen["mona"]), (&json!("/"), &json!("/rules?sort=hits")), "back to where they were");
    has("access", "ann@example.com");
    has("access", "the identity provider, by groups");
    assert_eq!(seen["cookies"], json!([["portcullis_session", true, "Strict"]]), "{seen:#}");
    assert!(!seen["mona_nav"].as_str().unwrap().contains("Access"), "a reviewer: {seen:#}");
    has("eve", "You have no access");
    has("pat", "Somebody else has your name");
    has("back", "you turned back");
    has("guessed", "took too long");
    let told = ["ann@example.com oidc", "mona oidc", "! unknown", "! taken", "! denied", "! expired"];
    let mut recorded = Vec::new();
    for _ in 0..100 {
        recorded = sign_ins(&appliance).await;
        if recorded.len() == told.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(recorded, told);
}

/// What the liar says the next time.
#[derive(Clone)]
struct Lie {
    claims: Value,
    algorithm: Algorithm,
    key: EncodingKey,
    userinfo: Value,
}

/// A provider whose answers are a test's.
struct Liar {
    issuer: String,
    pkcs8: Vec<u8>,
    lie: Arc<Mutex<Option<Lie>>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Liar {
    /// `calls_itself`: what is added to its issuer in what it tells of itself.
    async fn start(calls_itself: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let metadata = json!({
            "issuer": format!("{issuer}{calls_itself}"), "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
        });
        let odd = json!({ "kty": "post-quantum", "kid": "odd", "alg": "X" });
        let keys = json!({ "keys": [odd, { "kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig", "x": x }] });
        let (lie, asked) = (Arc::default(), Arc::default());
        let this = Self { issuer, pkcs8: pair.to_pkcs8().unwrap().as_ref().to_vec(), lie, asked };
        let (lie, asked) = (Arc::clone(&this.lie), Arc::clone(&this.asked));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (lie, asked, metadata, keys) =
                    (Arc::clone(&lie), Arc::clone(&asked), metadata.clone(), keys.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (lie, asked, metadata, keys) =
                        (Arc::clone(&lie), Arc::clone(&asked), metadata.clone(), keys.clone());
                    async move {
                        let path = request.uri().path().to_owned();
                        let proof =
                            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        asked.lock().unwrap().push((
                            format!("{path} {}", proof.unwrap_or_default()),
                            String::from_utf8(body.to_vec()).unwrap(),
                        ));
                        let answer = match (path.as_str(), &*lie.lock().unwrap()) {
                            ("/.well-known/openid-configuration", _) => metadata,
                            ("/keys", _) => keys,
                            ("/token", Some(lie)) => {
                                json!({ "id_token": lie.token(), "access_token": "at", "token_type": "Bearer" })
                            }
                            ("/userinfo", Some(lie)) => lie.userinfo.clone(),
                            _ => json!({ "error": "invalid_grant\u{1b}[31m" }),
                        };
                        let status = if answer.get("error").is_some() { 400 } else { 200 };
                        let answer = Full::new(Bytes::from(answer.to_string()));
                        Ok::<_, Infallible>(Response::builder().status(status).body(answer).unwrap())
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        this
    }

    /// What a good provider would say of somebody.
    fn truth(&self, name: &str, nonce: &str) -> Lie {
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": self.issuer, "sub": name, "aud": CLIENT, "exp": now + 60, "iat": now, "nonce": nonce,
            "preferred_username": name, "groups": ["guards"],
        });
        Lie { claims, algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(&self.pkcs8), userinfo: json!({}) }
    }

    fn says(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some(lie);
    }
}

impl Lie {
    fn with(mut self, claim: &str, value: Value) -> Self {
        let claims = self.claims.as_object_mut().unwrap();
        if value.is_null() {
            claims.remove(claim)
        } else {
            claims.insert(claim.to_owned(), value)
        };
        self
    }

    fn token(&self) -> String {
        encode(&Header { kid: Some("one".to_owned()), ..Header::new(self.algorithm) }, &self.claims, &self.key).unwrap()
    }
}

/// A sign-in that has begun: what the browser keeps, and what is in the address that it is sent to.
struct Begun {
    cookie: String,
    query: Vec<(String, String)>,
}

impl Begun {
    async fn at(appliance: &Appliance) -> Self {
        let reply = Client::http1().get(&appliance.admin_url("/api/v1/oidc/start"), &[]).await;
        assert_eq!(reply.status, 303);
        let cookie = reply.field("set-cookie").unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/api/v1/oidc", "Max-Age=600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let (_, query) = reply.field("location").unwrap().split_once('?').unwrap();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { cookie, query }
    }

    fn get(&self, name: &str) -> &str {
        &self.query.iter().find(|(key, _)| key == name).unwrap().1
    }

    async fn back(&self, appliance: &Appliance, more: &str) -> Reply {
        let path = format!("/api/v1/oidc/callback?state={}{more}", self.get("state"));
        let headers = [("cookie", self.cookie.as_str()), ("sec-fetch-site", "cross-site")];
        Client::http1().get(&appliance.admin_url(&path), &headers).await
    }
}

/// Where the browser is sent, and its session's cookie if it got one.
fn outcome(reply: &Reply) -> (String, Option<String>) {
    assert_eq!(reply.status, 303, "{}", reply.text());
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("portcullis_oidc=;")), "it is used up: {cookies:?}");
    let session = cookies.iter().find(|cookie| cookie.starts_with("portcullis_session="));
    let session = session.map(|cookie| cookie.split(';').next().unwrap().to_owned());
    (reply.field("location").unwrap().to_owned(), session)
}

async fn who(appliance: &Appliance, cookie: &str) -> Value {
    Client::http1().get(&appliance.admin_url("/api/v1/session"), &[("cookie", cookie)]).await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_a_provider_is_what_the_standards_say() {
    let liar = Liar::start("").await;
    let appliance = settings(&liar.issuer, ROLES).start();
    let begun = Begun::at(&appliance).await;
    let back = appliance.admin_url("/api/v1/oidc/callback");
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", &back),
        ("scope", "openid profile email groups"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(begun.get(name), value, "{name}");
    }
    liar.says(liar.truth("mona", begun.get("nonce")));
    let (to, session) = outcome(&begun.back(&appliance, "&code=c%2B1").await);
    assert_eq!(to, "/");
    let session = session.unwrap();
    let mona = who(&appliance, &session).await;
    assert_eq!((&mona["user"], &mona["role"]), (&json!("mona"), &json!("reviewer")));

    let asked = liar.asked.lock().unwrap().clone();
    let (head, body) = asked.iter().find(|(head, _)| head.starts_with("/token")).unwrap();
    let pair = STANDARD.decode(head.strip_prefix("/token Basic ").unwrap()).unwrap();
    assert_eq!(String::from_utf8(pair).unwrap(), "portcullis:a+secret%3A+100%25+of+it%2B", "RFC 6749, section 2.3.1");
    let sent: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let of = |name: &str| sent.iter().find(|(key, _)| key == name).unwrap().1.as_str();
    assert_eq!((of("grant_type"), of("code"), of("redirect_uri")), ("authorization_code", "c+1", back.as_str()));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier")));
    assert_eq!(challenge, begun.get("code_challenge"), "RFC 7636");
    assert!(!asked.iter().any(|(head, _)| head.starts_with("/userinfo")), "the ID token says it all");

    // Her groups change: the next sign-in has the new role, and the session before it is over.
    let again = Begun::at(&appliance).await;
    liar.says(liar.truth("mona", again.get("nonce")).with("groups", json!(["wardens"])));
    let (_, raised) = outcome(&again.back(&appliance, "&code=c").await);
    assert_eq!(who(&appliance, &raised.unwrap()).await["role"], "admin");
    assert_eq!(who(&appliance, &session).await["user"], Value::Null, "another role ends what was");
    let discoveries = liar.asked.lock().unwrap().iter().filter(|(head, _)| head.starts_with("/.well-known")).count();
    assert_eq!(discoveries, 1, "what it tells of itself is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_hold_lets_nobody_in() {
    let liar = Liar::start("").await;
    let mut appliance = settings(&liar.issuer, ROLES).start();
    let now = Timestamp::now().as_second();
    let other = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap().as_ref().to_vec();
    type Change<'a> = Box<dyn Fn(Lie) -> Lie + 'a>;
    let claim = |name: &'static str, value: Value| -> Change<'_> { Box::new(move |lie| lie.with(name, value.clone())) };
    let lies: Vec<(&str, Change<'_>)> = vec![
        ("another sign-in's", claim("nonce", json!("x"))),
        ("nobody's sign-in", claim("nonce", Value::Null)),
        ("another issuer's", claim("iss", json!("https://evil.example"))),
        ("no issuer's", claim("iss", Value::Null)),
        ("another program's", claim("aud", json!("evil"))),
        ("no program's", claim("aud", Value::Null)),
        ("several programs'", claim("aud", json!([CLIENT, "evil"]))),
        ("made for another", claim("azp", json!("evil"))),
        ("over", claim("exp", json!(now - 3600))),
        ("endless", claim("exp", Value::Null)),
        ("not yet", claim("nbf", json!(now + 3600))),
        ("nobody's", claim("sub", Value::Null)),
        ("a nobody's", claim("sub", json!(""))),
        ("a name that is none", claim("preferred_username", json!("../ann\u{202e}"))),
        ("a number for a name", claim("preferred_username", json!(7))),
        (
            "signed with what we share",
            Box::new(|lie| Lie {
                algorithm: Algorithm::HS256,
                key: EncodingKey::from_secret(SECRET.as_bytes()),
                ..lie
            }),
        ),
        (
            "signed by another key of the same name",
            Box::new(|lie| Lie { key: EncodingKey::from_ed_der(&other), ..lie }),
        ),
        (
            "about somebody else elsewhere",
            Box::new(|lie| Lie {
                userinfo: json!({ "sub": "ann", "groups": ["owners"] }),
                ..lie.with("groups", Value::Null)
            }),
        ),
    ];
    let begun = Begun::at(&appliance).await;
    // First, so that the log has it.
    *liar.lie.lock().unwrap() = None;
    assert_eq!(outcome(&begun.back(&appliance, "&code=c").await).0, "/login?oidc=failed", "no token");
    for (what, change) in &lies {
        let begun = Begun::at(&appliance).await;
        liar.says(change(liar.truth("mona", begun.get("nonce"))));
        let (to, session) = outcome(&begun.back(&appliance, "&code=c").await);
        assert_eq!((to.as_str(), session), ("/login?oidc=failed", None), "{what}");
    }

    let begun = Begun::at(&appliance).await;
    liar.says(liar.truth("mona", begun.get("nonce")));
    let mixed = begun.back(&appliance, "&code=c&iss=https%3A%2F%2Fevil.example").await;
    assert_eq!(outcome(&mixed).0, "/login?oidc=failed", "RFC 9207");
    let mona = Begun::at(&appliance).await;
    let crossed = Begun { cookie: mona.cookie, query: begun.query.clone() };
    for (reply, what) in [
        (crossed.back(&appliance, "&code=c").await, "another browser's state"),
        (Begun { cookie: "x=y".to_owned(), query: begun.query.clone() }.back(&appliance, "&code=c").await, "no cookie"),
        (
            Begun { cookie: format!("{0}; {0}", begun.cookie), query: begun.query.clone() }
                .back(&appliance, "&code=c")
                .await,
            "two cookies",
        ),
        (begun.back(&appliance, "&state=x&code=c").await, "two states"),
    ] {
        assert_eq!(outcome(&reply), ("/login?oidc=expired".to_owned(), None), "{what}");
    }
    let (to, _) = outcome(&begun.back(&appliance, "&error=access_denied&code=c").await);
    assert_eq!(to, "/login?oidc=denied");

    // What fits is taken from where the provider has it.
    let begun = Begun::at(&appliance).await;
    let elsewhere = json!({ "sub": "mona", "groups": ["guards"], "preferred_username": "root" });
    liar.says(Lie {
        userinfo: elsewhere,
        ..liar.truth("mona", begun.get("nonce")).with("groups", Value::Null).with("aud", json!([CLIENT]))
    });
    let (to, session) = outcome(&begun.back(&appliance, &format!("&code=c&iss={}", liar.issuer)).await);
    assert_eq!(to, "/");
    assert_eq!(who(&appliance, &session.unwrap()).await["user"], "mona", "what the ID token says stands");

    appliance.stop();
    let output = appliance.output();
    assert!(output.contains("invalid_grant.[31m"), "what a provider writes does nothing here: {output}");
    for secret in [SECRET, "id_token", "code_verifier"] {
        assert!(!output.contains(secret), "{secret} in {output}");
    }
    let users: Value = serde_json::from_slice(&fs::read(appliance.state().join("accounts.json")).unwrap()).unwrap();
    assert_eq!(users["users"].as_object().unwrap().keys().collect::<Vec<_>>(), ["mona"], "{users:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_or_somebody_else_is_told_and_passwords_still_work() {
    let liar = Liar::start("/else").await;
    for issuer in [liar.issuer.as_str(), "http://127.0.0.1:9"] {
        let mut appliance = settings(issuer, "").start();
        with_password(&appliance, "ann").await;
        for _ in 0..2 {
            let reply = Client::http1().get(&appliance.admin_url("/api/v1/oidc/start"), &[]).await;
            assert_eq!((reply.status.as_u16(), reply.field("location")), (303, Some("/login?oidc=failed")));
        }
        let body = json!({ "user": "ann", "password": PASSWORD }).to_string();
        let headers = [("content-type", "application/json")];
        let reply = Client::http1().send(Method::POST, &appliance.admin_url("/api/v1/login"), &headers, body).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["oidc"], json!({ "enabled": true, "name": "Test staff" }));
        appliance.stop();
        let why = if issuer == liar.issuer { "it calls itself" } else { "127.0.0.1" };
        assert!(appliance.output().contains(why), "{}", appliance.output());
    }
    let discoveries = liar.asked.lock().unwrap().len();
    assert_eq!(discoveries, 1, "it is left alone for a while");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    for (issuer, more, part) in [
        ("idp.example", "", "issuer: `idp.example` is no provider's"),
        ("http://idp.example", "", "can be answered by anybody on the way"),
        ("https://idp.example", "    roles: { admin: [] }", "gives no group a role"),
        ("https://idp.example", "    roles: { boss: [x] }", "roles has no key `boss`"),
        ("https://idp.example", "    scopes: ['a b']", "scopes: `a b` is none"),
        ("https://idp.example", "    user: ''", "user is empty"),
        ("https://idp.example", "    ca_file: none.pem", "none.pem"),
        (
            "https://idp.example",
            "  origin: 'https://console.example/portcullis'",
            "not where browsers find the console",
        ),
    ] {
        let output = settings(issuer, more).run_to_its_end();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{more}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_with_tls_cookies_are_secure_and_addresses_its_own() {
    let liar = Liar::start("").await;
    let origin = "  origin: https://console.example";
    let appliance = settings(&liar.issuer, &format!("{ROLES}\n{origin}")).start();
    let link = appliance.ask(&["console", "link"]);
    assert!(link.starts_with("https://console.example/setup#"), "{link}");
    let begun = Begun::at(&appliance).await;
    assert_eq!(begun.get("redirect_uri"), "https://console.example/api/v1/oidc/callback");
    liar.says(liar.truth("mona", begun.get("nonce")));
    let path = format!("/api/v1/oidc/callback?state={}&code=c", begun.get("state"));
    let headers = [("cookie", begun.cookie.as_str()), ("host", "console.example")];
    let reply = Client::http1().get(&appliance.admin_url(&path), &headers).await;
    assert_eq!(reply.field("location"), Some("/"), "{}", reply.text());
    let mut cookies = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    assert!(cookies.all(|cookie| cookie.contains("; Secure")));
}
