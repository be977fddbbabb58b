//! Who may use the admin port: a known Host; a token, or a session whose changes come from a page of ours; and a role.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::json;

use super::who::{Actor, People, Role};

/// What a request is held against.
#[derive(Debug)]
pub(super) struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, hosts: &[String]) -> Self {
        let mut known = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        known.push(match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        });
        known.extend(hosts.iter().map(|host| host.to_ascii_lowercase()));
        Self { hosts: known }
    }

    fn knows(&self, uri: &Uri, host: Option<&str>) -> bool {
        // HTTP/2 and absolute-form requests name the host in the URI; a Host field beside it must not say another.
        let named = uri.authority().map(http::uri::Authority::as_str);
        let known = |name: &str| {
            let name = name.to_ascii_lowercase();
            let bare = name.rsplit_once(':').map_or(name.as_str(), |(bare, port)| {
                if port.bytes().all(|byte| byte.is_ascii_digit()) { bare } else { name.as_str() }
            });
            self.hosts.iter().any(|host| host == bare)
        };
        match (named, host) {
            (None, None) => false,
            (named, host) => named.is_none_or(known) && host.is_none_or(known),
        }
    }
}

/// Gives every error of the API the same form, those of the router and of unreadable bodies too.
pub(super) async fn errors(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let status = response.status();
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_api || is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (head, body) = response.into_parts();
    let said = axum::body::to_bytes(body, SAID_BYTES).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let why = if said.trim().is_empty() { status.canonical_reason().unwrap_or("it did not work") } else { said.trim() };
    let mut response = refused(status, why);
    // What says how to do better: the methods that there are.
    response.headers_mut().extend(head.headers.get(ALLOW).map(|allow| (ALLOW, allow.clone())));
    response
}

/// Lets a request pass that names a known host, once.
pub(super) async fn host(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let readable = first.is_none_or(|host| host.to_str().is_ok());
    let named = first.and_then(|host| host.to_str().ok());
    if second.is_some() || !readable || !guard.knows(request.uri(), named) {
        let help = "this port does not go by that name; add it to server.admin_hosts\n";
        return (StatusCode::MISDIRECTED_REQUEST, help).into_response();
    }
    next.run(request).await
}

/// Finds out who asks, and lets nobody pass who is unknown or whose change could be somebody else's idea.
pub(super) async fn known(State(state): State<Arc<super::State>>, mut request: Request, next: Next) -> Response {
    match actor(&state.people, &request) {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(refusal) => *refusal,
    }
}

/// Lets those pass who have at least this role.
pub(super) async fn role(State(least): State<Role>, request: Request, next: Next) -> Response {
    let has = request.extensions().get::<Actor>().map(|actor| actor.role);
    match has {
        Some(role) if role >= least => next.run(request).await,
        Some(role) => refused(
            StatusCode::FORBIDDEN,
            &format!("this needs the role {}, and yours is {}", least.name(), role.name()),
        ),
        None => unknown(),
    }
}

fn actor(people: &People, request: &Request) -> Result<Actor, Box<Response>> {
    if let Some(presented) = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        // Whoever sends this header meant to: no page of another site can.
        return presented
            .strip_prefix("Bearer ")
            .and_then(|token| people.bearer(token))
            .ok_or_else(|| Box::new(unknown()));
    }
    let session = cookie(request.headers()).and_then(|id| people.session(id)).ok_or_else(|| Box::new(unknown()))?;
    if !request.method().is_safe() {
        let presented = request.headers().get(CSRF).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !session.is_csrf(presented) || !is_own(request.headers()) {
            let why = "this change does not come from a page of this console; load the page again";
            return Err(Box::new(refused(StatusCode::FORBIDDEN, why)));
        }
    }
    Ok(session.actor)
}

/// Whether whoever sent these headers is known yet, long after they did.
pub(super) fn still_known(people: &People, headers: &HeaderMap) -> bool {
    match headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        Some(presented) => presented.strip_prefix("Bearer ").is_some_and(|token| people.bearer(token).is_some()),
        None => cookie(headers).is_some_and(|id| people.is_open(id)),
    }
}

/// The session's id.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    one_cookie(headers, COOKIE)
}

/// A cookie's value, of a request that has one such cookie.
pub(super) fn one_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(http::header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found =
        values.flat_map(|value| value.split("; ")).filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let first = found.next();
    // Two of them: one was planted from a neighbouring name.
    if found.next().is_some() { None } else { first }
}

/// Whether a browser says that a page of ours asks. Programs say nothing.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = said("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = match (said("origin"), said("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, named)| named.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    };
    site && origin
}

fn unknown() -> Response {
    let help = "sign in, or send `Authorization: Bearer <token>`; the token of this box is in the state folder, file admin-token";
    let mut response = refused(StatusCode::UNAUTHORIZED, help);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// An error as all of this port's are.
pub(super) fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// Bytes of an error that the router wrote.
const SAID_BYTES: usize = 4096;
/// The session's cookie.
pub(super) const COOKIE: &str = "portcullis_session";
/// The header that every change by a session carries.
pub(super) const CSRF: &str = "x-csrf-token";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_open_the_door() {
        let guard = Guard::new("192.0.2.7:9090".parse().unwrap(), &["Console.example".to_owned()]);
        let knows = |host| guard.knows(&Uri::from_static("/"), Some(host));
        for host in ["localhost", "localhost:9090", "127.0.0.1:1", "[::1]:9090", "192.0.2.7", "console.example:443"] {
            assert!(knows(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "192.0.2.8", "", "localhost:x", "::1"] {
            assert!(!knows(host), "{host}");
        }
        assert!(!guard.knows(&Uri::from_static("/"), None));
        assert!(!guard.knows(&Uri::from_static("http://evil.example/"), Some("localhost")));
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_session_has_one_cookie() {
        let of = |value: &str| cookie(&headers(&[("cookie", value)])).map(str::to_owned);
        assert_eq!(of("a=b; portcullis_session=abc; c=d").as_deref(), Some("abc"));
        assert_eq!(of("portcullis_session=").as_deref(), Some(""));
        for none in
            ["", "xportcullis_session=abc", "portcullis_sessionx=abc", "portcullis_session=a; portcullis_session=b"]
        {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn another_site_is_not_ours() {
        for (pairs, is_ours) in [
            (&[("host", "localhost:9090")][..], true),
            (
                &[("host", "localhost:9090"), ("origin", "http://localhost:9090"), ("sec-fetch-site", "same-origin")],
                true,
            ),
            (&[("host", "localhost:9090"), ("origin", "http://localhost:8080")], false),
            (&[("host", "localhost:9090"), ("origin", "null")], false),
            (&[("host", "localhost:9090"), ("origin", "http://evil.example")], false),
            (&[("host", "localhost:9090"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "localhost:9090"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://localhost:9090")], false),
        ] {
            assert_eq!(is_own(&headers(pairs)), is_ours, "{pairs:?}");
        }
    }
}
