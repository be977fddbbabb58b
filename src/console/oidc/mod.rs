//! Signing in at an identity provider: OpenID Connect's authorization code flow with PKCE.
//!
//! ```text
//! browser ─► start ─► provider's page ─► callback (code, state) ─► token endpoint ─► ID token checked ─► user and role ─► session
//!              └─ cookie: what ties the two ends ─┘
//! ```

mod claims;
mod issuer;
mod ticket;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::header::{HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::config::{ConsoleConfig, OidcConfig};
use super::guard::one_cookie;
use super::session::session_cookie;
use super::who::{Proof, Vouched};
use super::{Asker, Deed, State};
use issuer::Issuer;
use ticket::{LASTS_S, Ticket, Tickets};

/// The identity provider, and the sign-ins under way.
#[derive(Debug)]
pub(super) struct Oidc {
    config: OidcConfig,
    issuer: Issuer,
    tickets: Tickets,
    /// Sign-ins that ask the provider at once: each holds a connection.
    asking: Semaphore,
}

/// What a browser comes back with: RFC 6749, sections 4.1.2 and 4.1.2.1, and RFC 9207.
#[derive(Deserialize)]
pub(super) struct Returned {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

/// Why nobody was signed in. The name is what the page at `/login` is told; it has a sentence for each.
#[derive(Debug)]
enum Failure {
    /// The browser was away too long, or came from somewhere else.
    Expired,
    /// The provider, or the person there, said no.
    Denied,
    /// The provider vouches for somebody whom nothing lets in.
    Unknown(String),
    /// The name belongs to a user who signs in otherwise.
    Taken(String),
    /// The provider could not be asked, or its answer does not hold.
    Failed(String),
}

impl Failure {
    fn name(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::Unknown(_) => "unknown",
            Self::Taken(_) => "taken",
            Self::Failed(_) => "failed",
        }
    }
}

impl Oidc {
    /// Over a configured provider; nothing is asked of it yet.
    ///
    /// # Errors
    /// Certificates that cannot be used, or no randomness.
    pub(super) fn new(config: &OidcConfig) -> Result<Self, String> {
        let issuer = Issuer::new(config).map_err(|why| format!("console.oidc: {why}"))?;
        let tickets = Tickets::new().map_err(|error| error.to_string())?;
        Ok(Self { config: config.clone(), issuer, tickets, asking: Semaphore::new(ASKING) })
    }

    /// Its name for people.
    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    async fn proof(&self, ticket: &Ticket, code: (&str, Option<&str>), back: &str) -> Result<Proof, String> {
        let _turn = self.asking.acquire().await.map_err(|error| error.to_string())?;
        self.issuer.claims(&self.config, ticket, code, back).await?.proof(&self.config)
    }
}

/// Sends a browser to the identity provider.
pub(super) async fn start(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    let Some(oidc) = &state.oidc else { return not_here() };
    let begun = async {
        let (kept, ticket) = oidc.tickets.begin(Timestamp::now()).map_err(|error| error.to_string())?;
        let to = oidc.issuer.authorization(&oidc.config, &ticket, &back(&state.config, &headers)).await?;
        Ok::<_, String>((kept, to))
    };
    match begun.await {
        Ok((kept, to)) => {
            let mut response = see(&to);
            set_cookie(&mut response, &state.config, kept.expose(), LASTS_S);
            response
        }
        Err(why) => {
            tracing::warn!(%why, "nobody can be sent to the identity provider");
            see("/login?oidc=failed")
        }
    }
}

/// Signs in whoever comes back from the identity provider.
pub(super) async fn callback(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    headers: HeaderMap,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let Some(oidc) = &state.oidc else { return not_here() };
    let mut response = match finish(&state, oidc, &headers, returned).await {
        Ok((id, actor)) => {
            state.told(&actor, address, "sign_in", "", Some("oidc"));
            let mut response = see("/");
            if let Some(cookie) = session_cookie(&id, &state.config) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            response
        }
        Err(failure) => {
            let name = failure.name();
            if state.people.is_news(address) {
                if let Failure::Unknown(why) | Failure::Taken(why) | Failure::Failed(why) = &failure {
                    tracing::warn!(%why, %address, "nobody was signed in by the identity provider");
                }
                let deed = Deed { user: "", role: "", address, what: "sign_in_failed", target: "", detail: Some(name) };
                state.record_deed(&deed);
            }
            see(&format!("/login?oidc={name}"))
        }
    };
    set_cookie(&mut response, &state.config, "", 0);
    response
}

async fn finish(
    state: &State,
    oidc: &Oidc,
    headers: &HeaderMap,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Result<(crate::base::Secret, super::who::Actor), Failure> {
    let Ok(Query(returned)) = returned else { return Err(Failure::Expired) };
    // First the state: without it nothing that came back means anything.
    let ticket = one_cookie(headers, COOKIE)
        .and_then(|kept| oidc.tickets.find(kept, &returned.state, Timestamp::now()))
        .ok_or(Failure::Expired)?;
    let (None, Some(code)) = (&returned.error, &returned.code) else { return Err(Failure::Denied) };
    let back = back(&state.config, headers);
    let proof = oidc.proof(&ticket, (code, returned.iss.as_deref()), &back).await.map_err(Failure::Failed)?;
    let people = Arc::clone(&state.people);
    // Writes a file.
    let vouched = tokio::task::spawn_blocking(move || people.vouched_for(&proof)).await;
    let vouched = vouched.map_err(|error| Failure::Failed(error.to_string()))?;
    match vouched.map_err(|error| Failure::Failed(error.to_string()))? {
        Vouched::Open(id, session) => Ok((id, session.actor)),
        Vouched::Unknown(why) => Err(Failure::Unknown(why)),
        Vouched::Taken(why) => Err(Failure::Taken(why)),
    }
}

/// Where the provider sends browsers back to: what is registered there.
fn back(config: &ConsoleConfig, headers: &HeaderMap) -> String {
    let origin = config.origin().unwrap_or_else(|| {
        // One of the names of this port: the guard has seen to it.
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        format!("http://{host}")
    });
    format!("{origin}{PATH}/callback")
}

fn see(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // What the provider names is a URL, and URLs are values of headers.
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// `Lax`: the browser comes from another site, with a link of its own.
fn set_cookie(response: &mut Response, config: &ConsoleConfig, value: &str, seconds: i64) {
    let secure = if config.is_encrypted() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path={PATH}; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}

fn not_here() -> Response {
    super::guard::refused(StatusCode::NOT_FOUND, "no identity provider is configured; see console.oidc")
}

/// Where both ends are.
const PATH: &str = "/api/v1/oidc";
/// The cookie between them.
const COOKIE: &str = "portcullis_oidc";
/// Sign-ins that ask the provider at once.
const ASKING: usize = 4;
