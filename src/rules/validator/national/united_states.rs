//! United States: taxpayer, employer, bank, prescriber and provider numbers (IRS, ABA, DEA, CMS).
//!
//! Looks for: ranges that the IRS gives out (ITIN, EIN), check digits (routing number, DEA registration, NPI). Misses: ranges
//! opened later. Examples: ITIN `912-70-1234`, EIN `12-3456789`, routing number `111000025`, DEA `AB1234563`, NPI
//! `1234567893`.

use super::numerals::{alphanumerics, digits, is_varied, luhn_sum, pair, values, weighted};

/// Campus and internet prefixes that the IRS has not given out.
const EIN_UNUSED: [u32; 18] = [0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97, 100];

/// Nine digits that begin with 9 and have the middle part of a taxpayer number.
pub(super) fn is_itin(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| d[0] == 9 && matches!(pair(d[3], d[4]), 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// Nine digits with a prefix in use.
pub(super) fn is_ein(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| is_varied(&d) && !EIN_UNUSED.contains(&pair(d[0], d[1])))
}

/// Nine digits of a Federal Reserve district whose check digit fits.
pub(super) fn is_aba(text: &str) -> bool {
    digits::<9>(text).is_some_and(|d| {
        is_varied(&d)
            && matches!(pair(d[0], d[1]), 0..=12 | 21..=32 | 61..=72 | 80)
            && weighted(&d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
    })
}

/// Two letters and seven digits, the last of which checks the others.
pub(super) fn is_dea(text: &str) -> bool {
    let Some([kind, _, number @ ..]) = alphanumerics::<9>(text) else { return false };
    values::<7>(&number).is_some_and(|d| {
        b"ABCDEFGHJKLMPRSTUX".contains(&kind)
            && is_varied(&d)
            && weighted(&d, &[1, 2, 1, 2, 1, 2]) % 10 == u32::from(d[6])
    })
}

/// Ten digits whose check digit fits once the health industry's prefix 80840 stands before them.
pub(super) fn is_npi(text: &str) -> bool {
    digits::<10>(text).is_some_and(|d| matches!(d[0], 1 | 2) && (luhn_sum(&d) + 24).is_multiple_of(10))
}

#[cfg(test)]
mod tests {
    use super::super::numerals::judge;

    #[test]
    fn taxpayers_are_told_from_social_security() {
        judge(
            super::is_itin,
            &["912-70-1234", "900 50 0001"],
            &["912-69-1234", "812-70-1234", "912-93-1234", "912-70-123"],
        );
    }

    #[test]
    fn employers_have_a_prefix_in_use() {
        judge(super::is_ein, &["12-3456789", "94-2404110"], &["07-3456789", "00-1234567", "12-345678"]);
    }

    #[test]
    fn banks_have_a_check_digit() {
        judge(super::is_aba, &["111000025", "021000021", "122105155"], &["111000026", "131000025", "000000000"]);
    }

    #[test]
    fn prescribers_have_a_check_digit() {
        judge(super::is_dea, &["AB1234563", "bj6125341"], &["AB1234564", "NB1234563", "AB123456"]);
    }

    #[test]
    fn providers_are_checked_with_their_prefix() {
        judge(super::is_npi, &["1234567893", "1245319599"], &["1234567894", "3234567893"]);
    }
}
