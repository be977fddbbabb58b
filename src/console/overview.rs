//! What goes on: traffic, verdicts, latency, usage, rules, providers, and how the record does.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::State;
use super::api::Problem;
use super::record::in_time;
use crate::audit::{
    AuditError, AuditReader, Counts, FigureSpan, IncidentFilter, JudgeHits, ProviderFault, StageLatency, StepCounts,
    USAGE_MAX, Usage,
};

/// The query of the overview.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    range: Range,
    tenant: Option<String>,
    region: Option<String>,
}

/// How far back.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum Range {
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "6h")]
    SixHours,
    #[default]
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
    #[serde(rename = "90d")]
    Quarter,
}

impl Range {
    /// About a hundred steps each.
    fn span(self, now: Timestamp) -> FigureSpan {
        let (seconds, step) = match self {
            Self::Hour => (HOUR, 60),
            Self::SixHours => (6 * HOUR, 300),
            Self::Day => (24 * HOUR, 900),
            Self::Week => (7 * 24 * HOUR, 2 * HOUR),
            Self::Month => (30 * 24 * HOUR, 6 * HOUR),
            Self::Quarter => (90 * 24 * HOUR, 24 * HOUR),
        };
        FigureSpan::until(now, seconds, step)
    }
}

/// What the store has of a span.
struct Found {
    steps: Vec<StepCounts>,
    stages: Vec<StageLatency>,
    usage: Vec<Usage>,
    rules: Vec<JudgeHits>,
    tenants: Vec<String>,
    providers: Vec<StageLatency>,
    faults: BTreeMap<String, ProviderFault>,
    open: u64,
}

/// The overview.
pub(super) async fn show(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let span = asked.range.span(Timestamp::now());
    let tenant = asked.tenant.as_deref();
    let mut lease = state.record.lease(asked.region.as_deref(), tenant).await?;
    let found = in_time(find(&mut lease.reader, span, tenant)).await?;
    lease.back();
    Ok(Json(told(&state, span, &found)).into_response())
}

async fn find(reader: &mut AuditReader, span: FigureSpan, tenant: Option<&str>) -> Result<Found, AuditError> {
    let usage = reader.usage(span, tenant).await?;
    let mut faults = BTreeMap::new();
    for row in usage.iter().filter(|row| row.counts.failed > 0 && !row.provider.is_empty()) {
        if !faults.contains_key(&row.provider)
            && let Some(fault) = reader.provider_fault(&row.provider, span.from).await?
        {
            faults.insert(row.provider.clone(), fault);
        }
    }
    let open = IncidentFilter { open: Some(true), tenant: tenant.map(str::to_owned), ..IncidentFilter::default() };
    Ok(Found {
        steps: reader.traffic(span, tenant).await?,
        stages: reader.stages(span).await?,
        rules: reader.hits((span.from, span.to), tenant, RULES).await?,
        tenants: reader.tenants(span).await?,
        providers: reader.providers(span).await?,
        open: reader.count_incidents(&open).await?,
        usage,
        faults,
    })
}

fn told(state: &State, span: FigureSpan, found: &Found) -> Value {
    let judges = state.proxy.judges.load();
    let policy = state.policy.status();
    let model = judges.classifier.as_ref().map(|classifier| json!({ "version": classifier.version() }));
    json!({
        "from": time(span.from),
        "to": time(span.to),
        "step_s": span.step,
        "tenants": found.tenants,
        "series": series(span, &found.steps),
        "totals": totals(&found.steps, found.open),
        "latency": found.stages,
        "usage": found.usage.iter().map(usage).collect::<Vec<_>>(),
        "usage_is_cut": i64::try_from(found.usage.len()).is_ok_and(|rows| rows >= USAGE_MAX),
        "rules": found.rules,
        "providers": providers(found),
        "cache": null,
        "audit": state.proxy.audit.status(),
        "spool_bytes_max": state.proxy.limits.spool_bytes,
        "policy": { "version": policy.in_force.version, "since": policy.in_force.since },
        "model": model,
        "in_flight": state.in_flight(),
    })
}

/// One list for each figure, a place for each step: what was not counted is 0.
fn series(span: FigureSpan, steps: &[StepCounts]) -> Value {
    let by_step: BTreeMap<i64, Counts> = steps.iter().map(|step| (step.at, step.counts)).collect();
    let all: Vec<Counts> = span.steps().map(|at| by_step.get(&at).copied().unwrap_or_default()).collect();
    let list = |of: fn(&Counts) -> u64| all.iter().map(of).collect::<Vec<_>>();
    json!({
        "at": span.steps().map(time).collect::<Vec<_>>(),
        "requests": list(|one| one.requests),
        "blocked": list(|one| one.blocked),
        "flagged": list(|one| one.flagged),
        "redacted": list(|one| one.redacted),
        "routed": list(|one| one.routed),
        "throttled": list(|one| one.throttled),
        "failed": list(|one| one.failed),
        "refused": list(|one| one.refused),
        "prompt_tokens": list(|one| one.prompt_tokens),
        "completion_tokens": list(|one| one.completion_tokens),
        "cost_usd": all.iter().map(|one| dollars(one.cost_nusd)).collect::<Vec<_>>(),
    })
}

