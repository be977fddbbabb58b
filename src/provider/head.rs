//! Header fields, both ways, by allow-list: what is not named here does not pass.

use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::target::Provider;
use crate::base::{Cause, Fault};

/// The fields of a client's request that may go on to a provider. Which of them do is the provider's authentication to say.
///
/// Hop-by-hop fields, fields that `Connection` lists, `x-portcullis-*`, forwarding fields, cookies and all that is unknown end
/// here; `Host`, `Content-Type`, `Content-Length` and `Accept-Encoding` are written anew.
#[derive(Clone, Debug, Default)]
pub struct OutboundHead {
    plain: HeaderMap,
    account: HeaderMap,
}

impl OutboundHead {
    /// Picks from the client's head. Values that look like texts are left out.
    ///
    /// # Errors
    /// `unparsable` when a field that may stand once stands twice: two readers could take different ones.
    pub fn from_client(headers: &HeaderMap) -> Result<Self, Fault> {
        let listed = connection_listed(headers);
        let mut head = Self::default();
        for name in [ACCEPT, USER_AGENT, HeaderName::from_static("openai-beta")] {
            if !listed.contains(&name) {
                for value in headers.get_all(&name).iter().filter(|value| is_small_text(value)).take(PLAIN_VALUES) {
                    head.plain.append(name.clone(), value.clone());
                }
            }
        }
        for name in [
            AUTHORIZATION,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("openai-organization"),
            HeaderName::from_static("openai-project"),
        ] {
            let mut values = headers.get_all(&name).iter();
            let Some(value) = values.next() else { continue };
            if values.next().is_some() {
                return Err(Fault::client(Cause::Unparsable, format!("the header {name} stands twice; send it once")));
            }
            if !listed.contains(&name) {
                let mut value = value.clone();
                value.set_sensitive(name == AUTHORIZATION);
                head.account.insert(name, value);
            }
        }
        Ok(head)
    }

    /// The fields for one provider. What names an account (the key, the organisation, the idempotency key) goes only where
    /// the client's own key goes: beside a held key it would let one tenant act in, or read back, what is another's.
    pub(super) fn for_provider(&self, provider: &Provider) -> HeaderMap {
        let mut headers = self.plain.clone();
        if provider.passes_auth() {
            for (name, value) in &self.account {
                headers.insert(name.clone(), value.clone());
            }
        }
        if let Some(value) = provider.held() {
            headers.insert(AUTHORIZATION, value.clone());
        }
        for (name, value) in provider.headers() {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }
}

/// The fields of a provider's reply that a client may see, renamed where they would stand for one of ours. Rates and accounts
/// are shown only where the key is the client's own: beside a held key they would tell one tenant about the others.
pub(super) fn reply_fields(from: &HeaderMap, own_key: bool) -> HeaderMap {
    let listed = connection_listed(from);
    let mut to = HeaderMap::new();
    for (name, value) in from {
        let text = name.as_str();
        let passes = match text {
            "openai-processing-ms" | "openai-version" | "retry-after-ms" | "x-request-id" | "x-should-retry" => true,
            "openai-organization" | "openai-project" => own_key,
            _ if *name == RETRY_AFTER => true,
            _ => own_key && text.starts_with("x-ratelimit-"),
        };
        if !passes || listed.contains(name) || !is_small_text(value) {
            continue;
        }
        let name = if text == "x-request-id" { UPSTREAM_ID } else { name.clone() };
        // The first one counts: a field is not a channel for as many values as a provider likes.
        to.entry(name).or_insert_with(|| value.clone());
    }
    to
}

/// The fields that `Connection` names beside its own keywords (RFC 9110, 7.6.1): meant for the next hop only.
fn connection_listed(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|token| token.trim().parse().ok())
        .collect()
}

/// Fields are not inspected, so they carry words and numbers, not texts.
fn is_small_text(value: &HeaderValue) -> bool {
    value.len() <= REPLY_FIELD_BYTES
        && value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:,; /+=*()".contains(byte))
}

/// Values of one field that go on to a provider.
const PLAIN_VALUES: usize = 4;

/// Bytes of one field that passes without being inspected, either way.
pub const REPLY_FIELD_BYTES: usize = 128;

