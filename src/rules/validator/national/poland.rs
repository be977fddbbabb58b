//! Poland: personal, tax, business and identity card numbers (MSWiA, KAS, GUS).
//!
//! Looks for: the published weights, and the date of birth in the personal number. Misses: nothing known. Examples: PESEL
//! `44051401359`, NIP `856-734-62-15`, REGON `192598184`, card `ABA300000`.

use super::numerals::{alphanumerics, digits, is_date, is_varied, pair, weighted, weighted_alphanumerics};

/// Eleven digits: date of birth (the month tells the century), serial, check digit.
pub(super) fn is_pesel(text: &str) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
        let month = pair(d[2], d[3]);
        let century = [1900, 2000, 2100, 2200, 1800].get((month / 20) as usize).copied().unwrap_or(0);
        is_date(century + pair(d[0], d[1]), month % 20, pair(d[4], d[5])) && sum.is_multiple_of(10)
    })
}

/// Ten digits, the last of which checks the others modulo 11.
pub(super) fn is_nip(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| {
        d[0] != 0 && is_varied(&d) && weighted(&d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == u32::from(d[9])
    })
}

/// Nine digits with a check digit; or fourteen, which begin with such nine.
pub(super) fn is_regon(text: &str) -> bool {
    let nine =
        |d: &[u8]| weighted(d, &[8, 9, 2, 3, 4, 5, 6, 7]) % 11 % 10 == d.get(8).map_or(10, |digit| u32::from(*digit));
    digits::<9>(text).is_some_and(|d| is_varied(&d) && nine(&d))
        || digits::<14>(text).is_some_and(|d| {
            let check = weighted(&d, &[2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8]) % 11 % 10;
            is_varied(&d) && nine(&d) && check == u32::from(d[13])
        })
}

/// Three letters and six digits, the first of which checks the rest.
pub(super) fn is_dowod(text: &str) -> bool {
    let Some(code) = alphanumerics::<9>(text) else { return false };
    let (letters, number) = code.split_at(3);
    letters.iter().all(u8::is_ascii_uppercase)
        && number.iter().all(u8::is_ascii_digit)
        && weighted_alphanumerics(&code, &[7, 3, 1, 9, 7, 3, 1, 7, 3]).is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn persons_have_a_date() {
        judge(super::is_pesel, &["44051401359", "02070803628"], &["44051401358", "44131401359"]);
    }

    #[test]
    fn taxpayers_have_a_check_digit() {
        judge(super::is_nip, &["856-734-62-15", "8567346215"], &["856-734-62-16"]);
    }

    #[test]
    fn businesses_have_one_or_two() {
        judge(super::is_regon, &["192598184", "123456785", "12345678512347"], &["192598183", "12345678612342"]);
    }

    #[test]
    fn identity_cards_are_checked_at_the_fourth_place() {
        judge(super::is_dowod, &["ABA300000", "aba 300000"], &["ABA400000", "AB1300000"]);
    }
}
