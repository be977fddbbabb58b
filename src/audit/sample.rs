//! Events for the tests of this module.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::{Begin, Cut, FindingRecord, Judge, PassageText, VerdictRecord, Waiver};
use crate::base::{ExchangeId, Span};
use crate::text::{Role, Trust};
use crate::verdict::{Action, Severity};

pub(crate) fn begin(findings: usize) -> Begin {
    Begin {
        exchange: ExchangeId::new(),
        at: Timestamp::now(),
        tenant: "acme".into(),
        principal: "key:demo".into(),
        key_id: Some("demo".into()),
        client_addr: "127.0.0.1:1".into(),
        dialect: "openai".into(),
        route: "chat_completions".into(),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        model_asked: Some("demo".into()),
        stream: false,
        policy_version: "p1".into(),
        request: VerdictRecord {
            action: Action::Flag,
            score: 3,
            findings: vec![finding(); findings],
            ..VerdictRecord::default()
        },
        request_bytes: 10,
        latency_us: BTreeMap::from([("parse".into(), 12)]),
        prompt_text: None,
        cut: Cut::default(),
    }
}

fn finding() -> FindingRecord {
    FindingRecord {
        judge: Judge::Rule,
        id: "INJ-001".into(),
        title: "Ignore previous instructions".into(),
        severity: Severity::Medium,
        points: 3,
        action: None,
        standing: "acts".into(),
        standing_by: None,
        would: None,
        score: None,
        place: "/messages/0/content".into(),
        role: Role::User,
        trust: Trust::User,
        layer: "raw".into(),
        span: Span::new(3, 9),
        excerpt: "ign***".into(),
        tags: vec!["owasp:llm01".into()],
    }
}

pub(crate) fn waiver(text: &str) -> Waiver {
    Waiver { kind: text.into(), place: text.into(), passed: true }
}

pub(crate) fn passage(text: &str) -> PassageText {
    PassageText { role: Role::User, place: "/messages/0/content".into(), text: text.into() }
}
