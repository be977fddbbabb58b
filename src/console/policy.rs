//! The policy: which is in force, how it came, and the two handlers of this port that change something.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::State;
use crate::proxy::{Change, Origin, PolicyStatus, Wish};

/// Bytes of the body of a wish.
pub(super) const BODY_BYTES: usize = 4096;

/// What is in force, since when, how it came, what was tried, and what is kept.
pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Json<PolicyStatus> {
    Json(PolicyStatus::clone(&state.policy.status()))
}

/// Reads the files again. The answer comes when it is done.
pub(super) async fn reload(Shared(state): Shared<Arc<State>>) -> Response {
    ask(&state, Wish::Reload(Origin::Api)).await
}

/// What to go back to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    version: Option<String>,
}

/// Goes back to a kept policy: the one before, or the one that the body names.
pub(super) async fn rollback(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    let read = if body.is_empty() { Ok(Rollback::default()) } else { serde_json::from_slice(&body) };
    match read {
        Ok(Rollback { version }) => ask(&state, Wish::Rollback(version)).await,
        Err(error) => {
            let error = format!("the body is {{\"version\": \"…\"}} or empty: {error}");
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
        }
    }
}

async fn ask(state: &State, wish: Wish) -> Response {
    match state.policy.ask(wish).await {
        Ok(attempt) => {
            let status = match attempt.result {
                Change::InForce | Change::Unchanged => StatusCode::OK,
                Change::NeedsRestart => StatusCode::CONFLICT,
                Change::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            };
            (status, Json(attempt)).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": error.to_string() }))).into_response(),
    }
}
