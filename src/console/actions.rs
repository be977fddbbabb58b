//! What was done here, by whom: the record's own words.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::State;
use super::api::Problem;
use super::guard::refused;
use super::record::in_time;
use crate::audit::{Event, EventPlace, Record};

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A page of it, newest first.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let after: Option<EventPlace> = match asked.cursor.as_deref().map(str::parse).transpose() {
        Ok(after) => after,
        Err(error) => return Ok(refused(StatusCode::BAD_REQUEST, &format!("cursor: {error}"))),
    };
    // The appliance's own events are in its own region.
    let mut lease = state.record.lease(None, None).await?;
    let (records, next) =
        in_time(lease.reader.deeds(after, i64::from(asked.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)))).await?;
    lease.back();
    let actions: Vec<Value> = records.iter().map(told).collect();
    Ok(Json(json!({ "actions": actions, "next": next.map(|place| place.to_string()) })).into_response())
}

/// Older versions wrote a sentence, newer ones an object.
fn told(record: &Record) -> Value {
    let Event::System(system) = &record.event else { return Value::Null };
    let mut told = match serde_json::from_str(&system.detail) {
        Ok(Value::Object(deed)) => deed,
        _ => [("what".to_owned(), Value::from(system.detail.clone()))].into_iter().collect(),
    };
    told.insert("at".to_owned(), json!(system.at));
    told.insert("node".to_owned(), json!(record.node));
    told.insert("seq".to_owned(), json!(record.seq));
    Value::Object(told)
}

/// Actions of a page, when nothing is said.
const LIMIT: u32 = 100;
/// Actions of a page at most.
const LIMIT_MAX: u32 = 1000;
