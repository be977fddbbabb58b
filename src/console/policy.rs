//! The policy: which is in force, how it came, and the two handlers of this port that change something.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use similar::TextDiff;

use super::State;
use super::guard::refused;
use crate::proxy::{Change, Origin, PolicyStatus, Wish};

/// What is in force, since when, how it came, what was tried, and what is kept.
pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Json<PolicyStatus> {
    Json(PolicyStatus::clone(&state.policy.status()))
}

/// Which versions to compare.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    from: String,
    to: String,
}

/// What differs between two kept versions, file by file. The configuration is among them: for authors.
pub(super) async fn diff(Shared(state): Shared<Arc<State>>, Query(between): Query<Between>) -> Response {
    let desk = Arc::clone(state.policy.desk());
    let read = tokio::task::spawn_blocking(move || {
        let of = |version: &str| {
            let files = desk.files(version)?.ok_or_else(|| format!("the policy `{version}` is not kept here"))?;
            Ok::<_, String>(files.into_iter().map(|file| (file.path, file.text)).collect::<BTreeMap<_, _>>())
        };
        let (from, to) = (of(&between.from)?, of(&between.to)?);
        let paths: BTreeSet<&PathBuf> = from.keys().chain(to.keys()).collect();
        let none = String::new();
        let differs = |path: &&PathBuf| from.get(*path) != to.get(*path);
        let diff = |path: &PathBuf| {
            let name = path.display().to_string();
            let (from, to) = (from.get(path).unwrap_or(&none), to.get(path).unwrap_or(&none));
            let diff = TextDiff::from_lines(from, to).unified_diff().header(&name, &name).to_string();
            json!({ "path": name, "diff": diff })
        };
        Ok::<_, String>(paths.into_iter().filter(differs).map(diff).collect::<Vec<_>>())
    });
    match read.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(files) => Json(json!({ "files": files })).into_response(),
        Err(why) => refused(StatusCode::NOT_FOUND, &why),
    }
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
