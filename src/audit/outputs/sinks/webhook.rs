//! To a webhook, one line in each request, signed as <https://www.standardwebhooks.com> has it: a receiver checks with any of its
//! libraries who sent it, that nobody changed it and that it is not an old one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Line, Undelivered, judge};
use crate::audit::outputs::config::WebhookSecret;
use crate::egress::Poster;

/// A webhook.
pub(in crate::audit::outputs) struct Webhook {
    poster: Poster,
    secret: WebhookSecret,
}

impl Webhook {
    pub(super) fn new(poster: Poster, secret: WebhookSecret) -> Self {
        Self { poster, secret }
    }

    pub(super) async fn deliver(&self, lines: &[Line]) -> Result<(), Undelivered> {
        for line in lines {
            let (body, id) = (body(line), message_id(line));
            let now = Timestamp::now().as_second();
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            for (name, value) in [
                ("webhook-id", id.clone()),
                ("webhook-timestamp", now.to_string()),
                ("webhook-signature", signature(&self.secret, &id, now, &body)),
            ] {
                headers.insert(
                    name,
                    HeaderValue::from_str(&value).map_err(|error| Undelivered::Refused(error.to_string()))?,
                );
            }
            judge(&self.poster.post(headers, body.into()).await.map_err(Undelivered::away)?)?;
        }
        Ok(())
    }
}

/// The same when the line is sent again; a full stop would end it early in what is signed.
fn message_id(line: &Line) -> String {
    let hash = Sha256::digest(&line.id);
    hash.iter().take(16).fold("msg_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// The payload: `type`, `timestamp` and `data`, which is the line.
fn body(line: &Line) -> String {
    let (kind, at) = (line.kind.name(), format!("{:.6}", line.at));
    // The line is JSON already, with what must be escaped escaped.
    format!("{{\"type\":{},\"timestamp\":{},\"data\":{}}}", json!(format!("portcullis.{kind}")), json!(at), line.text())
}

/// `v1,` and the HMAC-SHA-256 over `id.timestamp.body`, in base64.
fn signature(secret: &WebhookSecret, id: &str, at: i64, body: &str) -> String {
    // HMAC takes a key of any length: RFC 2104, section 2.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret.0) else { return String::new() };
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = WebhookSecret::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned())).unwrap();
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_that_are_none_are_refused_and_not_repeated() {
        for written in ["hush", "whsec_hush!", "whsec_aHVzaA=="] {
            let problem = WebhookSecret::parse(&Secret::new(written.to_owned())).unwrap_err();
            assert!(!problem.contains("hush") && problem.contains("openssl"), "{problem}");
        }
    }
}
