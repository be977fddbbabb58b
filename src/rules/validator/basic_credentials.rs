//! The value of HTTP's Basic scheme and of Docker's `auth` (RFC 7617): base64 of `user:password`.
//!
//! Looks for: base64, padded or not, of printable text with a colon and a password of three bytes or more behind it that
//! is not one of the stock passwords. Misses: user names or passwords that are not UTF-8. Example: `QWxhZGRpbjp…`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::stock_password;

const BYTES_MAX: usize = 4096;

/// True when it decodes to a user and a password that somebody might use.
pub(super) fn is_valid(text: &str) -> bool {
    if text.len() > BYTES_MAX {
        return false;
    }
    let Ok(bytes) = STANDARD_NO_PAD.decode(text.trim_end_matches('=')) else { return false };
    let Ok(plain) = std::str::from_utf8(&bytes) else { return false };
    let Some((user, password)) = plain.split_once(':') else { return false };
    // Sentences in base64 have a colon too.
    let prose = user.contains(char::is_whitespace) || password.starts_with(char::is_whitespace);
    !prose && plain.chars().all(|c| !c.is_control()) && password.len() >= 3 && !stock_password::is_stock(password)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn users_and_passwords() {
        // RFC 7617's Aladdin, and a user without padding.
        assert!(is_valid("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(is_valid("YXBwOm4wdEFyZWExUGFzcw"));
        for bad in [
            "",
            "dXNlcjpwYXNzd29yZA==",
            "aGVsbG8gd29ybGQ=",
            "AAAA",
            "dXNlcjo=",
            "no base64",
            "OjEy",
            "UmVjaXBlOiAyMDAgZyBmbG91cg==",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid(&"QUJD".repeat(2000)));
    }
}
