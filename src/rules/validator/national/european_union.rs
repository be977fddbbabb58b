//! Value added tax numbers of the member states (VIES).
//!
//! Looks for: the country, its form, its check digits. Misses: the oldest Irish and Latvian forms, Spanish persons without
//! DNI. Example: `DE136695976`.

use super::numerals::{alphanumerics, base36, digits, is_varied, luhn, luhn_sum, mod_11_10, number, values, weighted};

/// A country code and a number that is valid there.
pub(super) fn is_vat(text: &str) -> bool {
    let text = text.trim();
    let Some((country, number)) = text.split_at_checked(2) else { return false };
    match country {
        "AT" => number.trim_start().strip_prefix('U').is_some_and(is_austrian),
        "BE" => is_belgian(number),
        "BG" => is_bulgarian(number) || super::bulgaria::is_egn(number),
        "CY" => is_cypriot(number),
        "CZ" => is_czech(number) || super::czechia::is_rc(number),
        "DE" => digits::<9>(number).is_some_and(|d| d[0] != 0 && mod_11_10(&d)),
        "DK" => sums::<8>(number, &[2, 7, 6, 5, 4, 3, 2, 1], 11),
        "EE" => sums::<9>(number, &[3, 7, 1, 3, 7, 1, 3, 7, 1], 10),
        "EL" => super::greece::is_afm(number),
        "ES" => super::spain::is_cif(number) || super::spain::is_dni(number) || super::spain::is_nie(number),
        "FI" => sums::<8>(number, &[7, 9, 10, 5, 8, 4, 2, 1], 11),
        "FR" => is_french(number),
        "HR" => super::croatia::is_oib(number),
        "HU" => sums::<8>(number, &[9, 7, 3, 1, 9, 7, 3, 1], 10),
        "IE" => super::ireland::is_pps(number),
        "IT" => super::italy::is_iva(number),
        "LT" => is_lithuanian(number),
        "LU" => {
            digits::<8>(number).is_some_and(|d| is_varied(&d) && self::number(&d[..6]) % 89 == self::number(&d[6..]))
        }
        "LV" => is_latvian(number) || super::baltics::is_latvian(number),
        "MT" => sums::<8>(number, &[3, 4, 6, 7, 8, 9, 10, 1], 37),
        "NL" => is_dutch(number),
        "PL" => super::poland::is_nip(number),
        "PT" => super::portugal::is_nif(number),
        "RO" => is_romanian(number),
        "SE" => digits::<12>(number).is_some_and(|d| luhn(&d[..10]) && d[10..] == [0, 1]),
        "SI" => is_slovenian(number),
        "SK" => digits::<10>(number)
            .is_some_and(|d| d[0] != 0 && matches!(d[2], 2 | 3 | 4 | 7..=9) && self::number(&d).is_multiple_of(11)),
        _ => false,
    }
}

/// A weighted sum that must be divisible.
fn sums<const N: usize>(text: &str, weights: &[u32], modulus: u32) -> bool {
    digits::<N>(text).is_some_and(|d| is_varied(&d) && weighted(&d, weights).is_multiple_of(modulus))
}

/// Eight digits behind the `U`.
fn is_austrian(text: &str) -> bool {
    digits::<8>(text).is_some_and(|d| {
        // Luhn's sum over the first seven, doubled at even places, and 4.
        let sum = luhn_sum(&[d[0], d[1], d[2], d[3], d[4], d[5], d[6]]);
        is_varied(&d) && (106 - sum) % 10 == u32::from(d[7])
    })
}

fn is_belgian(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| d[0] <= 1 && is_varied(&d) && 97 - number(&d[..8]) % 97 == number(&d[8..]))
}

/// Firms; persons use their civil number.
fn is_bulgarian(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let check = match weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11 {
            10 => weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10,
            check => check,
        };
        is_varied(&d) && check == u32::from(d[8])
    })
}

