//! The identity provider's own servers: what it tells of itself (Discovery 1.0), its keys (RFC 7517), an ID token for a code, and
//! what more it says of somebody (UserInfo).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::config::OidcConfig;
use super::claims::{Claims, header, key};
use super::ticket::Ticket;
use crate::base::Secret;
use crate::egress::{Web, web_url};

/// What a provider tells of itself: OpenID Connect Discovery 1.0, section 3.
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207: it names itself when a browser comes back.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Debug)]
struct Known {
    metadata: Metadata,
    keys: Vec<Jwk>,
}

/// What was learnt, and when.
#[derive(Debug, Default)]
struct Learnt {
    known: Option<(Arc<Known>, Instant)>,
    failed: Option<(String, Instant)>,
}

/// The provider, as far as it is known.
#[derive(Debug)]
pub(super) struct Issuer {
    web: Web,
    learnt: Mutex<Learnt>,
    /// One asks; the others wait for what it learns.
    asking: tokio::sync::Mutex<()>,
}

/// An answer of the token endpoint: RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: String,
}

/// An error of the token endpoint: RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Denied {
    error: String,
}

impl Issuer {
    /// Nothing is asked yet.
    pub(super) fn new(config: &OidcConfig) -> Result<Self, String> {
        let roots = match &config.ca_file {
            Some(path) => std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?,
            None => Vec::new(),
        };
        let web = Web::new(&roots, config.reach)?;
        Ok(Self { web, learnt: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    /// Where a browser is sent to sign in.
    pub(super) async fn authorization(
        &self,
        config: &OidcConfig,
        ticket: &Ticket,
        back: &str,
    ) -> Result<String, String> {
        let known = self.known(config, HOUR).await?;
        let challenge = ticket.challenge();
        let scope =
            std::iter::once("openid").chain(config.scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &config.client_id),
            ("redirect_uri", back),
            ("scope", &scope),
            ("state", ticket.state.expose()),
            ("nonce", ticket.nonce.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let endpoint = &known.metadata.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// What it says of the person who came back with this code.
    pub(super) async fn claims(
        &self,
        config: &OidcConfig,
        ticket: &Ticket,
        (code, named): (&str, Option<&str>),
        back: &str,
    ) -> Result<Claims, String> {
        let known = self.known(config, HOUR).await?;
        // RFC 9207, section 2.4: an answer of another provider is not taken for this one's.
        let is_told = named.is_some() || !known.metadata.authorization_response_iss_parameter_supported;
        if !is_told || named.is_some_and(|named| named != config.issuer) {
            return Err("the answer comes from another provider".to_owned());
        }
        let tokens = self.exchange(config, &known.metadata, ticket, code, back).await?;
        let head = header(&tokens.id_token)?;
        // A key that is not known is perhaps a new one.
        let known = if key(&known.keys, &head).is_some() { known } else { self.known(config, MINUTE).await? };
        let key = key(&known.keys, &head).ok_or("no key of the provider's fits the ID token")?;
        let mut claims = Claims::check(&tokens.id_token, key, config, ticket.nonce.expose())?;
        if !claims.are_enough(config)
            && let Some(endpoint) = &known.metadata.userinfo_endpoint
            && !tokens.access_token.is_empty()
        {
            let more: Map<String, Value> = self.get(endpoint, Some(&Secret::new(tokens.access_token))).await?;
            claims.join(more)?;
        }
        Ok(claims)
    }

    /// RFC 6749, section 4.1.3.
    async fn exchange(
        &self,
        config: &OidcConfig,
        metadata: &Metadata,
        ticket: &Ticket,
        code: &str,
        back: &str,
    ) -> Result<Tokens, String> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", ticket.verifier.expose()),
            ("client_id", &config.client_id),
        ];
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint(&metadata.token_endpoint, config)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = &config.client_secret {
            // `client_secret_basic` is what a provider takes that says nothing.
            let offered = metadata.token_endpoint_auth_methods_supported.as_deref();
            let takes = |method: &str| offered.is_some_and(|offered| offered.iter().any(|one| one == method));
            if takes("client_secret_post") && !takes("client_secret_basic") {
                fields.push(("client_secret", secret.expose()));
            } else {
                // Section 2.3.1: both are encoded as form fields first.
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair =
                    zeroize::Zeroizing::new(format!("{}:{}", encoded(&config.client_id), encoded(secret.expose())));
                headers.insert(AUTHORIZATION, sensitive(&format!("Basic {}", STANDARD.encode(&*pair)))?);
            }
        }
        *request.body_mut() = Bytes::from(form(&fields));
        let answer = self.web.ask(request, ANSWER_BYTES).await.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            let why = serde_json::from_slice::<Denied>(&answer.body).map(|denied| printable(&denied.error));
            return Err(format!("the provider gives no token: {}", why.unwrap_or_else(|_| answer.status.to_string())));
        }
        serde_json::from_slice(&answer.body).map_err(|_| "the provider's answer has no ID token".to_owned())
    }

    /// What is known of it, learnt so long ago at most.
    async fn known(&self, config: &OidcConfig, age: Duration) -> Result<Arc<Known>, String> {
        if let Some(found) = self.recall(age) {
            return found;
        }
        let _turn = self.asking.lock().await;
        // Whoever was before has perhaps learnt it.
        if let Some(found) = self.recall(age) {
            return found;
        }
        let learnt = self.learn(config).await;
        let now = Instant::now();
        let mut kept = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        match learnt {
            Ok(known) => {
                let known = Arc::new(known);
                *kept = Learnt { known: Some((Arc::clone(&known), now)), failed: None };
                Ok(known)
            }
            Err(why) => {
                kept.failed = Some((why.clone(), now));
                Err(why)
            }
        }
    }

    fn recall(&self, age: Duration) -> Option<Result<Arc<Known>, String>> {
        let kept = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, at)) = &kept.known
            && at.elapsed() < age
        {
            return Some(Ok(Arc::clone(known)));
        }
        kept.failed.as_ref().filter(|(_, at)| at.elapsed() < AFTER_FAILURE).map(|(why, _)| Err(why.clone()))
    }

