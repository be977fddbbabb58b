//! Private keys of Ethereum and Bitcoin in hexadecimal (SEC 2, curve secp256k1).
//!
//! Looks for: 64 hexadecimal digits, `0x` before them or not, that are a number from 1 to the order of the curve less 1,
//! large enough to be random, and not one of the keys that development chains print for everybody. Misses: nothing. Nearly
//! every 64 digits pass, hashes too: for rules with a context. Example: `0x4c0883a6…`.

/// The order of the curve.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// First accounts of Hardhat and Anvil, and of Ganache with `--deterministic`: printed in their manuals.
const KNOWN: [&str; 4] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d",
];

/// True when it could be somebody's key.
pub(super) fn is_plausible(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let digits = lower.strip_prefix("0x").unwrap_or(&lower);
    digits.len() == ORDER.len()
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        // Half of the number zero: a small number, as in examples, and padded addresses.
        && !digits.starts_with("00000000000000000000")
        && digits < ORDER
        && !KNOWN.contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::is_plausible;

    #[test]
    fn range_and_known_keys() {
        assert!(is_plausible("0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"));
        assert!(is_plausible("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364140"));
        for bad in [
            "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            "000000000000000000000000d8da6bf26964af9d7eed9e03e53415d37aa96045",
            "0x",
            "4c0883a6",
            "zc0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
        ] {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
