//! Validators: a second look at a matched text, beyond what a regular expression can say. Pure, linear, one per file.

mod base32_crc16;
mod base58check;
mod basic_credentials;
mod bech32;
mod bic;
mod bip39;
mod country;
mod crc32_base62;
mod curve25519;
mod discord;
mod e164;
mod entropy;
mod iban;
mod ip_public;
mod jwt;
mod letters_and_digits;
mod luhn;
mod mrz;
mod national;
mod orcid;
mod phone;
mod placeholder;
mod secp256k1;
mod ssn;
mod stock_password;
mod vin;

use serde::{Serialize, Serializer};

pub use national::National;

/// A named check. All validators of a rule must accept the matched text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Validator {
    /// Base 32 with a CRC-16 at its end: Stellar's and NATS's seeds.
    Base32Crc16,
    /// Base58Check: Bitcoin's keys and their kin.
    Base58Check,
    /// Base64 of a user and a password (RFC 7617).
    BasicCredentials,
    /// Bech32 (BIP-173): age identities, Nostr's and Cardano's keys.
    Bech32,
    /// English recovery phrases (BIP-39), checksum included.
    Bip39English,
    /// Tokens that end in their CRC-32 in base 62: GitHub, npm, Matrix Synapse.
    Crc32Base62,
    /// Clamped private keys (RFC 7748) in base64: WireGuard.
    Curve25519Key,
    /// A Discord token, whose first part is the bot's number.
    DiscordToken,
    /// At least so many tenths of a bit of Shannon entropy per character.
    Entropy {
        /// Tenths of a bit: 35 is 3.5 bits per character.
        tenths: u8,
    },
    /// Country, length and check digits of an International Bank Account Number (ISO 13616).
    Iban,
    /// The header of a JSON Web Token (RFC 7519) that names its algorithm.
    Jwt,
    /// Two letters and two digits or more.
    LettersAndDigits,
    /// Check digit of payment card numbers (ISO/IEC 7812-1).
    Luhn,
    /// Not an example, a dummy or a filler.
    NotPlaceholder,
    /// Not a password of manuals and default installations.
    NotStockPassword,
    /// A business identifier code with a country (ISO 9362).
    Bic,
    /// A telephone number with a country code and a length that this country uses (E.164).
    E164,
    /// An address on the open internet.
    IpPublic,
    /// Lines of a machine readable zone whose check digits fit (ICAO Doc 9303).
    Mrz,
    /// Sixteen characters with the check character of ORCID iDs (ISO 7064 MOD 11-2).
    Orcid,
    /// A vehicle identification number with its check digit (ISO 3779).
    Vin,
    /// A number that a state gives to a person, with check digits or other things to check.
    National(National),
    /// Digits that could be a telephone number (E.164, North American plan).
    Phone,
    /// 64 hexadecimal digits that could be a private key on secp256k1.
    Secp256k1Key,
    /// An area, group and serial that the US Social Security Administration could have given out.
    Ssn,
}

impl Validator {
    /// Those that are not national numbers.
    const GENERAL: [Self; 26] = [
        Self::Base32Crc16,
        Self::Base58Check,
        Self::BasicCredentials,
        Self::Bech32,
        Self::Bip39English,
        Self::Crc32Base62,
        Self::Curve25519Key,
        Self::DiscordToken,
        Self::Bic,
        Self::E164,
        Self::IpPublic,
        Self::Mrz,
        Self::Orcid,
        Self::Vin,
        Self::Entropy { tenths: 30 },
        Self::Entropy { tenths: 35 },
        Self::Entropy { tenths: 40 },
        Self::Iban,
        Self::Jwt,
        Self::LettersAndDigits,
        Self::Luhn,
        Self::NotPlaceholder,
        Self::NotStockPassword,
        Self::Phone,
        Self::Secp256k1Key,
        Self::Ssn,
    ];

    /// All validators that a rule may name.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::GENERAL.into_iter().chain(National::ALL.into_iter().map(Self::National))
    }

    /// The name used in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base32Crc16 => "base32_crc16",
            Self::Base58Check => "base58check",
            Self::BasicCredentials => "basic_credentials",
            Self::Bech32 => "bech32",
            Self::Bip39English => "bip39_english",
            Self::Crc32Base62 => "crc32_base62",
            Self::Curve25519Key => "curve25519_key",
            Self::DiscordToken => "discord_token",
            Self::Entropy { tenths: ..=30 } => "entropy_3_0",
            Self::Entropy { tenths: ..=35 } => "entropy_3_5",
            Self::Entropy { .. } => "entropy_4_0",
            Self::Iban => "iban_mod97",
            Self::Jwt => "jwt_header",
            Self::LettersAndDigits => "letters_and_digits",
            Self::Luhn => "luhn",
            Self::NotPlaceholder => "not_placeholder",
            Self::NotStockPassword => "not_stock_password",
            Self::Bic => "bic",
            Self::E164 => "phone_e164",
            Self::IpPublic => "ip_public",
            Self::Mrz => "mrz",
            Self::Orcid => "orcid",
            Self::Vin => "vin",
            Self::National(number) => number.name(),
            Self::Phone => "phone_plausible",
            Self::Secp256k1Key => "secp256k1_key",
            Self::Ssn => "ssn_us",
        }
    }

    /// Looks a validator up by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|validator| validator.name() == name)
    }

    /// True when the text passes.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Base32Crc16 => base32_crc16::is_valid(text),
            Self::Base58Check => base58check::is_valid(text),
            Self::BasicCredentials => basic_credentials::is_valid(text),
            Self::Bech32 => bech32::is_valid(text),
            Self::Bip39English => bip39::is_valid(text),
            Self::Crc32Base62 => crc32_base62::is_valid(text),
            Self::Curve25519Key => curve25519::is_clamped(text),
            Self::DiscordToken => discord::has_number(text),
            Self::Entropy { tenths } => entropy::bits_per_character(text) >= f64::from(tenths) / 10.0,
            Self::Iban => iban::is_valid(text),
            Self::Jwt => jwt::has_header(text),
            Self::LettersAndDigits => letters_and_digits::is_mixed(text),
            Self::Luhn => luhn::is_valid(text),
            Self::NotPlaceholder => !placeholder::is_placeholder(text),
            Self::NotStockPassword => !stock_password::is_stock(text),
            Self::Bic => bic::is_valid(text),
            Self::E164 => e164::is_plausible(text),
            Self::IpPublic => ip_public::is_public(text),
            Self::Mrz => mrz::is_valid(text),
            Self::Orcid => orcid::is_valid(text),
            Self::Vin => vin::is_valid(text),
            Self::National(number) => number.accepts(text),
            Self::Phone => phone::is_plausible(text),
            Self::Secp256k1Key => secp256k1::is_plausible(text),
            Self::Ssn => ssn::is_plausible(text),
        }
    }
}

impl Serialize for Validator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for validator in Validator::all() {
            assert_eq!(Validator::by_name(validator.name()), Some(validator));
        }
        assert_eq!(Validator::by_name("luhn2"), None);
    }

    #[test]
    fn the_documentation_names_every_one() {
        let page = include_str!("../../docs/rules.md");
        let missing: Vec<_> =
            Validator::all().map(Validator::name).filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/rules.md, Validators: {missing:?}");
    }
}
