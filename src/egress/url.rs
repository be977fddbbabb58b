//! The address of a receiver, as it is written.

use http::Uri;

/// Reads the address of a receiver: `https://` or `http://`, a host, and no user or password, which have no place in a log.
///
/// # Errors
/// A sentence that says what is wrong and does not repeat what may be a secret.
pub fn web_url(written: &str) -> Result<Uri, String> {
    let uri: Uri = written.parse().map_err(|error| format!("it is no URL ({error}); write https://host/path"))?;
    let Some(authority) = uri.authority() else { return Err("it has no host; write https://host/path".to_owned()) };
    if authority.as_str().contains('@') {
        return Err("it carries a user name or password; put what proves who you are in a header".to_owned());
    }
    if written.contains('#') {
        return Err("it has a fragment, which is never sent; leave it out".to_owned());
    }
    match uri.scheme_str() {
        Some("https" | "http") => Ok(uri),
        _ => Err("its scheme is neither https nor http; write https://host/path".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_receivers_are_checked_and_secrets_not_repeated() {
        for url in
            ["https://hooks.example/services/T0/B0/x", "http://127.0.0.1:4318/v1/logs", "https://[2001:db8::1]/?a=b"]
        {
            assert!(web_url(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "hooks.example",
            "/path",
            "ftp://hooks.example/",
            "https://user:hush@hooks.example/",
            "https://h/#hush",
        ] {
            let problem = web_url(url).unwrap_err();
            assert!(!problem.contains("hush"), "{problem}");
        }
    }
}
