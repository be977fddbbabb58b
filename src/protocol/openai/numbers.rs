//! Long numbers: JSON numbers that may stand for a card, a phone or an account, and so are read like texts.

/// Digits before the decimal point from which a number is a text.
const DIGITS: usize = 9;

/// Digits that a number written with an exponent is spelt out to at most; what is larger means nothing but its size.
const SPELT_DIGITS: usize = 64;

/// A number's text, if it has [`DIGITS`] or more digits before its decimal point. An exponent is spelt out: `4.2e9` is
/// 4200000000 to its reader.
pub(super) fn long_number(raw: &str) -> Option<String> {
    let (sign, rest) = raw.strip_prefix('-').map_or(("", raw), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    if exponent == 0 {
        return (whole.len() >= DIGITS).then(|| format!("{sign}{mantissa}"));
    }
    let digits = format!("{whole}{fraction}");
    let point = exponent.checked_add(i64::try_from(whole.len()).ok()?)?;
    let point = usize::try_from(point).ok().filter(|point| *point <= SPELT_DIGITS)?;
    let spelt: String = digits.chars().chain(std::iter::repeat('0')).take(point).collect();
    let spelt = spelt.trim_start_matches('0');
    (spelt.len() >= DIGITS).then(|| {
        let rest = digits.get(point..).filter(|rest| !rest.is_empty());
        rest.map_or_else(|| format!("{sign}{spelt}"), |rest| format!("{sign}{spelt}.{rest}"))
    })
}

/// True for the time at which a reply, a chunk or a model was made: whole seconds, which every reply has.
pub(super) fn is_time(key: &str, number: &str) -> bool {
    key == "created" && number.len() <= 10 && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for a number that is no text.
pub(super) fn is_small(number: u64) -> bool {
    number < 10u64.pow(DIGITS as u32 - 1)
}

#[cfg(test)]
mod tests {
    use super::{is_small, is_time, long_number};

    #[test]
    fn numbers_are_texts_from_nine_digits() {
        for (raw, text) in [
            ("123456789", "123456789"),
            ("-123456789", "-123456789"),
            ("123456789.50", "123456789.50"),
            ("4242424242424242", "4242424242424242"),
            ("4.242424242424242e15", "4242424242424242"),
            ("4.242424242424242E+15", "4242424242424242"),
            ("42424242424242420e-1", "4242424242424242.0"),
            ("1234567.89e2", "123456789"),
            ("1e8", "100000000"),
        ] {
            assert_eq!(long_number(raw).as_deref(), Some(text), "{raw}");
        }
        for raw in [
            "12345678",
            "-12345678",
            "0.123456789",
            "12345678.9",
            "1e7",
            "0e20",
            "123456789e-1",
            "1e-9",
            "1e999999999999999999999",
        ] {
            assert_eq!(long_number(raw), None, "{raw}");
        }
        assert!(long_number("1e63").is_some() && long_number("1e64").is_none());
        assert!(is_small(99_999_999) && !is_small(100_000_000));
    }

    #[test]
    fn seconds_are_told_by_their_key_and_length() {
        assert!(is_time("created", "1700000000"));
        assert!(
            !is_time("created", "17000000000") && !is_time("created", "-170000000") && !is_time("at", "1700000000")
        );
    }
}
