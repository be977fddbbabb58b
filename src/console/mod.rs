//! The admin port: health, metrics, the API of the record, and the policy in force.
//!
//! Everything but `/healthz` and `/readyz` needs the admin token; every request must name a host that this port is known
//! by, so that a page in a browser cannot reach it under a name of its own (DNS rebinding).

mod api;
mod guard;
mod policy;
mod record;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::audit::RegionsConfig;
use crate::base::Secret;
use crate::proxy::{PolicyControl, Proxy, ReplyBody};
use crate::telemetry::metrics::PrometheusHandle;
use guard::Guard;
use record::Record;

/// What the handlers share.
#[derive(Debug)]
struct State {
    proxy: Arc<Proxy>,
    policy: PolicyControl,
    metrics: PrometheusHandle,
    record: Record,
}

/// The admin port's pages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    router: Router,
}

impl Console {
    /// The pages over a running pipeline and the control of its policy. `token` opens them; `hosts` are further names of this port.
    pub fn new(
        (proxy, policy): (Arc<Proxy>, PolicyControl),
        metrics: PrometheusHandle,
        token: Secret,
        address: SocketAddr,
        hosts: &[String],
        audit: RegionsConfig,
    ) -> Self {
        let state = Arc::new(State { proxy, policy, metrics, record: Record::new(audit) });
        let guard = Arc::new(Guard::new(token, address, hosts));
        let closed = Router::new()
            .route("/", get(api::index))
            .route("/metrics", get(api::metrics))
            .route("/api/v1/status", get(api::status))
            .route("/api/v1/exchanges", get(api::exchanges))
            .route("/api/v1/exchanges/{id}", get(api::exchange))
            .route("/api/v1/retention/run", post(api::retain))
            .route("/api/v1/texts/shred", post(api::shred))
            .route("/api/v1/policy", get(policy::show))
            .route("/api/v1/policy/reload", post(policy::reload))
            .route("/api/v1/policy/rollback", post(policy::rollback))
            .layer(DefaultBodyLimit::max(policy::BODY_BYTES))
            .layer(middleware::from_fn_with_state(Arc::clone(&guard), guard::token));
        let router = Router::new()
            .route("/healthz", get(api::healthz))
            .route("/readyz", get(api::readyz))
            .merge(closed)
            .layer(middleware::from_fn_with_state(guard, guard::host))
            .with_state(state);
        Self { router }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let Ok(response) = self.router.clone().oneshot(request.map(Body::new)).await;
        let (mut head, body) = response.into_parts();
        // The record is nobody's to keep in a cache or to read as another type.
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        head.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match body.collect().await {
            // Our own pages: nothing here comes from a provider but through the record, as data.
            Ok(body) => Response::from_parts(head, ReplyBody::ours(body.to_bytes())),
            Err(_) => {
                let mut response = Response::new(ReplyBody::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
