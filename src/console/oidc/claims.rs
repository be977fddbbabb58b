//! What the identity provider says of somebody: an ID token that is checked (OpenID Connect Core 1.0, section 3.1.3.7), and what is
//! read out of it.

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::super::config::OidcConfig;
use super::super::who::{Proof, Role};

/// The claims of somebody who is who they say.
#[derive(Clone, Debug)]
pub(super) struct Claims(pub(super) Map<String, Value>);

/// The head of a token that one of these algorithms signed; the key's name is in it.
pub(super) fn header(token: &str) -> Result<Header, String> {
    let header = decode_header(token).map_err(|error| format!("the ID token cannot be read ({error})"))?;
    if ALGORITHMS.contains(&header.alg) {
        Ok(header)
    } else {
        // With a shared secret or none at all, whoever knows our configuration could sign.
        Err(format!("the ID token is signed by {:?}, which proves nothing here", header.alg))
    }
}

/// The key that may have signed a token with this head.
pub(super) fn key<'a>(keys: &'a [Jwk], header: &Header) -> Option<&'a Jwk> {
    let fits = |key: &&Jwk| {
        let common = &key.common;
        common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
            && DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == header.alg.family())
    };
    let mut fitting = keys.iter().filter(fits);
    match &header.kid {
        Some(id) => fitting.find(|key| key.common.key_id.as_ref() == Some(id)),
        // Without a name there is no choice: the one that there is.
        None => fitting.next().filter(|_| fitting.next().is_none()),
    }
}

impl Claims {
    /// Checks signature, issuer, audience, time and nonce.
    pub(super) fn check(token: &str, key: &Jwk, config: &OidcConfig, nonce: &str) -> Result<Self, String> {
        let header = header(token)?;
        let key = DecodingKey::from_jwk(key).map_err(|error| format!("a key of the provider is unusable ({error})"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.client_id]);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        validation.validate_nbf = true;
        let claims = decode::<Map<String, Value>>(token, &key, &validation)
            .map_err(|error| format!("the ID token does not hold ({error})"))?
            .claims;
        // A token for several is for the one that it names.
        let is_shared = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
        let is_authorized = match claims.get("azp") {
            Some(azp) => azp.as_str() == Some(&config.client_id),
            None => !is_shared,
        };
        if !is_authorized {
            return Err("the ID token was made for another program".to_owned());
        }
        let said = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
        if !bool::from(said.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err("the ID token belongs to another sign-in".to_owned());
        }
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        // Section 2: at most 255 ASCII characters.
        if subject.is_empty()
            || subject.len() > 255
            || !subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            return Err("the ID token names nobody".to_owned());
        }
        Ok(Self(claims))
    }

    /// Adds what the provider tells of the same person elsewhere; what the ID token says stands.
    pub(super) fn join(&mut self, more: Map<String, Value>) -> Result<(), String> {
        // Section 5.3.4: else another's claims could be put in.
        if more.get("sub") != self.0.get("sub") {
            return Err("the provider's UserInfo is about somebody else".to_owned());
        }
        for (name, value) in more {
            self.0.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Whether what is needed is told.
    pub(super) fn are_enough(&self, config: &OidcConfig) -> bool {
        let has_email = config.user != "email" || self.0.contains_key("email_verified");
        self.0.contains_key(&config.user)
            && has_email
            && config.roles.as_ref().is_none_or(|roles| self.at(&roles.claim).is_some())
    }

    /// Who it is, and what their groups let them do.
    pub(super) fn proof(&self, config: &OidcConfig) -> Result<Proof, String> {
        let text = |claim: &str| self.0.get(claim).and_then(Value::as_str);
        let name = text(&config.user).ok_or_else(|| {
            format!("the provider does not tell the claim `{}`; name another under console.oidc.user", config.user)
        })?;
        // Whoever may type an address into their profile is not who receives its mail.
        let is_verified = match self.0.get("email_verified") {
            Some(Value::Bool(is)) => *is,
            Some(Value::String(is)) => is == "true",
            _ => false,
        };
        if config.user == "email" && !is_verified {
            return Err("the provider has not verified this e-mail address".to_owned());
        }
        let subject = text("sub").unwrap_or_default();
        Ok(Proof { name: name.to_owned(), subject: format!("{}#{subject}", config.issuer), role: self.role(config) })
    }

    fn role(&self, config: &OidcConfig) -> Option<Role> {
        let roles = config.roles.as_ref()?;
        match self.at(&roles.claim)? {
            Value::String(group) => roles.role([group.as_str()]),
            Value::Array(groups) => roles.role(groups.iter().filter_map(Value::as_str)),
            _ => None,
        }
    }

    fn at(&self, claim: &str) -> Option<&Value> {
        let Some(rest) = claim.strip_prefix('/') else { return self.0.get(claim) };
        let (first, rest) = rest.split_once('/').map_or((rest, None), |(first, rest)| (first, Some(rest)));
        let top = self.0.get(&first.replace("~1", "/").replace("~0", "~"))?;
        rest.map_or(Some(top), |rest| top.pointer(&format!("/{rest}")))
    }
}

/// Asymmetric signatures, all of them.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
