//! The admin port: health, metrics, the API of the record, the policy in force, and the console's pages.
//!
//! ```text
//! request ─► host (a name of this port) ─► known (token, or session and CSRF token) ─► role ─► handler
//! ```
//!
//! Every request must name a host that this port is known by, so that a page in a browser cannot reach it under a name of its own
//! (DNS rebinding). What changes something is itself recorded.

mod actions;
mod again;
mod api;
mod config;
mod csv;
mod detail;
mod edit;
mod guard;
mod incidents;
mod integrity;
mod live;
mod models;
mod oidc;
mod overview;
mod pages;
mod policy;
mod principals;
mod record;
mod rules;
mod session;
mod users;
mod who;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::middleware;
use axum::routing::{delete, get, patch, post};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::watch;
use tower::ServiceExt;

use crate::audit::{RegionsConfig, SystemKind};
use crate::base::Secret;
use crate::proxy::{PolicyControl, Proxy, ReplyBody};
use crate::telemetry::metrics::PrometheusHandle;
pub use config::{ConsoleConfig, GroupRoles, OidcConfig};
use guard::Guard;
use oidc::Oidc;
use record::Record;
pub use who::Role;
use who::{AccountError, Actor, People};

/// What the handlers share.
#[derive(Debug)]
struct State {
    proxy: Arc<Proxy>,
    policy: PolicyControl,
    metrics: PrometheusHandle,
    record: Record,
    people: Arc<People>,
    config: ConsoleConfig,
    oidc: Option<Oidc>,
    pulse: live::Pulse,
    checks: integrity::Checks,
    costs: rules::Costs,
    /// Where this port listens, for links.
    address: SocketAddr,
    /// True when the appliance stops.
    stopping: watch::Receiver<bool>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
struct Asker(IpAddr);

/// What somebody did here, as the record has it: the detail of a system event.
#[derive(Serialize)]
struct Deed<'a> {
    user: &'a str,
    role: &'a str,
    address: IpAddr,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl State {
    /// Exchanges that are being worked on.
    fn in_flight(&self) -> usize {
        self.proxy.limits.exchanges.saturating_sub(self.proxy.permits.available_permits())
    }

    /// Records what somebody did.
    fn told(&self, actor: &Actor, address: IpAddr, what: &str, target: &str, detail: Option<&str>) {
        self.record_deed(&Deed { user: &actor.name, role: actor.role.name(), address, what, target, detail });
    }

    /// Records a sign-in that failed. The name may be anything that was typed, a password among it: it is told only if it is a user's.
    fn told_failed(&self, user: &str, address: IpAddr) {
        let user = if self.people.is_user(user) { user } else { "" };
        self.record_deed(&Deed { user, role: "", address, what: "sign_in_failed", target: "", detail: None });
    }

    fn record_deed(&self, deed: &Deed<'_>) {
        self.proxy.audit.system(SystemKind::Admin, serde_json::to_string(deed).unwrap_or_default());
    }
}

/// The admin port's pages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    router: Router,
    people: Arc<People>,
    config: ConsoleConfig,
    address: SocketAddr,
}

