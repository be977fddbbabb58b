//! Text of both letters and digits, as random keys are and words, counters and dates are not.
//!
//! Looks for: two letters and two digits or more. Misses: short random keys of one kind: of 16 characters out of 36 one key
//! in thirty has less than two digits. Example: `k3yj7st9a` passes, `softwareengineer` fails.

/// True with two letters and two digits or more.
pub(super) fn is_mixed(text: &str) -> bool {
    let count = |is: fn(&u8) -> bool| text.as_bytes().iter().filter(|byte| is(byte)).count();
    count(u8::is_ascii_alphabetic) >= 2 && count(u8::is_ascii_digit) >= 2
}

#[cfg(test)]
mod tests {
    use super::is_mixed;

    #[test]
    fn keys_are_told_from_words() {
        assert!(is_mixed("k3yj7st9a") && is_mixed("a1b2"));
        for bad in ["softwareengineer", "20261122", "version2", "", "é1ü2"] {
            assert!(!is_mixed(bad), "{bad}");
        }
    }
}
