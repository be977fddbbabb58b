//! The classifier that serves, and the one that looks on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use serde_json::{Value, json};

use super::State;
use crate::classify::{Classifier, Shadow};

/// Which model serves, and what the one in shadow would have changed.
pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    let judges = state.proxy.judges.load();
    let serves = |classifier: &Classifier| {
        let manifest = classifier.manifest();
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "licence": manifest.licence,
            "trained": manifest.trained,
            "threads": classifier.threads(),
            "waiting": classifier.waiting(),
        })
    };
    Json(json!({
        "model": judges.classifier.as_ref().map(serves),
        "shadow": judges.shadow.as_ref().map(Shadow::figures),
    }))
}
