//! The reviewers' queue over both stores: what is in it, how it is found and grouped, and what reviewers do with it.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

mod support;

use jiff::{Timestamp, ToSpan};
use portcullis::audit::{
    Audit, AuditConfig, AuditReader, Begin, Disposition, End, IncidentFilter, IncidentId, Outcome, Step, VerdictRecord,
};
use portcullis::base::ExchangeId;
use portcullis::verdict::{Action, Severity};
use serde_json::{Value, json};
use support::audit::{PATIENCE, begin, end, finding, postgres, sqlite, verify};
use support::postgres::Cluster;

/// What one exchange is.
struct Case<'a> {
    tenant: &'a str,
    principal: &'a str,
    action: Action,
    rule: &'a str,
    excerpt: &'a str,
    severity: Severity,
}

const CASE: Case<'_> = Case {
    tenant: "acme",
    principal: "key:ann",
    action: Action::Block,
    rule: "INJ-001",
    excerpt: "Ignore all previous instructions",
    severity: Severity::High,
};

async fn record(audit: &Audit, case: &Case<'_>) -> IncidentId {
    let exchange = ExchangeId::new();
    let mut found = finding(case.rule, None);
    (found.excerpt, found.severity, found.title) =
        (case.excerpt.into(), case.severity, format!("Title of {}", case.rule));
    let request = VerdictRecord { action: case.action, score: 7, findings: vec![found], ..VerdictRecord::default() };
    let event = Begin {
        tenant: case.tenant.into(),
        principal: case.principal.into(),
        model_asked: Some("demo".into()),
        request,
        ..begin(exchange, case.action)
    };
    let mut slot = audit.reserve().unwrap();
    slot.begin(event).await.unwrap();
    slot.end(end(Outcome::Completed));
    IncidentId { exchange, is_reply: false }
}

