//! Is the record whole? What the chains, seals and tombstones say, and a verification when somebody asks for one.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::api::Problem;
use super::guard::refused;
use super::record::in_time;
use super::who::Actor;
use super::{Asker, State};
use crate::audit::{AuditReader, ChainReport, Event, Evidence, Record, RegionsConfig, own_key};

/// The last verification.
#[derive(Debug, Default)]
pub(super) struct Checks(Mutex<Check>);

#[derive(Clone, Debug, Default, Serialize)]
struct Check {
    running: bool,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    by: String,
    regions: Vec<Region>,
    /// Why it could not be finished.
    error: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Region {
    region: String,
    chains: Vec<ChainReport>,
}

impl Checks {
    fn now(&self) -> std::sync::MutexGuard<'_, Check> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, unless one runs.
    fn begin(&self, by: &str) -> bool {
        let mut check = self.now();
        if check.running {
            return false;
        }
        *check = Check { running: true, started_at: Some(Timestamp::now()), by: by.to_owned(), ..Check::default() };
        true
    }

    fn end(&self, result: Result<Vec<Region>, String>) {
        let mut check = self.now();
        check.running = false;
        check.finished_at = Some(Timestamp::now());
        match result {
            Ok(regions) => check.regions = regions,
            Err(error) => check.error = Some(error),
        }
    }
}

/// Chains, seals, tombstones, the key, what is kept how long, and the last verification.
pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let mut regions = Vec::new();
    for config in state.record.regions().all() {
        let mut lease = state.record.lease(Some(&config.region), None).await?;
        let (chains, seals, tombstones) = in_time(async {
            let reader = &mut lease.reader;
            Ok((reader.chain_spans().await?, reader.seals(NEWEST).await?, reader.newest_tombstones(NEWEST).await?))
        })
        .await?;
        lease.back();
        let key = own_key(config)?.map(
            |trusted| json!({ "id": trusted.key.id(), "public": trusted.key.to_string(), "algorithm": "Ed25519" }),
        );
        let retention: Vec<Value> = config.retention.keep.iter().map(|(class, keep)| {
            json!({ "class": class, "events": keep.events, "review": keep.review, "texts": keep.texts })
        }).collect();
        regions.push(json!({
            "region": config.region,
            "chains": chains,
            "seals": seals.iter().filter_map(told).collect::<Vec<_>>(),
            "tombstones": tombstones.iter().filter_map(told).collect::<Vec<_>>(),
            "key": key,
            "retention": retention,
            "archive": config.archive.is_some(),
        }));
    }
    let check = state.checks.now().clone();
    Ok(Json(json!({ "regions": regions, "audit": state.proxy.audit.status(), "check": check })).into_response())
}

/// A seal or a tombstone, with where it stands in its chain.
fn told(record: &Record) -> Option<Value> {
    let place = json!({ "node": record.node, "seq": record.seq });
    let body = match &record.event {
        Event::Seal(seal) => serde_json::to_value(seal),
        Event::Tombstone(tombstone) => serde_json::to_value(tombstone),
        _ => return None,
    };
    let (Ok(Value::Object(mut body)), Value::Object(place)) = (body, place) else { return None };
    body.extend(place);
    Some(Value::Object(body))
}

/// Begins to verify the whole record; what comes of it stands in [`show`].
pub(super) async fn verify(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
) -> Response {
    if !state.checks.begin(&actor.name) {
        return refused(StatusCode::CONFLICT, "a verification runs already");
    }
    state.told(&actor, address, "verify", "", None);
    let shared = Arc::clone(&state);
    tokio::spawn(async move {
        // A panic must not leave it running for ever.
        let walked = {
            let state = Arc::clone(&shared);
            tokio::spawn(async move { walk(state.record.regions()).await }).await
        };
        shared.checks.end(walked.unwrap_or_else(|error| Err(error.to_string())));
    });
    (StatusCode::ACCEPTED, Json(json!({ "check": state.checks.now().clone() }))).into_response()
}

/// Walks every chain with a reader of its own: it may take an hour, and nobody waits for it.
async fn walk(config: &RegionsConfig) -> Result<Vec<Region>, String> {
    let mut regions = Vec::new();
    for config in config.all() {
        let walked = async {
            let evidence = Evidence { keys: own_key(config)?.into_iter().collect(), ..Evidence::default() };
            AuditReader::open(config).await?.verify(&evidence).await
        };
        let chains = walked.await.map_err(|error| error.to_string())?;
        regions.push(Region { region: config.region.clone(), chains });
    }
    Ok(regions)
}

/// Seals and tombstones that are shown.
const NEWEST: i64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_says_how_it_ended() {
        let checks = Checks::default();
        assert!(checks.begin("ann"));
        assert!(!checks.begin("ben"));
        checks.end(Err("the store is away".to_owned()));
        let check = checks.now().clone();
        assert_eq!(
            (check.running, check.by.as_str(), check.error.as_deref()),
            (false, "ann", Some("the store is away"))
        );
        assert!(checks.begin("ben"));
        assert_eq!(checks.now().error, None);
    }
}
