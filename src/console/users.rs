//! Users and tokens: administrators alone.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::session::failed;
use super::who::{AccountError, Actor, Role};
use super::{Asker, State};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    name: String,
    role: Role,
    /// Absent: the identity provider says who it is.
    #[serde(default)]
    password: Option<zeroize::Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    password: Option<zeroize::Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    id: String,
    role: Role,
    /// Absent: it does not end by itself.
    #[serde(default)]
    days: Option<u32>,
}

/// All users.
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    Json(json!({ "users": state.people.accounts().users() })).into_response()
}

/// Makes a user.
pub(super) async fn add(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<NewUser>,
) -> Response {
    let (people, name, role) = (Arc::clone(&state.people), asked.name.clone(), asked.role);
    let work = move || {
        let password = asked.password.as_ref().map(|password| password.as_str());
        people.accounts().add(&asked.name, asked.role, password)
    };
    done(&state, work, StatusCode::CREATED, move |state| {
        state.told(&actor, address, "user_add", &name, Some(role.name()));
    })
    .await
}

/// Gives a user another role or password. Their sessions end.
pub(super) async fn change(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    Json(asked): Json<Change>,
) -> Response {
    let (people, user, role) = (Arc::clone(&state.people), name.clone(), asked.role);
    let has_password = asked.password.is_some();
    let work = move || {
        let password = asked.password.as_ref().map(|password| password.as_str());
        people.accounts().change(&user, asked.role, password)
    };
    done(&state, work, StatusCode::OK, move |state| {
        state.people.end_all(&name);
        let mut what: Vec<&str> = role.map(Role::name).into_iter().collect();
        what.extend(has_password.then_some("another password"));
        state.told(&actor, address, "user_change", &name, Some(&what.join(", ")));
    })
    .await
}

/// Removes a user. Their sessions end.
pub(super) async fn remove(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
) -> Response {
    let (people, user) = (Arc::clone(&state.people), name.clone());
    done(
        &state,
        move || people.accounts().remove(&user),
        StatusCode::OK,
        move |state| {
            state.people.end_all(&name);
            state.told(&actor, address, "user_remove", &name, None);
        },
    )
    .await
}

/// All tokens.
pub(super) async fn tokens(Shared(state): Shared<Arc<State>>) -> Response {
    Json(json!({ "tokens": state.people.accounts().tokens() })).into_response()
}

/// Makes a token; its secret is in this answer and nowhere else.
pub(super) async fn add_token(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Json(asked): Json<NewToken>,
) -> Response {
    let made = state.people.accounts().add_token(&asked.id, asked.role, asked.days, &actor.name);
    match made {
        Ok(made) => {
            state.told(&actor, address, "token_add", &made.id, Some(asked.role.name()));
            let body = json!({ "id": made.id, "secret": made.secret.expose() });
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// Removes a token.
pub(super) async fn remove_token(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Asker(address)): ConnectInfo<Asker>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Response {
    let (people, token) = (Arc::clone(&state.people), id.clone());
    done(
        &state,
        move || people.accounts().remove_token(&token),
        StatusCode::OK,
        move |state| {
            state.told(&actor, address, "token_remove", &id, None);
        },
    )
    .await
}

/// Work on accounts, away from the threads that serve; told once it is done.
async fn done(
    state: &State,
    work: impl FnOnce() -> Result<(), AccountError> + Send + 'static,
    status: StatusCode,
    tell: impl FnOnce(&State),
) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => {
            tell(state);
            (status, Json(json!({}))).into_response()
        }
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&AccountError::Failed(error.to_string())),
    }
}