fn totals(steps: &[StepCounts], open: u64) -> Value {
    let sum = |of: fn(&Counts) -> u64| steps.iter().map(|step| of(&step.counts)).sum::<u64>();
    let (cost, unpriced) = (sum(|one| one.cost_nusd), sum(|one| one.unpriced));
    json!({
        "requests": sum(|one| one.requests),
        "blocked": sum(|one| one.blocked),
        "flagged": sum(|one| one.flagged),
        "redacted": sum(|one| one.redacted),
        "routed": sum(|one| one.routed),
        "throttled": sum(|one| one.throttled),
        "failed": sum(|one| one.failed),
        "interrupted": sum(|one| one.interrupted),
        "client_gone": sum(|one| one.client_gone),
        "refused": sum(|one| one.refused),
        "prompt_tokens": sum(|one| one.prompt_tokens),
        "completion_tokens": sum(|one| one.completion_tokens),
        "uncounted": sum(|one| one.uncounted),
        "unpriced": unpriced,
        "cost_usd": cost_of(cost, unpriced),
        "incidents_open": open,
    })
}

fn usage(row: &Usage) -> Value {
    let counts = &row.counts;
    json!({
        "tenant": row.tenant,
        "provider": row.provider,
        "model": row.model,
        "requests": counts.requests,
        "blocked": counts.blocked,
        "failed": counts.failed,
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "uncounted": counts.uncounted,
        "unpriced": counts.unpriced,
        "cost_usd": cost_of(counts.cost_nusd, counts.unpriced),
    })
}

/// Every provider that answered, or should have.
fn providers(found: &Found) -> Vec<Value> {
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in found.usage.iter().filter(|row| !row.provider.is_empty()) {
        let sum = sums.entry(&row.provider).or_default();
        *sum = (sum.0 + row.counts.requests, sum.1 + row.counts.failed);
    }
    let one = |(name, (requests, failed)): (&str, (u64, u64))| {
        let latency = found.providers.iter().find(|latency| latency.name == name);
        let fault = found.faults.get(name);
        json!({
            "name": name,
            "requests": requests,
            "failed": failed,
            "p50_ms": latency.map(|latency| latency.p50_ms),
            "p95_ms": latency.map(|latency| latency.p95_ms),
            "last_error": fault.map(|fault| &fault.detail),
            "last_error_at": fault.and_then(|fault| Timestamp::from_microsecond(fault.at_us).ok()),
        })
    };
    sums.into_iter().map(one).collect()
}

/// Null where nobody said what anything costs; what is without a price is told beside it.
fn cost_of(nusd: u64, unpriced: u64) -> Option<f64> {
    (nusd > 0 || unpriced == 0).then(|| dollars(nusd))
}

#[expect(clippy::cast_precision_loss, reason = "for people; sums are kept in whole billionths")]
pub(super) fn dollars(nusd: u64) -> f64 {
    nusd as f64 / 1e9
}

/// A second as JSON has it.
pub(super) fn time(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// Seconds of an hour.
const HOUR: i64 = 3600;
/// Rules that are named.
const RULES: i64 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_steps_that_a_screen_has_room_for() {
        let now: Timestamp = "2026-11-23T12:34:56Z".parse().unwrap();
        for name in ["1h", "6h", "24h", "7d", "30d", "90d"] {
            let range: Range = serde_json::from_value(json!(name)).unwrap();
            let span = range.span(now);
            let steps = span.steps().count();
            assert!((60..=120).contains(&steps), "{name}: {steps}");
            assert!(span.from < now.as_second() && now.as_second() < span.to, "{name}");
        }
    }

    #[test]
    fn what_was_not_counted_has_its_place_all_the_same() {
        let span = FigureSpan { from: 600, to: 780, step: 60 };
        let counts = Counts { requests: 3, cost_nusd: 1_500_000_000, ..Counts::default() };
        let series = series(span, &[StepCounts { at: 660, counts }]);
        assert_eq!(series["requests"], json!([0, 3, 0]));
        assert_eq!(series["cost_usd"], json!([0.0, 1.5, 0.0]));
        assert_eq!(series["at"][0], "1970-01-01T00:10:00Z");
    }

    #[test]
    fn no_price_is_no_zero() {
        assert_eq!((cost_of(0, 7), cost_of(0, 0), cost_of(5, 7)), (None, Some(0.0), Some(5e-9)));
    }
}
