//! Telephone numbers (ITU-T E.164; North American Numbering Plan).
//!
//! Looks for: 7 to 15 digits that no obvious other meaning explains. Rejects: one digit repeated, counting up or down,
//! dates, dotted IPv4 addresses, North American numbers with an impossible area or exchange. Misses: short service
//! numbers. Example: `+44 20 7946 0958`.

/// True when the text could be a telephone number.
pub(super) fn is_plausible(text: &str) -> bool {
    let mut digits = [0u8; 15];
    let mut count = 0;
    for byte in text.bytes().filter(u8::is_ascii_digit) {
        let Some(place) = digits.get_mut(count) else { return false };
        *place = byte - b'0';
        count += 1;
    }
    let Some(digits) = digits.get(..count).filter(|digits| digits.len() >= 7) else { return false };
    !is_monotone(digits) && !is_date(text) && !is_ipv4(text) && is_dialable(text, digits)
}

fn is_monotone(digits: &[u8]) -> bool {
    let steps = |step: u8| digits.windows(2).all(|pair| (pair[0] + step) % 10 == pair[1]);
    steps(0) || steps(1) || steps(9)
}

/// `2026-11-21`, `21.11.2026`, `2026/11/21`.
fn is_date(text: &str) -> bool {
    let mut parts = text.trim().split(['-', '.', '/']);
    let (Some(a), Some(b), Some(c), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let within = |part: &str, max: u32| part.len() <= 2 && part.parse().is_ok_and(|n: u32| (1..=max).contains(&n));
    let year = |part: &str| part.len() == 4 && part.parse().is_ok_and(|n: u32| (1900..=2099).contains(&n));
    let day_and_month = |a, b| within(a, 31) && within(b, 31) && (within(a, 12) || within(b, 12));
    (year(a) && day_and_month(b, c)) || (year(c) && day_and_month(a, b))
}

fn is_ipv4(text: &str) -> bool {
    text.trim().parse::<std::net::Ipv4Addr>().is_ok()
}

fn is_dialable(text: &str, digits: &[u8]) -> bool {
    let international = text.trim_start_matches(['(', ' ']).starts_with('+');
    match digits {
        // No country code begins with 0.
        [0, ..] if international => false,
        // North America: area and exchange begin with 2 to 9.
        [1, area, _, _, exchange, rest @ ..] if rest.len() == 6 => *area >= 2 && *exchange >= 2,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::is_plausible;

    #[test]
    fn numbers_from_several_countries_pass() {
        for good in
            ["+44 20 7946 0958", "(212) 555-0147", "+1-212-555-0147", "+49 (30) 901820", "06 12 34 56 98", "5550147"]
        {
            assert!(is_plausible(good), "{good}");
        }
    }

    #[test]
    fn dates_addresses_counters_and_impossible_numbers_fail() {
        let bad = ["2026-11-21", "21.11.2026", "192.168.100.200", "1234567890", "9876543210", "0000000", "123456"];
        for bad in
            bad.into_iter().chain(["+0 123 456 78", "1 112 555 0147", "12345678901234567", "", "+1 (212) 155-0147"])
        {
            assert!(!is_plausible(bad), "{bad}");
        }
    }
}
