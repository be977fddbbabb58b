//! Figures over both stores: every exchange is counted once, whatever is sent twice, and what the console shows adds up.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use portcullis::audit::{
    Audit, AuditConfig, AuditReader, Begin, Counts, Disposition, End, FaultRecord, FigureSpan, IncidentId, Outcome,
    PrincipalFilter, PrincipalOrder, Step, SystemKind, VerdictRecord,
};
use portcullis::base::{Blame, Cause, ExchangeId};
use portcullis::verdict::Action;
use support::audit::{PATIENCE, begin, end, finding, postgres, refused, sqlite};
use support::postgres::Cluster;

const DAY: i64 = 86_400;

async fn record(audit: &Audit, (tenant, principal): (&str, &str), action: Action, ending: End) -> ExchangeId {
    let exchange = ExchangeId::new();
    let mut shadow = finding("INJ-777", None);
    shadow.standing = "shadow".into();
    let findings = match action {
        Action::Allow => vec![shadow],
        _ => vec![finding("INJ-001", None), finding("injection", Some(0.9))],
    };
    let request = VerdictRecord { action, score: 5, findings, ..VerdictRecord::default() };
    let event = Begin { tenant: tenant.into(), principal: principal.into(), request, ..begin(exchange, action) };
    let mut slot = audit.reserve().unwrap();
    slot.begin(event).await.unwrap();
    slot.end(ending);
    exchange
}

/// An answer of a provider, with what it cost.
fn answer(provider: &str, tokens: u64, cost_nusd: Option<u64>) -> End {
    End {
        provider: Some(provider.into()),
        prompt_tokens: Some(tokens),
        completion_tokens: Some(2 * tokens),
        cost_nusd,
        latency_us: BTreeMap::from([
            ("total".into(), 80_000),
            ("scan".into(), 400),
            ("provider_head".into(), 50_000 * tokens),
        ]),
        ..end(Outcome::Completed)
    }
}

fn failed(provider: &str, detail: &str) -> End {
    let fault = FaultRecord { cause: Cause::Upstream, blame: Blame::Provider, detail: detail.into() };
    let nothing = End { prompt_tokens: None, completion_tokens: None, ..answer(provider, 1, None) };
    End { outcome: Outcome::Failed, fault: Some(fault), ..nothing }
}

async fn fill(audit: &Audit) -> ExchangeId {
    for _ in 0..3 {
        record(audit, ("acme", "key:ann"), Action::Allow, answer("big", 10, Some(1_500_000_000))).await;
    }
    record(audit, ("acme", "key:ann"), Action::Flag, answer("big", 10, Some(1))).await;
    record(audit, ("acme", "key:ben"), Action::Redact, answer("small", 10, None)).await;
    record(audit, ("globex", "key:eve"), Action::Allow, failed("small", "first")).await;
    record(audit, ("globex", "key:eve"), Action::Allow, failed("small", "connection refused")).await;
    let none = End { provider: None, model: None, prompt_tokens: None, completion_tokens: None, ..answer("", 1, None) };
    let blocked = End { outcome: Outcome::Blocked, ..none };
    let attack = record(audit, ("acme", "key:ben"), Action::Block, blocked).await;
    // A provider's count is anybody's number.
    record(
        audit,
        ("globex", "key:eve"),
        Action::Allow,
        End { completion_tokens: Some(u64::MAX), ..answer("big", 1, None) },
    )
    .await;
    audit.refuse(refused(ExchangeId::new())).await.unwrap();
    attack
}