/// The provider's own id of the exchange; `x-request-id` is ours.
pub const UPSTREAM_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::provider::Auth;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    fn provider(auth: Auth) -> Provider {
        Provider::new("p", "https://example.com", auth, &[], false).unwrap()
    }

    const CLIENT: &[(&str, &str)] = &[
        ("accept", "text/event-stream"),
        ("user-agent", "x/1"),
        ("authorization", "Bearer client"),
        ("openai-organization", "org"),
        ("openai-project", "proj"),
        ("openai-beta", "assistants=v2"),
        ("idempotency-key", "k"),
        ("host", "localhost"),
        ("content-type", "application/json"),
        ("content-length", "2"),
        ("accept-encoding", "br"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x-portcullis-policy", "off"),
        ("x-stainless-lang", "python"),
        ("te", "trailers"),
        ("trailer", "x-late"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("keep-alive", "timeout=5"),
        ("x-unknown", "1"),
    ];

    #[test]
    fn only_the_allow_list_goes_out() {
        let head = OutboundHead::from_client(&map(CLIENT)).unwrap();
        let own = head.for_provider(&provider(Auth::PassThrough));
        assert_eq!(
            names(&own),
            [
                "accept",
                "authorization",
                "idempotency-key",
                "openai-beta",
                "openai-organization",
                "openai-project",
                "user-agent"
            ]
        );
        assert_eq!(own[AUTHORIZATION], "Bearer client");
        assert!(own[AUTHORIZATION].is_sensitive());
        let none = head.for_provider(&provider(Auth::None));
        assert_eq!(names(&none), ["accept", "openai-beta", "user-agent"]);
        let held = head.for_provider(&provider(Auth::Held(Secret::new("ours".to_owned()))));
        assert_eq!(names(&held), ["accept", "authorization", "openai-beta", "user-agent"]);
        assert_eq!(held[AUTHORIZATION], "Bearer ours");
        assert!(held[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn fields_that_connection_lists_stay_here() {
        let mut fields = CLIENT.to_vec();
        fields.push(("connection", "close, User-Agent"));
        fields.push(("connection", "openai-beta,authorization"));
        let head = OutboundHead::from_client(&map(&fields)).unwrap();
        let own = head.for_provider(&provider(Auth::PassThrough));
        assert_eq!(names(&own), ["accept", "idempotency-key", "openai-organization", "openai-project"]);
    }

    #[test]
    fn texts_and_long_values_do_not_go_out() {
        let fits = "a".repeat(REPLY_FIELD_BYTES);
        let over = "a".repeat(REPLY_FIELD_BYTES + 1);
        let fields = [
            ("user-agent", "curl/8 (\"key\": \"value\")"),
            ("openai-beta", &fits),
            ("openai-beta", &over),
            ("accept", "*/*"),
        ];
        let head = OutboundHead::from_client(&map(&fields)).unwrap().for_provider(&provider(Auth::None));
        assert_eq!(names(&head), ["accept", "openai-beta"]);
        assert_eq!(head["openai-beta"], fits.as_str());
        let many: Vec<(&str, &str)> = vec![("openai-beta", "x=v1"); PLAIN_VALUES + 1];
        let head = OutboundHead::from_client(&map(&many)).unwrap().for_provider(&provider(Auth::None));
        assert_eq!(head.get_all("openai-beta").iter().count(), PLAIN_VALUES);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let fields = map(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert_eq!(OutboundHead::from_client(&fields).unwrap_err().cause, Cause::Unparsable);
    }

    #[test]
    fn replies_pass_by_allow_list() {
        let long = "a".repeat(REPLY_FIELD_BYTES + 1);
        let fields = map(&[
            ("content-type", "text/html"),
            ("set-cookie", "a=b"),
            ("location", "https://elsewhere"),
            ("server", "x"),
            ("x-request-id", "req_1"),
            ("x-request-id", "req_2"),
            ("retry-after", "3"),
            ("openai-version", "2020-10-01"),
            ("openai-processing-ms", &long),
            ("x-should-retry", "say \"hello\" <b>"),
            ("openai-organization", "org"),
            ("x-ratelimit-remaining-requests", "9"),
            ("x-portcullis-verdict", "allow"),
            ("x-listed", "1"),
        ]);
        let own = reply_fields(&fields, true);
        assert_eq!(
            names(&own),
            [
                "openai-organization",
                "openai-version",
                "retry-after",
                "x-ratelimit-remaining-requests",
                "x-upstream-request-id"
            ]
        );
        assert_eq!(own["x-upstream-request-id"], "req_1");
        let held = reply_fields(&fields, false);
        assert_eq!(names(&held), ["openai-version", "retry-after", "x-upstream-request-id"]);
    }

    #[test]
    fn a_reply_field_is_bounded_at_n_and_n_plus_1() {
        let fits = "a".repeat(REPLY_FIELD_BYTES);
        assert_eq!(reply_fields(&map(&[("x-request-id", &fits)]), true).len(), 1);
        let over = "a".repeat(REPLY_FIELD_BYTES + 1);
        assert_eq!(reply_fields(&map(&[("x-request-id", &over)]), true).len(), 0);
    }
}
