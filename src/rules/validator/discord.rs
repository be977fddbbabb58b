//! Tokens of Discord bots (Discord, "Reference", section on authentication; snowflakes).
//!
//! Looks for: three parts with points between them, the first of which is base64 of the bot's number, 17 to 20 digits.
//! Misses: nothing that Discord makes. Example: `MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.…`.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// True when the first part is a number.
pub(super) fn has_number(text: &str) -> bool {
    let Some((number, _)) = text.split_once('.') else { return false };
    if number.len() > 32 {
        return false;
    }
    let Ok(digits) = LENIENT.decode(number) else { return false };
    (17..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::has_number;

    #[test]
    fn the_first_part_is_a_number() {
        // Discord's documentation.
        assert!(has_number(concat!("MTk4NjIyNDgzNDcxOTI1MjQ4", ".Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs")));
        for bad in ["", ".", "N0tARea1KeyJustAP0rtcu11.ARea1K.ea1", "MTIz.a.b", "MTk4NjIyNDgzNDcxOTI1MjQ4"] {
            assert!(!has_number(bad), "{bad}");
        }
    }
}