impl Console {
    /// The pages over a running pipeline and the control of its policy. `token` opens them all; accounts are in the `folder`; `hosts`
    /// are further names of this port.
    ///
    /// # Errors
    /// Accounts that cannot be read; certificates of the identity provider that cannot be used.
    pub fn new(
        (proxy, policy): (Arc<Proxy>, PolicyControl),
        metrics: PrometheusHandle,
        (folder, token): (&Path, &Secret),
        (address, stopping): (SocketAddr, watch::Receiver<bool>),
        (config, hosts): (ConsoleConfig, &[String]),
        audit: RegionsConfig,
    ) -> Result<Self, String> {
        let oidc = config.oidc.as_ref().map(Oidc::new).transpose()?;
        let people = Arc::new(People::open(folder, token).map_err(|error| error.to_string())?);
        let record = Record::new(audit);
        let state = Arc::new(State {
            proxy,
            policy,
            metrics,
            record,
            people: Arc::clone(&people),
            config: config.clone(),
            oidc,
            pulse: live::Pulse::default(),
            checks: integrity::Checks::default(),
            costs: rules::Costs::default(),
            address,
            stopping,
        });
        // The address in front of it is a name of this port as well.
        let origin = config.origin.as_ref().and_then(Uri::host).map(str::to_owned);
        let hosts: Vec<String> = hosts.iter().cloned().chain(origin).collect();
        let guard = Arc::new(Guard::new(address, &hosts));
        let needs = |role: Role| middleware::from_fn_with_state(role, guard::role);
        let viewer = Router::new()
            .route("/api/v1", get(api::index))
            .route("/metrics", get(api::metrics))
            .route("/api/v1/status", get(api::status))
            .route("/api/v1/exchanges", get(api::exchanges))
            .route("/api/v1/exchanges/{id}", get(api::exchange))
            .route("/api/v1/policy", get(policy::show))
            .route("/api/v1/models", get(models::show))
            .route("/api/v1/incidents", get(incidents::list))
            .route("/api/v1/incidents.csv", get(incidents::csv))
            .route("/api/v1/incidents/{id}", get(detail::show))
            .route("/api/v1/overview", get(overview::show))
            .route("/api/v1/live", get(live::listen))
            .route("/api/v1/rules", get(rules::list))
            .route("/api/v1/rules/{id}", get(rules::show))
            .route("/api/v1/principals", get(principals::list))
            .route("/api/v1/principals/{tenant}/{principal}", get(principals::show))
            .route("/api/v1/integrity", get(integrity::show))
            .route("/api/v1/logout", post(session::sign_out))
            .route_layer(needs(Role::Viewer));
        let reviewer = Router::new()
            .route("/api/v1/incidents/{id}/disposition", post(incidents::decide))
            .route("/api/v1/incidents/{id}/assign", post(incidents::assign))
            .route("/api/v1/incidents/{id}/notes", post(incidents::note))
            .route("/api/v1/incidents/{id}/rescan", post(edit::rescan))
            .route("/api/v1/integrity/verify", post(integrity::verify))
            .route_layer(needs(Role::Reviewer));
        let author = Router::new()
            .route("/api/v1/incidents/{id}/exception", post(edit::exception))
            .route("/api/v1/incidents/{id}/example", post(edit::example))
            .route("/api/v1/policy/diff", get(policy::diff))
            .route("/api/v1/policy/reload", post(policy::reload))
            .route("/api/v1/policy/rollback", post(policy::rollback))
            .route_layer(needs(Role::Author));
        let admin = Router::new()
            .route("/api/v1/actions", get(actions::list))
            .route("/api/v1/retention/run", post(api::retain))
            .route("/api/v1/texts/shred", post(api::shred))
            .route("/api/v1/setup/link", post(session::link))
            .route("/api/v1/users", get(users::list).post(users::add))
            .route("/api/v1/users/{name}", patch(users::change).delete(users::remove))
            .route("/api/v1/tokens", get(users::tokens).post(users::add_token))
            .route("/api/v1/tokens/{id}", delete(users::remove_token))
            .route_layer(needs(Role::Admin));
        let known = viewer
            .merge(reviewer)
            .merge(author)
            .merge(admin)
            .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::known));
        let pages = pages::PAGES.iter().fold(Router::new(), |router, page| router.route(page, get(pages::page)));
        let router = Router::new()
            .merge(pages)
            .route("/assets/{*path}", get(pages::asset))
            .route("/healthz", get(api::healthz))
            .route("/readyz", get(api::readyz))
            .route("/api/v1/openapi.json", get(api::openapi))
            .route("/api/v1/session", get(session::show))
            .route("/api/v1/login", post(session::sign_in))
            .route("/api/v1/setup", post(session::set_up))
            .route("/api/v1/oidc/start", get(oidc::start))
            .route("/api/v1/oidc/callback", get(oidc::callback))
            .merge(known)
            .layer(DefaultBodyLimit::max(BODY_BYTES))
            .layer(middleware::from_fn_with_state(guard, guard::host))
            .layer(middleware::from_fn(guard::errors))
            .with_state(state);
        Ok(Self { router, people, config, address })
    }

    /// While there is no user: the link that makes the first one. It works once, and for a day.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn setup_link(&self) -> Result<Option<Secret>, String> {
        link(&self.people, &self.config, self.address).map_err(|error| error.to_string())
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>, from: SocketAddr) -> Response<ReplyBody> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(Asker(from.ip())));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (mut head, body) = response.into_parts();
        // The record is nobody's to keep in a cache or to read as another type.
        head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        head.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let streamed = head.extensions.remove::<live::Streamed>();
        if let Some(pieces) = streamed.and_then(|streamed| streamed.0.lock().ok()?.take()) {
            // The router measured the empty body that stood in for it.
            head.headers.remove(CONTENT_LENGTH);
            return Response::from_parts(head, ReplyBody::stream(pieces));
        }
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

/// Where the first user is made. What follows the `#` never leaves the browser by itself.
fn link(people: &People, config: &ConsoleConfig, mut address: SocketAddr) -> Result<Option<Secret>, AccountError> {
    // One that listens everywhere is reached here.
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let origin = config.origin().unwrap_or_else(|| format!("http://{address}"));
    let token = people.accounts().setup_link()?;
    Ok(token.map(|token| Secret::new(format!("{origin}/setup#{}", token.expose()))))
}

/// Bytes of a request's body.
const BODY_BYTES: usize = 64 * 1024;
