//! Where a provider is and how Portcullis proves itself to it.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, Scheme};
use http::{HeaderName, HeaderValue, Uri};

use crate::base::{Fault, Secret};
use crate::egress::Reach;

/// How requests to a provider are authenticated.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Portcullis holds the key; the client's own `Authorization` never leaves.
    Held(Secret),
    /// None (an engine on the box); the client's own `Authorization` never leaves.
    None,
    /// The client's own `Authorization` goes through.
    PassThrough,
}

/// One provider, checked: whatever is here can be sent.
#[derive(Clone, Debug)]
pub struct Provider {
    name: String,
    scheme: Scheme,
    authority: Authority,
    prefix: String,
    held: Option<HeaderValue>,
    passes_auth: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    extra_roots: Vec<u8>,
    reach: Reach,
}

impl Provider {
    /// Checks and takes a provider.
    ///
    /// `base_url` is what an OpenAI client would be given (`https://api.openai.com/v1`); paths are put behind it. Plain
    /// `http://` needs `allow_http` (an engine on the box or on a trusted wire). `headers` are sent with every request.
    ///
    /// # Errors
    /// Every problem found, each in a sentence that says what to do; none shows a secret.
    pub fn new(
        name: impl Into<String>,
        base_url: &str,
        auth: Auth,
        headers: &[(String, Secret)],
        allow_http: bool,
    ) -> Result<Self, Vec<String>> {
        let name = name.into();
        let mut problems = Vec::new();
        let place = place(&name, base_url, allow_http).map_err(|problem| problems.push(problem)).ok();
        let passes_auth = matches!(auth, Auth::PassThrough);
        let held = match auth {
            Auth::Held(secret) => match bearer(&secret) {
                Some(value) => Some(value),
                None => {
                    problems.push(format!(
                        "provider {name}: the key is empty or has characters that a header cannot carry; check its file or variable"
                    ));
                    None
                }
            },
            Auth::None | Auth::PassThrough => None,
        };
        let mut checked = Vec::with_capacity(headers.len());
        for (field, value) in headers {
            match extra_header(field, value) {
                Ok(pair) => checked.push(pair),
                Err(problem) => problems.push(format!("provider {name}: header {field:?}: {problem}")),
            }
        }
        match place {
            Some((scheme, authority, prefix)) if problems.is_empty() => Ok(Self {
                name,
                scheme,
                authority,
                prefix,
                held,
                passes_auth,
                headers: checked,
                extra_roots: Vec::new(),
                reach: Reach::default(),
            }),
            _ => Err(problems),
        }
    }

    /// Trusts further certificate authorities (PEM, one or several certificates) beside the built-in web roots. They are
    /// checked when the client is made.
    #[must_use]
    pub fn with_extra_roots(mut self, pem: Vec<u8>) -> Self {
        self.extra_roots = pem;
        self
    }

    /// Says which addresses the provider's name may lead to.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// The name in configuration, metrics and the record.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True when the client's own `Authorization` goes through; then account-wide fields are the client's own too.
    pub fn passes_auth(&self) -> bool {
        self.passes_auth
    }

