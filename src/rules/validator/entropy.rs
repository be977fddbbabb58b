//! Shannon entropy of a text's characters (C. E. Shannon, A Mathematical Theory of Communication, 1948).
//!
//! Looks for: text as varied as a random key. Misses: short random keys (a text of n characters has at most log2 n bits).
//! Example: `hunter2hunter2` has 2.8 bits per character, 32 random base64 characters about 4.5.

/// Bits per byte of the text; 0 for none.
#[expect(clippy::cast_precision_loss, reason = "counts of a match's bytes are far below 2^52")]
pub(super) fn bits_per_character(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::bits_per_character;

    #[test]
    fn known_values() {
        assert!(bits_per_character("").abs() < 1e-9);
        assert!(bits_per_character("aaaa").abs() < 1e-9);
        assert!((bits_per_character("abab") - 1.0).abs() < 1e-9);
        assert!((bits_per_character("0123456789abcdef") - 4.0).abs() < 1e-9);
    }
}
