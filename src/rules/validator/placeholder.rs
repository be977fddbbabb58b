//! Examples, dummies and fillers that look like secrets and are none.
//!
//! Looks for: words of documentation (`example`, `changeme` …), template marks (`${…}`, `<…>`), four of the same mask
//! character or eight of any in a row, long runs of counting (`12345678`, `abcdefgh`), very few different characters.
//! Misses: real-looking fakes. A true secret that holds such a word is passed over: use it for rules that would else
//! drown in examples. Example: `AKIAIOSFODNN7EXAMPLE`.

/// Words that real keys do not hold. Lower case.
const WORDS: [&str; 14] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "dummy",
    "insert",
    "redacted",
    "replace",
    "sample",
    "yourkey",
    "your_",
    "your-",
    "fake",
];

/// True for a text that nobody needs to hide.
pub(super) fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
        || lower.contains("${")
        || lower.contains("{{")
        || (lower.contains('<') && lower.contains('>'))
        || longest_step(lower.as_bytes(), |a, b| a == b && b"x*.#?-_0".contains(&a)) >= 4 && is_masked(&lower)
        || longest_step(lower.as_bytes(), |a, b| a == b) >= 8
        || longest_step(lower.as_bytes(), |a, b| a.is_ascii_alphanumeric() && a.wrapping_add(1) == b) >= 8
        || has_few_kinds(lower.as_bytes())
}

/// A mask covers much of the text: `xxxx` by chance, in a long key, does not.
fn is_masked(lower: &str) -> bool {
    let mask = lower.bytes().filter(|byte| b"x*.#?".contains(byte)).count();
    mask * 3 >= lower.len()
}

/// Length of the longest run in which each pair of neighbours is a step.
fn longest_step(bytes: &[u8], is_step: impl Fn(u8, u8) -> bool) -> usize {
    let (mut longest, mut run) = (0, 1);
    for pair in bytes.windows(2) {
        run = if is_step(pair[0], pair[1]) { run + 1 } else { 1 };
        longest = longest.max(run);
    }
    longest
}

fn has_few_kinds(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    let kinds = seen.iter().filter(|seen| **seen).count();
    bytes.len() >= 12 && kinds <= 3
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn documentation_is_told_from_keys() {
        for filler in [
            "AKIAIOSFODNN7EXAMPLE",
            "sk-xxxxxxxxxxxxxxxxxxxx",
            "ghp_000000000000000000000000000000000000",
            "your_api_key_here",
            "${API_KEY}",
            "<token>",
            "abcdefghijklmnop",
            "sk-1234567890abcdef",
            "abababababab",
        ] {
            assert!(is_placeholder(filler), "{filler}");
        }
        for key in ["AKIAQ3EGUWX7P2LJ5KDN", "sk-T7xxxxb2Kq9LmZ4vR8nW1cY6", "ghp_q8Zr2Wn5Lk0Xv7Tb4Mc9Yd3Jf6Hs1GpAe", ""]
        {
            assert!(!is_placeholder(key), "{key}");
        }
    }
}
