//! Audit configurations and events for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use portcullis::audit::{
    Audit, AuditConfig, Begin, Cut, End, FaultRecord, FindingRecord, Fsync, Judge, Outcome, Refused, StoreConfig,
    VerdictRecord,
};
use portcullis::base::{Blame, Cause, ExchangeId, Limits, Secret, Span};
use portcullis::text::{Role, Trust};
use portcullis::verdict::{Action, Severity};

/// Long enough for a loaded machine; only ever waited out by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn sqlite(folder: &Path) -> AuditConfig {
    config(folder, StoreConfig::Sqlite { path: folder.join("audit.db") })
}

pub fn postgres(folder: &Path, url: Secret) -> AuditConfig {
    config(folder, StoreConfig::Postgres { url })
}

pub fn config(folder: &Path, store: StoreConfig) -> AuditConfig {
    AuditConfig {
        state_dir: folder.to_owned(),
        node: Some("test".into()),
        region: "eu-1".into(),
        store,
        fsync: Fsync::Never,
        limits: Limits::default(),
    }
}

pub fn begin(exchange: ExchangeId, action: Action) -> Begin {
    Begin {
        exchange,
        at: Timestamp::now(),
        tenant: "acme".into(),
        principal: "key:demo".into(),
        key_id: Some("demo".into()),
        client_addr: "127.0.0.1:4711".into(),
        dialect: "openai".into(),
        route: "chat_completions".into(),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        model_asked: Some("demo \u{0} model".into()),
        stream: true,
        policy_version: "p1".into(),
        request: VerdictRecord {
            action,
            score: 5,
            findings: vec![finding("INJ-001", None), finding("injection", Some(0.5))],
            model_version: Some("m1".into()),
            ..VerdictRecord::default()
        },
        request_bytes: 321,
        latency_us: BTreeMap::from([("parse".into(), 12), ("scan".into(), 34)]),
        prompt_text: None,
        cut: Cut::default(),
    }
}

pub fn finding(id: &str, score: Option<f32>) -> FindingRecord {
    FindingRecord {
        judge: if score.is_some() { Judge::Model } else { Judge::Rule },
        id: id.into(),
        title: "Ignore previous instructions".into(),
        severity: Severity::High,
        points: 4,
        action: None,
        standing: "acts".into(),
        standing_by: None,
        would: None,
        score,
        place: "/messages/0/content".into(),
        role: Role::User,
        trust: Trust::User,
        layer: "base64+hex".into(),
        span: Span::new(3, 9),
        excerpt: "ign*** 'quoted' \"double\" \\ ünï".into(),
        tags: vec!["owasp:llm01".into()],
    }
}

pub fn end(outcome: Outcome) -> End {
    End {
        status: Some(200),
        provider: Some("mock".into()),
        model: Some("demo-1".into()),
        upstream_status: Some(200),
        reply: Some(VerdictRecord { action: Action::Allow, ..VerdictRecord::default() }),
        prompt_tokens: Some(10),
        completion_tokens: Some(u64::MAX),
        reply_bytes: 99,
        latency_us: BTreeMap::from([("total".into(), 1234)]),
        ..End::new(outcome)
    }
}

pub fn refused(exchange: ExchangeId) -> Refused {
    Refused {
        exchange,
        at: Timestamp::now(),
        tenant: String::new(),
        principal: String::new(),
        key_id: None,
        client_addr: "127.0.0.1:4711".into(),
        dialect: None,
        method: "POST".into(),
        path: "/nowhere".into(),
        status: 404,
        request_bytes: 0,
        policy_version: "p1".into(),
        fault: FaultRecord { cause: Cause::NoRoute, blame: Blame::Client, detail: "no such route".into() },
        latency_us: BTreeMap::new(),
        cut: Cut::default(),
    }
}

/// One whole exchange.
pub async fn exchange(audit: &Audit) -> ExchangeId {
    let id = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(id, Action::Allow)).await.unwrap();
    slot.end(end(Outcome::Completed));
    id
}
