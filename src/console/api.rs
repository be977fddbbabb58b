//! The handlers about the record and the appliance itself.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::who::{Actor, Role};
use super::{Asker, State};
use crate::audit::{AuditError, Filter, LIST_MAX, Pace, Shred};
use crate::base::ExchangeId;
use crate::telemetry::metrics as names;
use crate::verdict::Action;

/// What there is.
pub(super) async fn index() -> Json<Value> {
    Json(json!({
        "name": "portcullis",
        "version": env!("CARGO_PKG_VERSION"),
        "console": "/",
        "documented": "docs/admin-api.md",
        "openapi": "/api/v1/openapi.json",
        "read": ["/api/v1/status", "/api/v1/overview", "/api/v1/incidents", "/api/v1/exchanges?action=block&limit=50", "/api/v1/exchanges/{id}",
            "/api/v1/rules", "/api/v1/policy", "/api/v1/principals", "/api/v1/integrity", "/metrics"],
        "change": ["/api/v1/policy/reload", "/api/v1/policy/rollback", "/api/v1/retention/run", "/api/v1/texts/shred"],
        "open": ["/healthz", "/readyz"],
    }))
}

/// The API as OpenAPI 3.1 has it.
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("../../docs/openapi.json")).into_response()
}

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Exchanges can be taken: the record has room and its disk takes writes. A store that is away is no reason to turn traffic
/// away, since the spool holds what it will get.
pub(super) async fn readyz(Shared(state): Shared<Arc<State>>) -> Response {
    let (audit, limits) = (state.proxy.audit.status(), &state.proxy.limits);
    let room = audit.spool_bytes.saturating_add(audit.reserved_bytes) < limits.spool_bytes;
    let problem = match (audit.disk_ok, room && audit.slots < limits.audit_slots) {
        (true, true) => return (StatusCode::OK, "ready\n").into_response(),
        (false, _) => "not ready: the audit spool takes no writes\n",
        (true, false) => "not ready: the audit spool is full\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, problem).into_response()
}

/// Prometheus text format 0.0.4.
pub(super) async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let audit = state.proxy.audit.status();
    let judges = state.proxy.judges.load();
    let waiting = judges.classifier.as_ref().map_or(0, crate::classify::Classifier::waiting);
    let (spool_bytes, queue_depth) =
        audit.all().fold((0, 0), |(bytes, depth), one| (bytes + one.spool_bytes, depth + one.queue_depth));
    names::queues(waiting, spool_bytes, queue_depth, audit.all().all(|one| one.store_ok));
    for (name, output) in audit.all().flat_map(|one| &one.outputs) {
        names::output(name.clone(), output.ok, output.pending, (output.lines, output.refused, output.gone));
    }
    names::in_flight(state.in_flight());
    let snapshot = &judges.snapshot;
    let info = names::policy_info(&snapshot.version, snapshot.scanner.rules().version_short());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.render() + &info).into_response()
}

/// What is in force and how the record does.
pub(super) async fn status(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    let judges = state.proxy.judges.load();
    let policy = state.policy.status();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "policy": judges.snapshot.version,
        "policy_since": policy.in_force.since,
        "policy_pinned": policy.in_force.pinned,
        "rules": judges.snapshot.scanner.rules().len(),
        "rules_version": judges.snapshot.scanner.rules().version_short(),
        "model": judges.classifier.as_ref().map(|classifier| classifier.version().to_owned()),
        "audit": state.proxy.audit.status(),
    }))
}

/// The query of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    action: Option<Action>,
    tenant: Option<String>,
    rule: Option<String>,
    text: Option<String>,
    region: Option<String>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    before: Option<ExchangeId>,
    limit: Option<u32>,
}

/// Exchanges, newest first.
pub(super) async fn exchanges(
    Shared(state): Shared<Arc<State>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        since: query.since,
        until: query.until,
        action: query.action,
        tenant: query.tenant,
        rule: query.rule,
        text: query.text,
        limit: query.limit.map(|limit| limit.min(LIST_MAX)),
        before: query.before,
    };
    let rows = state.record.list(query.region.as_deref(), &filter).await?;
    Ok(Json(json!({ "exchanges": rows })))
}

/// One exchange in full; to viewers without its recorded texts. That somebody read those is recorded.
pub(super) async fn exchange(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<ExchangeId>,
) -> Result<Response, Problem> {
    match state.record.show(id).await? {
        Some(mut detail) => {
            if actor.role < Role::Reviewer {
                detail.hide_texts();
            } else if detail.has_texts() {
                state.told(&actor, address, "read_text", &id.to_string(), None);
            }
            Ok(Json(detail).into_response())
        }
        None => Ok((StatusCode::NOT_FOUND, Json(json!({ "error": "no such exchange" }))).into_response()),
    }
}

/// Destroys recorded texts. The answer comes when they are gone from the store and the spool.
pub(super) async fn shred(Shared(state): Shared<Arc<State>>, body: Bytes) -> Result<Response, Problem> {
    let whose: Shred = match serde_json::from_slice(&body) {
        Ok(whose) => whose,
        Err(error) => {
            let error = format!(
                "the body is {{\"tenant\": \"…\"}}, with \"principal\" or \"exchange\" for less of it: {error}"
            );
            return Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response());
        }
    };
    let texts = state.proxy.audit.shred(&whose, SHIPPED).await?;
    Ok(Json(json!({ "texts": texts })).into_response())
}

/// Gives up what is older than it is kept. The answer comes when it is done.
pub(super) async fn retain(Shared(state): Shared<Arc<State>>) -> Result<Json<Value>, Problem> {
    let given_up = state.proxy.audit.retain(Pace::All).await?;
    Ok(Json(json!({ "given_up": given_up })))
}

/// The store could not be read.
#[derive(Debug)]
pub(super) struct Problem(AuditError);

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let AuditError::Search(_) | AuditError::NoRegion { .. } = &self.0 {
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0.to_string() }))).into_response();
        }
        tracing::warn!(error = %self.0, "the record could not be read");
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": self.0.to_string() }))).into_response()
    }
}

/// Longest wait for the store to have everything.
const SHIPPED: Duration = Duration::from_secs(30);
