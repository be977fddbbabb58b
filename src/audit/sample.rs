//! Events for the tests of this module.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::{Begin, Cut, End, Event, FindingRecord, Judge, Outcome, PassageText, VerdictRecord, Waiver};
use super::record::{Hash, Prepared, Record};
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

/// Records of so many exchanges: first all their begins, then all their ends.
pub(crate) fn records(exchanges: usize) -> Vec<Record> {
    let begins: Vec<_> = (0..exchanges).map(|_| begin(1)).collect();
    let end = |begin: &Begin| {
        let latency_us = BTreeMap::from([("scan".into(), 400), ("total".into(), 90_000)]);
        let exchange = Some(begin.exchange);
        let (tenant, principal) = (begin.tenant.clone(), begin.principal.clone());
        let end = End { exchange, tenant, principal, latency_us, ..End::new(Outcome::Completed) };
        Event::End(Box::new(end))
    };
    let ends: Vec<_> = begins.iter().map(end).collect();
    let begins = begins.into_iter().map(|begin| Event::Begin(Box::new(begin)));
    let day = super::record::day_of(Timestamp::now());
    let record = |(seq, event): (u64, Event)| {
        let body = Prepared::new(&event, "standard", None).unwrap().body("n", "r", seq, day).unwrap();
        Record::parse(Hash::ZERO, &body).unwrap()
    };
    (1..).zip(begins.chain(ends)).map(record).collect()
}