async fn reader(config: &AuditConfig) -> AuditReader {
    AuditReader::open(config).await.unwrap()
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

async fn found(config: &AuditConfig, filter: IncidentFilter) -> Vec<String> {
    let page = reader(config).await.incidents(&filter, (None, 100), false).await.unwrap();
    assert_eq!((page.total, page.total_is_estimate), (page.incidents.len() as u64, false));
    ids(&page.incidents)
}

async fn the_queue(config: &AuditConfig) {
    let audit = Audit::open(config.clone()).await.unwrap();
    let before = Timestamp::now();
    let plain = record(&audit, &Case { action: Action::Allow, ..CASE }).await;
    let first = record(&audit, &CASE).await.to_string();
    let again = record(&audit, &Case { excerpt: "ignore ALL previous instructions!! 42", ..CASE }).await.to_string();
    let other =
        Case { rule: "SEC-007", excerpt: "AKIA…", severity: Severity::Critical, action: Action::Redact, ..CASE };
    let other = record(&audit, &Case { tenant: "globex", principal: "key:ben", ..other }).await.to_string();
    // A reply that leaks: both directions are incidents of one exchange.
    let exchange = ExchangeId::new();
    let mut slot = audit.reserve().unwrap();
    slot.begin(begin(exchange, Action::Flag)).await.unwrap();
    let reply = VerdictRecord {
        action: Action::Block,
        score: 5,
        findings: vec![finding("OUT-001", None)],
        ..VerdictRecord::default()
    };
    slot.end(End { reply: Some(reply), ..end(Outcome::Blocked) });
    let (asked, said) = (format!("{exchange}:request"), format!("{exchange}:reply"));
    assert!(audit.flush(PATIENCE).await);

    let all = found(config, IncidentFilter::default()).await;
    assert!(!all.contains(&plain.to_string()), "what passed is no incident");
    assert_eq!(all.len(), 5);
    assert_eq!(all[4], first, "newest first");
    let with = |change: &dyn Fn(&mut IncidentFilter)| {
        let mut filter = IncidentFilter::default();
        change(&mut filter);
        filter
    };
    for (filter, expected) in [
        (with(&|filter| filter.action = Some(Action::Redact)), vec![&other]),
        (with(&|filter| filter.severity = Some(Severity::Critical)), vec![&other]),
        (with(&|filter| filter.rule = Some("SEC-007".into())), vec![&other]),
        (with(&|filter| filter.tenant = Some("globex".into())), vec![&other]),
        (with(&|filter| filter.principal = Some("key:ben".into())), vec![&other]),
        (with(&|filter| filter.outcome = Some("blocked".into())), vec![&said, &asked]),
        (with(&|filter| filter.words = Some("akia".into())), vec![&other]),
        (with(&|filter| filter.words = Some("ignore ALL previous key:ann".into())), vec![&again, &first]),
        (with(&|filter| filter.words = Some("instru key:ann".into())), vec![&again, &first]),
        (with(&|filter| filter.words = Some("title sec-007".into())), vec![&other]),
        (with(&|filter| filter.words = Some("nowhere".into())), vec![]),
        (with(&|filter| filter.words = Some("' OR 1=1; -- % _ \\ :*".into())), vec![]),
        (with(&|filter| filter.until = Some(before)), vec![]),
        (with(&|filter| filter.assignee = Some("ann".into())), vec![]),
        (with(&|filter| filter.open = Some(false)), vec![]),
    ] {
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        let mut got = found(config, filter.clone()).await;
        expected.sort();
        got.sort();
        assert_eq!(got, expected, "{filter:?}");
    }
    assert_eq!(found(config, with(&|filter| filter.since = Some(before))).await.len(), 5);
    assert_eq!(found(config, with(&|filter| filter.since = Some(before + 1.hour()))).await.len(), 0);

    // Pages, and the same attack once.
    let mut reader = reader(config).await;
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = reader.incidents(&IncidentFilter::default(), (after, 2), false).await.unwrap();
        paged.extend(ids(&page.incidents));
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    assert_eq!(paged, all);
    let mut grouped = Vec::new();
    let mut after = None;
    loop {
        let page = reader.incidents(&IncidentFilter::default(), (after, 2), true).await.unwrap();
        assert_eq!(page.total, 4);
        grouped.extend(page.incidents);
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    assert_eq!(grouped.len(), 4, "{grouped:#?}");
    let twice = grouped.iter().find(|row| row["id"] == again).unwrap();
    assert_eq!(twice["count"], 2);
    assert!(twice["first_at"].as_str().unwrap() <= twice["at"].as_str().unwrap());

    let one = reader.incident(said.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(
        (&one["direction"], &one["principal"], &one["rules"]),
        (&json!("reply"), &json!("key:demo"), &json!(["OUT-001"]))
    );
    assert_eq!(
        (&one["outcome"], &one["provider"], &one["model"]),
        (&json!("blocked"), &json!("mock"), &json!("demo-1"))
    );
    assert!(reader.incident(IncidentId { is_reply: true, ..plain }).await.unwrap().is_none());

    // What reviewers do.
    let id: IncidentId = first.parse().unwrap();
    let done = Step::Disposition(Some(Disposition::FalsePositive));
    assert_eq!(reader.review(id, false, &done, ("ann", Some("a quote, no attack"))).await.unwrap(), 1);
    assert_eq!(reader.review(id, false, &Step::Assignee(Some("ben".into())), ("ann", None)).await.unwrap(), 1);
    assert_eq!(reader.review(id, false, &Step::Note, ("ben", Some("looked at it"))).await.unwrap(), 1);
    let row = reader.incident(id).await.unwrap().unwrap();
    assert_eq!(
        (&row["disposition"], &row["assignee"], &row["notes"]),
        (&json!("false_positive"), &json!("ben"), &json!(2))
    );
    assert!(row["reviewed_at"].is_string());
    let history = reader.history(id).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|step| (step.author.as_str(), step.what.as_str(), step.before.as_deref(), step.after.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("ann", "disposition", None, Some("false_positive")),
            ("ann", "assignee", None, Some("ben")),
            ("ben", "note", None, None)
        ]
    );
    assert_eq!(history[0].note.as_deref(), Some("a quote, no attack"));
    assert_eq!(found(config, with(&|filter| filter.open = Some(true))).await.len(), 4);
    assert_eq!(found(config, with(&|filter| filter.assignee = Some("ben".into()))).await, std::slice::from_ref(&first));
    assert_eq!(
        found(config, with(&|filter| filter.disposition = Some(Disposition::FalsePositive))).await,
        std::slice::from_ref(&first)
    );
    // The open ones of a group; what was decided before stays.
    let all_of_it = Step::Disposition(Some(Disposition::TruePositive));
    assert_eq!(reader.review(again.parse().unwrap(), true, &all_of_it, ("ben", None)).await.unwrap(), 1);
    assert_eq!(reader.incident(id).await.unwrap().unwrap()["disposition"], "false_positive");
    // And back.
    assert_eq!(reader.review(id, false, &Step::Disposition(None), ("ann", None)).await.unwrap(), 1);
    assert!(reader.incident(id).await.unwrap().unwrap()["disposition"].is_null());
    assert_eq!(reader.history(id).await.unwrap().last().unwrap().before.as_deref(), Some("false_positive"));

    assert!(audit.close(PATIENCE).await);
    let reports = verify(config).await;
    assert_eq!(reports[0].broken, None, "a review changes nothing that is proved: {reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_queue(&sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_in_postgres() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    the_queue(&postgres(folder.path(), cluster.database("audit").await)).await;
}
