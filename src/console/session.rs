//! Signing in and out, the first user, and who is signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State as Shared};
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::config::ConsoleConfig;
use super::guard::{COOKIE, cookie, is_own, refused};
use super::who::{AccountError, Session, SignIn};
use super::{Asker, State};
use crate::base::Secret;

/// A name and a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    user: String,
    password: zeroize::Zeroizing<String>,
}

/// The first user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct First {
    token: zeroize::Zeroizing<String>,
    user: String,
    password: zeroize::Zeroizing<String>,
}

/// Who is signed in; without a session what a page needs to offer one.
pub(super) async fn show(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    match cookie(&headers).and_then(|id| state.people.session(id)) {
        Some(session) => Json(view(&state, &session)).into_response(),
        None => {
            let needs_setup = state.people.accounts().needs_setup();
            let body = json!({ "error": "nobody is signed in", "setup_needed": needs_setup, "oidc": offered(&state) });
            (StatusCode::UNAUTHORIZED, Json(body)).into_response()
        }
    }
}

/// Signs in with a password.
pub(super) async fn sign_in(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    headers: HeaderMap,
    Json(asked): Json<Credentials>,
) -> Response {
    if !is_own(&headers) {
        return refused(StatusCode::FORBIDDEN, "another site cannot sign you in");
    }
    match state.people.sign_in(&asked.user, &asked.password, address).await {
        Ok(SignIn::Open(id, session)) => {
            state.told(&session.actor, address, "sign_in", "", None);
            opened(&state, &id, &session)
        }
        Ok(SignIn::Wrong) => {
            state.told_failed(&asked.user, address);
            refused(StatusCode::UNAUTHORIZED, "the name or the password is wrong")
        }
        Ok(SignIn::Wait(wait)) => {
            let seconds = wait.as_secs().max(1);
            let error = format!("too many tries; wait {} minutes", seconds.div_ceil(60));
            let body = json!({ "error": error, "retry_after_s": seconds });
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())], Json(body)).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// Makes the first user, and signs them in.
pub(super) async fn set_up(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    headers: HeaderMap,
    Json(asked): Json<First>,
) -> Response {
    if !is_own(&headers) {
        return refused(StatusCode::FORBIDDEN, "another site cannot set this up");
    }
    let people = Arc::clone(&state.people);
    let user = asked.user.clone();
    let made =
        tokio::task::spawn_blocking(move || people.accounts().set_up(&asked.token, &asked.user, &asked.password));
    match made.await {
        Ok(Ok(())) => {
            let actor = super::who::Actor { name: user.clone(), role: super::who::Role::Admin };
            state.told(&actor, address, "set_up", &user, None);
            match state.people.begin(&actor) {
                Ok((id, session)) => opened(&state, &id, &session),
                Err(error) => failed(&error),
            }
        }
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&AccountError::Failed(error.to_string())),
    }
}

/// Makes another link for the first user.
pub(super) async fn link(Shared(state): Shared<Arc<State>>) -> Response {
    match super::link(&state.people, &state.config, state.address) {
        Ok(Some(link)) => Json(json!({ "link": link.expose() })).into_response(),
        Ok(None) => {
            refused(StatusCode::CONFLICT, "there are users already; an administrator makes further ones under Access")
        }
        Err(error) => failed(&error),
    }
}

/// Signs out.
pub(super) async fn sign_out(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    headers: HeaderMap,
) -> Response {
    if let Some(id) = cookie(&headers)
        && let Some(session) = state.people.session(id)
    {
        state.people.sign_out(id);
        state.told(&session.actor, address, "sign_out", "", None);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// What a page needs to offer the identity provider.
fn offered(state: &State) -> serde_json::Value {
    state.oidc.as_ref().map_or(json!({ "enabled": false }), |oidc| json!({ "enabled": true, "name": oidc.name() }))
}

fn view(state: &State, session: &Session) -> serde_json::Value {
    json!({
        "user": session.actor.name,
        "role": session.actor.role,
        "csrf": session.csrf.expose(),
        "expires_at": session.expires_at,
        "oidc": offered(state),
    })
}

/// The session, with its cookie. The id is given to nobody else.
fn opened(state: &State, id: &Secret, session: &Session) -> Response {
    let mut response = Json(view(state, session)).into_response();
    if let Some(cookie) = session_cookie(id, &state.config) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// The cookie of a session: kept from scripts, from other sites, and from the wire where we know of TLS.
pub(super) fn session_cookie(id: &Secret, config: &ConsoleConfig) -> Option<HeaderValue> {
    let secure = if config.is_encrypted() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{secure}", id.expose());
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// An account's error as an answer.
pub(super) fn failed(error: &AccountError) -> Response {
    match error {
        AccountError::Refused(why) => refused(StatusCode::UNPROCESSABLE_ENTITY, why),
        AccountError::Missing(why) => refused(StatusCode::NOT_FOUND, why),
        AccountError::Taken(why) => refused(StatusCode::CONFLICT, why),
        AccountError::Failed(why) => {
            tracing::error!(%why, "an account could not be kept");
            refused(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}
