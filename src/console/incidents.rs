//! The reviewers' queue.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::Problem;
use super::guard::refused;
use super::who::Actor;
use super::{Asker, State, csv};
use crate::audit::{Cursor, Disposition, IncidentFilter, IncidentId, PAGE_MAX, Reviewed, Step};
use crate::verdict::{Action, Severity};

/// The query of the queue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    state: Openness,
    action: Option<Action>,
    severity: Option<Severity>,
    rule: Option<String>,
    tenant: Option<String>,
    principal: Option<String>,
    disposition: Option<Disposition>,
    assignee: Option<String>,
    outcome: Option<String>,
    fingerprint: Option<String>,
    q: Option<String>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    region: Option<String>,
    #[serde(default)]
    group: u8,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Openness {
    #[default]
    Open,
    Closed,
    All,
}

impl Asked {
    fn filter(&self) -> IncidentFilter {
        IncidentFilter {
            open: match self.state {
                Openness::Open => Some(true),
                Openness::Closed => Some(false),
                Openness::All => None,
            },
            action: self.action,
            severity: self.severity,
            rule: self.rule.clone(),
            tenant: self.tenant.clone(),
            principal: self.principal.clone(),
            disposition: self.disposition,
            assignee: self.assignee.clone(),
            outcome: self.outcome.clone(),
            fingerprint: self.fingerprint.clone(),
            words: self.q.clone(),
            since: self.since,
            until: self.until,
        }
    }
}

/// A page of the queue.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let after: Option<Cursor> = match asked.cursor.as_deref().map(str::parse).transpose() {
        Ok(after) => after,
        Err(error) => return Ok(refused(StatusCode::BAD_REQUEST, &format!("cursor: {error}"))),
    };
    let place = (after, asked.limit.unwrap_or(LIMIT));
    let filter = asked.filter();
    let page = state.record.incidents(asked.region.as_deref(), &filter, place, asked.group != 0).await?;
    Ok(Json(page).into_response())
}

/// All that a filter finds, newest first, as CSV; at most [`CSV_MAX`].
pub(super) async fn csv(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let filter = asked.filter();
    let mut text = csv::head();
    let (mut after, mut lines) = (None, 0);
    while lines < CSV_MAX {
        let page = state.record.incidents(asked.region.as_deref(), &filter, (after, PAGE_MAX), false).await?;
        lines += page.incidents.len();
        text.extend(page.incidents.iter().map(csv::line));
        let Some(next) = page.next.and_then(|next| next.parse().ok()) else { break };
        after = Some(next);
    }
    let headers =
        [(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, "attachment; filename=\"incidents.csv\"")];
    Ok((headers, text).into_response())
}

/// An incident and what was done with it.
#[derive(Debug, Serialize)]
struct Reviewing {
    incident: Value,
    history: Vec<Reviewed>,
}

/// What a reviewer says it was.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    disposition: Option<Disposition>,
    note: Option<String>,
    #[serde(default)]
    group: bool,
}

/// Whose it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assigned {
    user: Option<String>,
    #[serde(default)]
    group: bool,
}

/// What a reviewer writes down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noted {
    text: String,
}

/// Says what it was, or opens it again.
pub(super) async fn decide(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(asker): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Json(asked): Json<Decided>,
) -> Result<Response, Problem> {
    let step = Step::Disposition(asked.disposition);
    reviewed(&state, (&actor, asker), (&id, asked.group), &step, asked.note.as_deref()).await
}

/// Gives it to somebody.
pub(super) async fn assign(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(asker): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Json(asked): Json<Assigned>,
) -> Result<Response, Problem> {
    if let Some(user) = asked.user.as_deref().filter(|user| !state.people.is_user(user)) {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, &format!("there is no user `{user}`")));
    }
    reviewed(&state, (&actor, asker), (&id, asked.group), &Step::Assignee(asked.user), None).await
}

/// Writes something down.
pub(super) async fn note(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(asker): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Json(asked): Json<Noted>,
) -> Result<Response, Problem> {
    if asked.text.trim().is_empty() {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, "the note is empty"));
    }
    reviewed(&state, (&actor, asker), (&id, false), &Step::Note, Some(&asked.text)).await
}

async fn reviewed(
    state: &State,
    (actor, Asker(address)): (&Actor, Asker),
    (id, group): (&str, bool),
    step: &Step,
    note: Option<&str>,
) -> Result<Response, Problem> {
    let incident: IncidentId = match id.parse() {
        Ok(id) => id,
        Err(error) => return Ok(refused(StatusCode::BAD_REQUEST, &error)),
    };
    if note.is_some_and(|note| note.chars().count() > NOTE_CHARS) {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, &format!("a note has at most {NOTE_CHARS} characters")));
    }
    let touched = state.record.review(incident, group, step, (&actor.name, note)).await?;
    if touched == 0 {
        return Ok(none());
    }
    let what = match step {
        Step::Disposition(to) => to.map_or("opened again".to_owned(), |to| to.name().to_owned()),
        Step::Assignee(to) => to.as_deref().map_or("assigned to nobody".to_owned(), |to| format!("assigned to {to}")),
        Step::Note => "note".to_owned(),
    };
    let what = if touched > 1 { format!("{what}, {touched} incidents") } else { what };
    state.told(actor, address, "review", id, Some(&what));
    Ok(match state.record.incident(incident).await? {
        Some((incident, history)) => Json(Reviewing { incident, history }).into_response(),
        None => none(),
    })
}

pub(super) fn none() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such incident, or not any more" }))).into_response()
}

/// Incidents of a page, when nothing is said.
const LIMIT: u32 = 50;
/// Characters of a note.
const NOTE_CHARS: usize = 4000;
/// Incidents of one file.
const CSV_MAX: usize = 50_000;