    async fn learn(&self, config: &OidcConfig) -> Result<Known, String> {
        // Discovery 1.0, section 4.1: after the issuer's own path.
        let at = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(&at, None).await?;
        if metadata.issuer != config.issuer {
            return Err(format!(
                "it calls itself `{}`; write that, to the letter, under console.oidc.issuer",
                printable(&metadata.issuer)
            ));
        }
        for url in [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri] {
            endpoint(url, config)?;
        }
        if let Some(url) = &metadata.userinfo_endpoint {
            endpoint(url, config)?;
        }
        let set: KeySet = self.get(&metadata.jwks_uri, None).await?;
        // Keys of kinds that we do not know are no reason to do without the others.
        let keys: Vec<Jwk> = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        Ok(Known { metadata, keys })
    }

    async fn get<T: DeserializeOwned>(&self, url: &str, bearer: Option<&Secret>) -> Result<T, String> {
        let mut request = Request::new(Bytes::new());
        let uri = web_url(url).map_err(|why| format!("{}: {why}", printable(url)))?;
        let host = uri.host().unwrap_or_default().to_owned();
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = bearer {
            request.headers_mut().insert(AUTHORIZATION, sensitive(&format!("Bearer {}", token.expose()))?);
        }
        let answer = self.web.ask(request, ANSWER_BYTES).await.map_err(|error| format!("{host}: {error}"))?;
        if !answer.status.is_success() {
            return Err(format!("{}: {}", printable(url), answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| format!("{}: what is there is not what OpenID Connect has there", printable(url)))
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// An address that the provider gave: not in the clear if the provider itself is not.
fn endpoint(url: &str, config: &OidcConfig) -> Result<Uri, String> {
    let uri = web_url(url).map_err(|why| format!("{}: {why}", printable(url)))?;
    if uri.scheme_str() == Some("http") && config.issuer.starts_with("https:") {
        return Err(format!("{}: the provider sends us where others can listen", printable(url)));
    }
    Ok(uri)
}

/// Fields as `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn sensitive(value: &str) -> Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| "a secret has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// What another wrote, for a log: short, and without characters that do something.
fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_ascii_graphic() { c } else { '.' }).collect()
}

/// For how long what is known of the provider holds.
const HOUR: Duration = Duration::from_secs(3600);
/// How old keys must be to be asked for anew because one is missing.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a provider that could not be asked is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_wrote_does_nothing_in_a_log() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\n"), "a.[31m.b.");
        assert_eq!(printable(&"x".repeat(1000)).len(), 200);
    }
}
