//! Who may use the admin port: a known Host, and the token.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::{StatusCode, Uri};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::Secret;

/// What a request is held against.
#[derive(Debug)]
pub(super) struct Guard {
    token: [u8; 32],
    hosts: Vec<String>,
}

impl Guard {
    pub(super) fn new(token: Secret, address: SocketAddr, hosts: &[String]) -> Self {
        let mut known = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        known.push(match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        });
        known.extend(hosts.iter().map(|host| host.to_ascii_lowercase()));
        Self { token: Sha256::digest(token.expose()).into(), hosts: known }
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

/// Lets a request pass that carries the token.
pub(super) async fn token(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = presented.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Hashes of one length, compared in constant time: neither the token's length nor its start can be felt out.
    let presented: [u8; 32] = Sha256::digest(presented).into();
    if !bool::from(presented.ct_eq(&guard.token)) {
        let help = "send `Authorization: Bearer <token>`; the token is in the state folder, file admin-token\n";
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], help).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_open_the_door() {
        let guard =
            Guard::new(Secret::new("t".to_owned()), "192.0.2.7:9090".parse().unwrap(), &["Console.example".to_owned()]);
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
}
