//! Audit configurations and events for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use portcullis::audit::{
    Audit, AuditConfig, AuditReader, Begin, ChainReport, Cut, End, Evidence, FaultRecord, FindingRecord, Fsync, Judge,
    Outcome, Refused, Retention, StoreConfig, TextKeyFiles, VerdictRecord, own_key,
};
use portcullis::base::{Blame, Cause, Clock, ExchangeId, Limits, Secret, Span};
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
        elsewhere: None,
        node: Some("test".into()),
        region: "eu-1".into(),
        store,
        retention: Retention::default(),
        signing_key: None,
        text_keys: TextKeyFiles::default(),
        outputs: Vec::new(),
        archive: None,
        fsync: Fsync::Never,
        clock: Clock::default(),
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

/// What this machine's own readers hold the record against.
pub fn evidence(config: &AuditConfig) -> Evidence {
    Evidence { keys: own_key(config).unwrap().into_iter().collect(), ..Evidence::default() }
}

/// What verification says of every chain.
pub async fn verify(config: &AuditConfig) -> Vec<ChainReport> {
    AuditReader::open(config).await.unwrap().verify(&evidence(config)).await.unwrap()
}

/// One whole exchange.
pub async fn exchange(audit: &Audit) -> ExchangeId {
    let id = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(id, Action::Allow)).await.unwrap();
    slot.end(end(Outcome::Completed));
    id
}

/// A time that stands still until it is set.
#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn at_ms(unix_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(unix_ms)))
    }

    /// Noon (UTC) of a day.
    pub fn at_noon(day: Date) -> Self {
        let time = Self::at_ms(0);
        time.set_noon(day);
        time
    }

    pub fn set_ms(&self, unix_ms: i64) {
        self.0.store(unix_ms, Ordering::SeqCst);
    }

    pub fn set_noon(&self, day: Date) {
        self.set_ms(day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond());
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || time.now())
    }
}
