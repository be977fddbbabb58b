//! Who calls, and what they did.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::State;
use super::api::Problem;
use super::guard::refused;
use super::overview::{dollars, time};
use super::record::in_time;
use crate::audit::{
    AuditError, AuditReader, IncidentFilter, PrincipalExchange, PrincipalFilter, PrincipalOrder, PrincipalSums,
    SeenWith,
};

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    q: Option<String>,
    tenant: Option<String>,
    region: Option<String>,
    #[serde(default)]
    sort: PrincipalOrder,
    days: Option<u32>,
    limit: Option<u32>,
    cursor: Option<u32>,
}

/// A page of them.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let limit = i64::from(asked.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX));
    let skip = i64::from(asked.cursor.unwrap_or(0).min(SKIP_MAX));
    let filter = PrincipalFilter {
        since_day: since(asked.days),
        tenant: asked.tenant.clone(),
        principal: None,
        part: asked.q.clone().filter(|part| !part.is_empty()),
        order: asked.sort,
    };
    let mut lease = state.record.lease(asked.region.as_deref(), asked.tenant.as_deref()).await?;
    let rows = in_time(lease.reader.principals(&filter, (skip, limit))).await?;
    lease.back();
    let next = (i64::try_from(rows.len()) == Ok(limit)).then_some(skip + limit);
    Ok(Json(json!({ "principals": rows.iter().map(told).collect::<Vec<_>>(), "next": next })).into_response())
}

/// How far back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    days: Option<u32>,
}

/// One of them.
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path((tenant, principal)): Path<(String, String)>,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    let mut lease = state.record.lease(None, Some(&tenant)).await?;
    let found = in_time(find(&mut lease.reader, (&tenant, &principal), since(back.days))).await?;
    lease.back();
    Ok(match found {
        Some(found) => Json(found).into_response(),
        None => refused(http::StatusCode::NOT_FOUND, "nobody of this name called in that time"),
    })
}

async fn find(reader: &mut AuditReader, who: (&str, &str), since_day: i64) -> Result<Option<Value>, AuditError> {
    let (tenant, principal) = who;
    let filter = PrincipalFilter {
        since_day,
        tenant: Some(tenant.to_owned()),
        principal: Some(principal.to_owned()),
        ..PrincipalFilter::default()
    };
    let sums = reader.principals(&filter, (0, 1)).await?;
    let Some(Value::Object(mut all)) = sums.first().map(told) else { return Ok(None) };
    let days = reader.principal_days(who, since_day).await?;
    let judges = reader.principal_judges(who).await?;
    let incidents = IncidentFilter {
        tenant: Some(tenant.to_owned()),
        principal: Some(principal.to_owned()),
        ..IncidentFilter::default()
    };
    let page = reader.incidents(&incidents, (None, INCIDENTS), false).await?;
    all.insert(
        "series".to_owned(),
        json!({
            "at": days.iter().map(|day| time(day.at)).collect::<Vec<_>>(),
            "requests": days.iter().map(|day| day.requests).collect::<Vec<_>>(),
            "blocked": days.iter().map(|day| day.blocked).collect::<Vec<_>>(),
            "stopped": days.iter().map(|day| day.stopped).collect::<Vec<_>>(),
        }),
    );
    let judges: Vec<Value> = judges.iter().map(|(id, count)| json!({ "id": id, "count": count })).collect();
    all.insert("rules".to_owned(), judges.into());
    let addresses = reader.principal_seen(who, false).await?;
    all.insert("addresses".to_owned(), addresses.iter().map(seen).collect());
    let keys = reader.principal_seen(who, true).await?;
    all.insert("keys".to_owned(), keys.iter().map(seen).collect());
    all.insert("incidents".to_owned(), page.incidents.into());
    let exchanges = reader.principal_exchanges(who, EXCHANGES).await?;
    all.insert("exchanges".to_owned(), exchanges.iter().map(exchange).collect());
    Ok(Some(Value::Object(all)))
}

fn told(row: &PrincipalSums) -> Value {
    json!({
        "tenant": row.tenant,
        "principal": row.principal,
        "requests": row.requests,
        "blocked": row.blocked,
        "stopped": row.stopped,
        "refused": row.refused,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        // Nothing for some tokens: nobody said what they cost.
        "cost_usd": (row.cost_nusd > 0 || row.prompt_tokens + row.completion_tokens == 0).then(|| dollars(row.cost_nusd)),
        "first_at": micros(Some(row.first_us)),
        "last_at": micros(Some(row.last_us)),
        "incidents_open": row.incidents_open,
    })
}

fn seen(row: &SeenWith) -> Value {
    json!({
        "name": row.name,
        "requests": row.requests,
        "first_at": micros(Some(row.first_us)),
        "last_at": micros(Some(row.last_us)),
    })
}

fn exchange(row: &PrincipalExchange) -> Value {
    json!({
        "exchange_id": row.exchange_id,
        "at": micros(row.at_us),
        "outcome": row.outcome,
        "request_action": row.request_action,
        "reply_action": row.reply_action,
        "model": row.model,
        "provider": row.provider,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
    })
}

fn micros(at: Option<i64>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::from_microsecond(at).ok())
}

/// The first day of so many, in days since 1970.
fn since(days: Option<u32>) -> i64 {
    Timestamp::now().as_second().div_euclid(86_400) - i64::from(days.unwrap_or(DAYS).clamp(1, DAYS_MAX)) + 1
}

/// Days that are looked at, when nothing is said.
const DAYS: u32 = 30;
/// Days at most.
const DAYS_MAX: u32 = 400;
/// Principals of a page, when nothing is said.
const LIMIT: u32 = 50;
/// Principals of a page at most.
const LIMIT_MAX: u32 = 500;
/// How far pages go: whoever looks further narrows the list.
const SKIP_MAX: u32 = 10_000;
/// Incidents of one principal.
const INCIDENTS: u32 = 50;
/// Exchanges of one principal.
const EXCHANGES: i64 = 50;
