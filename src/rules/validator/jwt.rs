//! JSON Web Tokens (RFC 7519; header: RFC 7515, section 4).
//!
//! Looks for: a first part that is base64url of a JSON object with the member `alg`. Misses: encrypted tokens without
//! `alg`, which the standard does not allow. Example: `eyJhbGciOiJIUzI1NiJ9.e30.…`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a header's base64url that are looked at; real ones have some hundreds.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// True when the text begins with a token's header.
pub(super) fn has_header(text: &str) -> bool {
    let Some((header, _)) = text.split_once('.') else { return false };
    if header.len() > HEADER_BYTES_MAX {
        return false;
    }
    let Ok(json) = URL_SAFE_NO_PAD.decode(header.trim_end_matches('=')) else { return false };
    matches!(serde_json::from_slice(&json), Ok(serde_json::Value::Object(object)) if object.contains_key("alg"))
}

#[cfg(test)]
mod tests {
    use super::has_header;

    #[test]
    fn a_header_names_its_algorithm() {
        assert!(has_header("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2ln"));
        assert!(!has_header("eyJ0eXAiOiJKV1QifQ.e30.c2ln"), "no alg");
        for bad in ["eyJhbGciOiJIUzI1NiJ9", "abc.def.ghi", "", "W10.e30.x"] {
            assert!(!has_header(bad), "{bad}");
        }
    }
}
