//! Private keys of WireGuard: 32 bytes in base64, clamped as RFC 7748, section 5, says.
//!
//! Looks for: 32 bytes whose first has its low three bits clear and whose last has the top bits 01. Misses: keys made
//! without `wg genkey`. One random text in 32 passes. Example: the manual's `yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// True for a clamped key.
pub(super) fn is_clamped(text: &str) -> bool {
    // 32 bytes are 44 characters.
    if text.len() != 44 {
        return false;
    }
    let Ok(bytes) = STANDARD.decode(text) else { return false };
    matches!(bytes.as_slice(), [first, .., last] if first & 0b111 == 0 && last >> 6 == 0b01)
}

#[cfg(test)]
mod tests {
    use super::is_clamped;

    #[test]
    fn private_keys_are_told_from_public_ones() {
        // wireguard.com, "Configuration".
        assert!(is_clamped("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="));
        for bad in [
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
            "yAnz5TF",
            "",
            "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm===",
        ] {
            assert!(!is_clamped(bad), "{bad}");
        }
    }
}