async fn adds_up(config: &AuditConfig) {
    let mut reader = AuditReader::open(config).await.unwrap();
    for (seconds, step) in [(3600, 60), (DAY, 900), (90 * DAY, DAY)] {
        let span = FigureSpan::until(Timestamp::now(), seconds, step);
        let sum = |steps: Vec<portcullis::audit::StepCounts>| {
            assert!(steps.iter().all(|one| one.at % step == 0 && span.from <= one.at && one.at < span.to), "{steps:?}");
            let total = |of: fn(&Counts) -> u64| steps.iter().map(|one| of(&one.counts)).sum::<u64>();
            [
                total(|one| one.requests),
                total(|one| one.blocked),
                total(|one| one.failed),
                total(|one| one.refused),
                total(|one| one.flagged),
                total(|one| one.redacted),
                total(|one| one.prompt_tokens),
                total(|one| one.cost_nusd),
                total(|one| one.uncounted),
                total(|one| one.unpriced),
            ]
        };
        let all = sum(reader.traffic(span, None).await.unwrap());
        assert_eq!(all, [10, 1, 2, 1, 1, 1, 51, 4_500_000_001, 1, 2], "{seconds}");
        let acme = sum(reader.traffic(span, Some("acme")).await.unwrap());
        assert_eq!(acme, [6, 1, 0, 0, 1, 1, 50, 4_500_000_001, 0, 1], "{seconds}");

        let usage = reader.usage(span, None).await.unwrap();
        let first = &usage[0];
        assert_eq!((first.tenant.as_str(), first.provider.as_str(), first.model.as_str()), ("acme", "big", "demo-1"));
        assert_eq!((first.counts.requests, first.counts.cost_nusd), (4, 4_500_000_001));
        assert_eq!(usage.iter().map(|row| row.counts.requests).sum::<u64>(), 10);
        assert_eq!(reader.tenants(span).await.unwrap(), ["acme", "globex"]);

        let stages = reader.stages(span).await.unwrap();
        let scan = stages.iter().find(|stage| stage.name == "scan").unwrap();
        assert_eq!(scan.count, 9);
        assert!((0.33..0.48).contains(&scan.p50_ms) && scan.max_ms >= 0.4, "{scan:?}");
        let providers = reader.providers(span).await.unwrap();
        let big = providers.iter().find(|provider| provider.name == "big").unwrap();
        assert_eq!(big.count, 5);
        assert!((400.0..600.0).contains(&big.p95_ms), "{big:?}");

        let hits = reader.hits((span.from, span.to), None, 10).await.unwrap();
        let of = |id: &str| hits.iter().find(|hit| hit.id == id).unwrap();
        assert_eq!((of("INJ-001").acted, of("INJ-001").blocked, of("INJ-001").judge.as_str()), (3, 1, "rule"));
        assert_eq!((of("INJ-777").acted, of("INJ-777").shadow), (0, 6));
        assert_eq!((of("injection").acted, of("injection").judge.as_str()), (3, "model"));
        let hits = reader.hits((span.from, span.to), Some("globex"), 10).await.unwrap();
        assert_eq!((hits.len(), hits[0].shadow), (1, 3));
    }
    let since = Timestamp::now().as_second() - DAY;
    let days = reader.hits_by_day("INJ-001", since).await.unwrap();
    assert_eq!(days.iter().map(|(_, acted, _)| acted).sum::<u64>(), 3);
    let fault = reader.provider_fault("small", since).await.unwrap().unwrap();
    assert_eq!(fault.detail.as_deref(), Some("connection refused"), "the last one");
    assert!(reader.provider_fault("big", since).await.unwrap().is_none());
}