/// Eight digits and a letter.
fn is_cypriot(text: &str) -> bool {
    /// Values of the digits at odd places.
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let Some([number @ .., letter]) = alphanumerics::<9>(text) else { return false };
    values::<8>(&number).is_some_and(|d| {
        let sum: u32 = (0..)
            .zip(d)
            .map(|(index, digit)| match index % 2 {
                0 => ODD.get(usize::from(digit)).copied().unwrap_or(0),
                _ => u32::from(digit),
            })
            .sum();
        is_varied(&d) && u32::from(letter) == u32::from(b'A') + sum % 26
    })
}

/// Firms; persons use their birth number.
fn is_czech(text: &str) -> bool {
    digits::<8>(text).is_some_and(|d| {
        let check = (11 - weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        d[0] != 9 && is_varied(&d) && (if check == 0 { 1 } else { check % 10 }) == u32::from(d[7])
    })
}

/// A key of two digits before a SIREN.
fn is_french(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| luhn(&d[2..]) && (12 + 3 * (number(&d[2..]) % 97)) % 97 == number(&d[..2]))
}

fn is_lithuanian(text: &str) -> bool {
    let check = |digits: &[u8]| match weighted(digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2]) % 11 {
        10 => weighted(digits, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4]) % 11 % 10,
        check => check,
    };
    digits::<9>(text).is_some_and(|d| d[7] == 1 && check(&d[..8]) == u32::from(d[8]))
        || digits::<12>(text).is_some_and(|d| d[10] == 1 && check(&d[..11]) == u32::from(d[11]))
}

/// Firms; persons use their personal code.
fn is_latvian(text: &str) -> bool {
    digits::<11>(text)
        .is_some_and(|d| d[0] > 3 && is_varied(&d) && weighted(&d, &[9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1]) % 11 == 3)
}

/// Nine digits, `B`, two digits: a citizen service number, or checked as a whole modulo 97.
fn is_dutch(text: &str) -> bool {
    let Some(code) = alphanumerics::<12>(text) else { return false };
    let ([front @ .., b'B', a, b], true) = (code, code[10..].iter().all(u8::is_ascii_digit)) else { return false };
    let Some(d) = values::<9>(&front) else { return false };
    let rest = b"NL".iter().chain(&front).chain(&[b'B', a, b]).fold(0, |rest, byte| match base36(*byte) {
        letter @ 10.. => (rest * 100 + letter) % 97,
        digit => (rest * 10 + digit) % 97,
    });
    is_varied(&d) && (rest == 1 || std::str::from_utf8(&front).is_ok_and(super::netherlands::is_bsn))
}

/// Two to ten digits; fewer than six are too few to tell.
fn is_romanian(text: &str) -> bool {
    let count = text.bytes().filter(u8::is_ascii_digit).count();
    let padded = format!("{text:0>width$}", width = 10 + text.len() - count);
    (6..=10).contains(&count)
        && digits::<10>(&padded).is_some_and(|d| {
            is_varied(&d) && weighted(&d, &[7, 5, 3, 2, 1, 7, 5, 3, 2]) * 10 % 11 % 10 == u32::from(d[9])
        })
}

fn is_slovenian(text: &str) -> bool {
    digits::<8>(text).is_some_and(|d| {
        let check = 11 - weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) % 11;
        d[0] != 0 && check < 11 && check % 10 == u32::from(d[7])
    })
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn every_state_has_its_check() {
        judge(
            super::is_vat,
            &[
                "ATU13585627",
                "BE0428759497",
                "BG175074752",
                "CY10259033P",
                "CZ25123891",
                "DE136695976",
                "DK13585628",
                "EE100931558",
                "EL094259216",
                "ESJ99216582",
                "FI20774740",
                "FR40303265045",
                "HR33392005961",
                "HU12892312",
                "IE6433435F",
                "IT00743110157",
                "LT119511515",
                "LU15027442",
                "LV40003521600",
                "MT11679112",
                "NL004495445B01",
                "NL123456789B13",
                "PL8567346215",
                "PT501964843",
                "RO18547290",
                "SE123456789701",
                "SI50223054",
                "SK2022749619",
            ],
            &[
                "ATU13585626",
                "DE136695978",
                "FR84323140391",
                "NL123456789B90",
                "LU15027443",
                "XX123456789",
                "DE",
                "D",
                "RO18547291",
                "é1",
            ],
        );
    }
}
