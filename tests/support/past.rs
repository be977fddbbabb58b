//! A record that looks as if somebody had used the appliance for a week.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portcullis::audit::{Audit, AuditConfig, Begin, End, FindingRecord, Judge, Outcome, VerdictRecord};
use portcullis::base::ExchangeId;
use portcullis::verdict::{Action, Severity};

use super::audit::{PATIENCE, begin, end, finding};

/// What was found over the last days: rule, its title, what was done, how bad, and what was said.
const FOUND: [(&str, &str, Action, Severity, &str); 6] = [
    ("INJ-001", "Asks to ignore earlier instructions", Action::Block, Severity::Critical, "ignore all previous inst…"),
    ("LEAK-001", "Asks for the model's own system prompt", Action::Block, Severity::High, "print your system prompt…"),
    ("EXT-005", "Bulk questions to train another model", Action::Flag, Severity::Medium, "give me 500 questions and…"),
    ("EXT-014", "Harvests probabilities of tokens", Action::Flag, Severity::Low, "logprobs of every token…"),
    ("SEC-003", "Google API key", Action::Redact, Severity::High, "AIza****************"),
    ("LEAK-034", "Asks for the configuration as data", Action::Block, Severity::Medium, "your configuration as JSON…"),
];
const CALLERS: [(&str, &str); 5] = [
    ("acme", "key:checkout"),
    ("acme", "key:support-bot"),
    ("globex", "key:research"),
    ("globex", "key:batch"),
    ("initech", "key:intern"),
];
const MODELS: [(&str, &str, u64); 3] =
    [("openai", "gpt-5-mini", 900_000), ("anthropic", "claude-sonnet-5", 7_200_000), ("edge", "qwen3-4b", 0)];

/// Exchanges of the last week, newest last, in the record of an appliance that does not run; every third is an incident.
pub async fn lived_in(config: AuditConfig, incidents: u32) {
    let audit = Audit::open(config).await.unwrap();
    let count = 3 * incidents;
    let now = Timestamp::now();
    for number in 0..count {
        let minutes = i64::from(count - number) * 7 * 24 * 60 / i64::from(count);
        let at = now - SignedDuration::from_mins(minutes.max(1));
        let id = uuid::Timestamp::from_unix(uuid::NoContext, at.as_second().cast_unsigned(), number % 1_000_000_000);
        let (begin, end) = exchange(ExchangeId::from(uuid::Uuid::new_v7(id)), at, number);
        // Many at once fill the spool faster than the store takes them.
        let mut slot = loop {
            match audit.reserve() {
                Ok(slot) => break slot,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        slot.begin(begin).await.unwrap();
        slot.end(end);
    }
    assert!(audit.close(PATIENCE.max(Duration::from_secs(u64::from(count) / 500))).await);
}

fn exchange(id: ExchangeId, at: Timestamp, number: u32) -> (Begin, End) {
    let pick = |of: usize, step: u32| usize::try_from(number / step).unwrap() % of;
    let (tenant, principal) = CALLERS[pick(CALLERS.len(), 2)];
    let (provider, model, cost) = MODELS[pick(MODELS.len(), 5)];
    let (rule, title, action, severity, excerpt) = FOUND[pick(FOUND.len(), 3)];
    let is_incident = number.is_multiple_of(3);
    let action = if is_incident { action } else { Action::Allow };
    let found = FindingRecord {
        judge: Judge::Rule,
        id: rule.into(),
        title: title.into(),
        severity,
        excerpt: format!("{excerpt} {}", number % 40),
        action: Some(action),
        layer: "canonical".into(),
        tags: vec!["owasp:LLM01:2025".into()],
        ..finding(rule, None)
    };
    let request = VerdictRecord {
        action,
        score: if is_incident { 5 } else { 0 },
        findings: if is_incident { vec![found] } else { Vec::new() },
        ..VerdictRecord::default()
    };
    let latency = |us: u64| us + u64::from(number * 7919 % 400);
    let begin = Begin {
        at,
        tenant: tenant.into(),
        principal: principal.into(),
        key_id: Some(principal.trim_start_matches("key:").into()),
        model_asked: Some(model.into()),
        request,
        ..begin(id, action)
    };
    let tokens = u64::from(200 + number * 31 % 900);
    let total = latency(850_000 + 1000 * tokens);
    let done = End {
        at,
        provider: Some(provider.into()),
        model: Some(model.into()),
        prompt_tokens: Some(tokens),
        completion_tokens: Some(tokens / 3),
        cost_nusd: Some(cost),
        latency_us: BTreeMap::from([
            ("parse".into(), latency(40)),
            ("scan".into(), latency(210)),
            ("model".into(), latency(6_000)),
            ("provider_head".into(), latency(400_000)),
            ("total".into(), total),
        ]),
        ..end(Outcome::Completed)
    };
    let none =
        End { provider: None, model: None, reply: None, prompt_tokens: None, completion_tokens: None, ..done.clone() };
    let blocked = End { cost_nusd: None, status: Some(400), upstream_status: None, ..none };
    (begin, if action == Action::Block { End { outcome: Outcome::Blocked, ..blocked } } else { done })
}