async fn principals(config: &AuditConfig, open: u64) {
    let mut reader = AuditReader::open(config).await.unwrap();
    let since_day = Timestamp::now().as_second() / DAY - 1;
    let all = PrincipalFilter { since_day, ..PrincipalFilter::default() };
    let names = |rows: &[portcullis::audit::PrincipalSums]| -> Vec<String> {
        rows.iter().map(|row| row.principal.clone()).collect()
    };
    let rows = reader.principals(&all, (0, 10)).await.unwrap();
    assert_eq!(names(&rows), ["key:ben", "key:ann", "key:eve"], "who is stopped most first");
    let ben = &rows[0];
    assert_eq!((ben.requests, ben.blocked, ben.stopped, ben.incidents_open), (2, 1, 2, open));
    assert!(ben.first_us <= ben.last_us && ben.last_us <= Timestamp::now().as_microsecond());
    for (order, first) in
        [(PrincipalOrder::Requests, "key:ann"), (PrincipalOrder::Cost, "key:ann"), (PrincipalOrder::Last, "key:eve")]
    {
        let rows = reader.principals(&PrincipalFilter { order, ..all.clone() }, (0, 1)).await.unwrap();
        assert_eq!(names(&rows), [first], "{order:?}");
    }
    let part = PrincipalFilter { part: Some("KEY:E".into()), ..all.clone() };
    assert_eq!(names(&reader.principals(&part, (0, 10)).await.unwrap()), ["key:eve"]);
    let nobody = PrincipalFilter { part: Some("%_' OR 1=1".into()), ..all.clone() };
    assert!(reader.principals(&nobody, (0, 10)).await.unwrap().is_empty());
    assert_eq!(names(&reader.principals(&all, (1, 10)).await.unwrap()).len(), 2);

    let ben = ("acme", "key:ben");
    let days = reader.principal_days(ben, since_day).await.unwrap();
    assert_eq!((days.len(), days[0].requests, days[0].blocked), (1, 2, 1));
    let judges = reader.principal_judges(ben).await.unwrap();
    assert_eq!(judges, [("INJ-001".to_owned(), 2), ("injection".to_owned(), 2)]);
    let addresses = reader.principal_seen(ben, false).await.unwrap();
    assert_eq!((addresses.len(), addresses[0].name.as_str(), addresses[0].requests), (1, "127.0.0.1:4711", 2));
    assert_eq!(reader.principal_seen(ben, true).await.unwrap()[0].name, "demo");
    let exchanges = reader.principal_exchanges(ben, 10).await.unwrap();
    assert_eq!(exchanges.len(), 2);
    assert_eq!(exchanges[0].outcome.as_deref(), Some("blocked"));
}

async fn figures(config: &AuditConfig, folder: &Path) {
    let audit = Audit::open(config.clone()).await.unwrap();
    let attack = fill(&audit).await;
    audit.system(SystemKind::Admin, r#"{"user":"ann","what":"sign_in"}"#);
    audit.system(SystemKind::Reload, r#"says "what":"admin" and is none"#);
    audit.system(SystemKind::Admin, r#"{"user":"ann","what":"verify"}"#);
    assert!(audit.flush(PATIENCE).await);
    adds_up(config).await;
    principals(config, 2).await;
    appliance(config).await;

    let mut reader = AuditReader::open(config).await.unwrap();
    let id = IncidentId { exchange: attack, is_reply: false };
    let alarm = Step::Disposition(Some(Disposition::FalsePositive));
    assert_eq!(reader.review(id, false, &alarm, ("ann", None)).await.unwrap(), 1);
    let reviews = reader.rule_reviews(Timestamp::now().as_second() - 60).await.unwrap();
    assert_eq!(reviews["INJ-001"].false_positive, 1);
    assert_eq!(reviews["injection"].false_rate(), Some(1.0));
    assert!(reader.rule_reviews(Timestamp::now().as_second() + 60).await.unwrap().is_empty());
    assert!(audit.close(PATIENCE).await);

    // As after a crash between the store's commit and the cursor: everything is sent again.
    fs::remove_file(folder.join("audit/shipped")).unwrap();
    let audit = Audit::open(config.clone()).await.unwrap();
    assert!(audit.flush(PATIENCE).await);
    adds_up(config).await;
    principals(config, 1).await;
    assert!(audit.close(PATIENCE).await);
}

async fn appliance(config: &AuditConfig) {
    let mut reader = AuditReader::open(config).await.unwrap();
    let (deeds, next) = reader.deeds(None, 1).await.unwrap();
    assert_eq!(deeds.len(), 1);
    assert!(deeds[0].body.contains("verify"), "the newest first: {}", deeds[0].body);
    let (deeds, next) = reader.deeds(next, 2).await.unwrap();
    assert!(deeds[0].body.contains("sign_in"));
    assert_eq!((deeds.len(), next), (1, None), "a reload that speaks of it is no deed");
    let spans = reader.chain_spans().await.unwrap();
    assert_eq!((spans.len(), spans[0].first_seq), (1, Some(1)));
    assert!(spans[0].last_seq >= Some(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    figures(&sqlite(folder.path()), folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_in_postgres() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    figures(&postgres(folder.path(), cluster.database("audit").await), folder.path()).await;
}