    /// True when requests go out unencrypted.
    pub fn is_plaintext(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    pub(super) fn held(&self) -> Option<&HeaderValue> {
        self.held.as_ref()
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    pub(super) fn extra_roots(&self) -> &[u8] {
        &self.extra_roots
    }

    /// The address of `path` (which starts with a slash) at this provider.
    pub(super) fn uri(&self, path: &str) -> Result<Uri, Fault> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .map_err(|error| Fault::ours(crate::base::Cause::Internal, format!("provider path {path:?}: {error}")))
    }
}

fn place(name: &str, base_url: &str, allow_http: bool) -> Result<(Scheme, Authority, String), String> {
    // The URL may carry a password: it is shown only once that is ruled out.
    let uri: Uri = base_url
        .parse()
        .map_err(|error| format!("provider {name}: base_url is not a URL ({error}); write https://host/v1"))?;
    let parts = uri.into_parts();
    let authority =
        parts.authority.ok_or_else(|| format!("provider {name}: base_url has no host; write https://host/v1"))?;
    if authority.as_str().contains('@') {
        return Err(format!(
            "provider {name}: base_url carries a user name or password; keys have a field of their own"
        ));
    }
    let scheme =
        parts.scheme.ok_or_else(|| format!("provider {name}: base_url has no scheme; write https://host/v1"))?;
    if scheme == Scheme::HTTP && !allow_http {
        return Err(format!(
            "provider {name}: base_url is plain http; use https, or declare the provider as a local engine"
        ));
    }
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return Err(format!("provider {name}: base_url has the scheme {scheme}; use https"));
    }
    let path = parts.path_and_query.map(|path| path.to_string()).unwrap_or_default();
    if path.contains('?') || base_url.contains('#') {
        return Err(format!("provider {name}: base_url has a query or a fragment; end it with the path"));
    }
    Ok((scheme, authority, path.trim_end_matches('/').to_owned()))
}

fn bearer(secret: &Secret) -> Option<HeaderValue> {
    if secret.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn extra_header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name: HeaderName = name.parse().map_err(|_| "not a header name")?;
    let ours = [
        ACCEPT,
        ACCEPT_ENCODING,
        AUTHORIZATION,
        CONNECTION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        EXPECT,
        HOST,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    if ours.contains(&name) || ["keep-alive", "proxy-connection", "http2-settings"].contains(&name.as_str()) {
        return Err("is set by Portcullis itself; leave it out");
    }
    let mut value =
        HeaderValue::from_str(value.expose()).map_err(|_| "the value has characters that a header cannot carry")?;
    // Some providers take their key in a field of their own, so none of these is ever shown.
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(base_url: &str, allow_http: bool) -> Result<Provider, Vec<String>> {
        Provider::new("p", base_url, Auth::None, &[], allow_http)
    }

    #[test]
    fn paths_go_behind_the_base() {
        for base in ["https://api.example.com/v1", "https://api.example.com/v1/"] {
            let uri = new(base, false).unwrap().uri("/chat/completions").unwrap();
            assert_eq!(uri.to_string(), "https://api.example.com/v1/chat/completions");
        }
        let uri = new("http://127.0.0.1:9", true).unwrap().uri("/v1/models").unwrap();
        assert_eq!(uri.to_string(), "http://127.0.0.1:9/v1/models");
    }

    #[test]
    fn bad_base_urls_are_refused() {
        for base in [
            "",
            "api.example.com",
            "/v1",
            "http://example.com/v1",
            "ftp://example.com",
            "https://user:secret@example.com/v1",
            "https://example.com/v1?key=secret",
            "https://example.com/v1#x",
        ] {
            let problems = new(base, false).unwrap_err();
            assert_eq!(problems.len(), 1, "{base}");
            assert!(!problems[0].contains("secret"), "{problems:?}");
        }
    }

    #[test]
    fn every_problem_is_told_and_no_secret_shown() {
        let headers = [
            ("bad name".to_owned(), Secret::new("hush".to_owned())),
            ("Host".to_owned(), Secret::new("hush".to_owned())),
            ("x-ok".to_owned(), Secret::new("hush\nhush".to_owned())),
        ];
        let auth = Auth::Held(Secret::new("hush\u{0}".to_owned()));
        let problems = Provider::new("p", "nowhere", auth, &headers, false).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(!problems.join(" ").contains("hush"));
    }

    #[test]
    fn keys_do_not_show_in_debug() {
        let headers = [("api-key".to_owned(), Secret::new("hush".to_owned()))];
        let auth = Auth::Held(Secret::new("hush".to_owned()));
        let provider = Provider::new("p", "https://example.com", auth, &headers, false).unwrap();
        assert!(!format!("{provider:?}").contains("hush"));
    }
}
