//! International Bank Account Numbers (ISO 13616-1; check digits by ISO 7064 MOD 97-10; lengths from the SWIFT registry).
//!
//! Looks for: a registered country, that country's length, check digits that fit; spaces and hyphens ignored. Misses:
//! countries that join the registry later. Example: `DE89 3704 0044 0532 0130 00`.

/// Country and total length. Sorted.
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// True for a well-formed number whose check digits fit.
pub(super) fn is_valid(text: &str) -> bool {
    let mut digits = [0u8; 34];
    let mut count = 0;
    for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-' | b'\t' | b'\n' | b'\r')) {
        if !byte.is_ascii_alphanumeric() {
            return false;
        }
        let Some(place) = digits.get_mut(count) else { return false };
        *place = byte.to_ascii_uppercase();
        count += 1;
    }
    let Some(([a, b, c, d], account)) = digits.get(..count).and_then(|all| all.split_first_chunk::<4>()) else {
        return false;
    };
    let length = LENGTHS.binary_search_by_key(&[*a, *b], |(country, _)| **country).ok();
    let length = length.and_then(|index| LENGTHS.get(index)).map(|(_, length)| *length);
    if length != Some(count) || !c.is_ascii_digit() || !d.is_ascii_digit() {
        return false;
    }
    account.iter().chain(&[*a, *b, *c, *d]).fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::{LENGTHS, is_valid};

    #[test]
    fn the_registrys_examples_pass() {
        assert!(LENGTHS.is_sorted());
        let good = ["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR14-2004-1010-0505-0001-3M02-606"];
        for good in good.into_iter().chain(["NO93 8601 1117 947", "MT84MALT011000012345MTLCAST001S"]) {
            assert!(is_valid(good), "{good}");
        }
    }

    #[test]
    fn wrong_digits_lengths_and_countries_fail() {
        let long = "DE".repeat(1000);
        for bad in
            ["DE89370400440532013001", "DE8937040044053201300", "ZZ89370400440532013000", "", "DE8", "DE89…", &long]
        {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
