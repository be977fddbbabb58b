//! Validators: a second look at a matched text, beyond what a regular expression can say. Pure, linear, one per file.

mod base58check;
mod bech32;
mod bic;
mod country;
mod e164;
mod entropy;
mod iban;
mod ip_public;
mod jwt;
mod luhn;
mod mrz;
mod national;
mod orcid;
mod phone;
mod placeholder;
mod ssn;
mod vin;

use serde::{Serialize, Serializer};

pub use national::National;

/// A named check. All validators of a rule must accept the matched text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Validator {
    /// At least so many tenths of a bit of Shannon entropy per character.
    Entropy {
        /// Tenths of a bit: 35 is 3.5 bits per character.
        tenths: u8,
    },
    /// Country, length and check digits of an International Bank Account Number (ISO 13616).
    Iban,
    /// The header of a JSON Web Token (RFC 7519) that names its algorithm.
    Jwt,
    /// Check digit of payment card numbers (ISO/IEC 7812-1).
    Luhn,
    /// Not an example, a dummy or a filler.
    NotPlaceholder,
    /// An address with the checksum of Base58Check.
    Base58Check,
    /// An address with the checksum of Bech32 or Bech32m (BIP 173, BIP 350).
    Bech32,
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
    /// An area, group and serial that the US Social Security Administration could have given out.
    Ssn,
}

impl Validator {
    /// Those that are not national numbers.
    const GENERAL: [Self; 17] = [
        Self::Base58Check,
        Self::Bech32,
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
        Self::Luhn,
        Self::NotPlaceholder,
        Self::Phone,
        Self::Ssn,
    ];

    /// All validators that a rule may name.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::GENERAL.into_iter().chain(National::ALL.into_iter().map(Self::National))
    }

    /// The name used in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entropy { tenths: ..=30 } => "entropy_3_0",
            Self::Entropy { tenths: ..=35 } => "entropy_3_5",
            Self::Entropy { .. } => "entropy_4_0",
            Self::Iban => "iban_mod97",
            Self::Jwt => "jwt_header",
            Self::Luhn => "luhn",
            Self::NotPlaceholder => "not_placeholder",
            Self::Base58Check => "base58check",
            Self::Bech32 => "bech32",
            Self::Bic => "bic",
            Self::E164 => "phone_e164",
            Self::IpPublic => "ip_public",
            Self::Mrz => "mrz",
            Self::Orcid => "orcid",
            Self::Vin => "vin",
            Self::National(number) => number.name(),
            Self::Phone => "phone_plausible",
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
            Self::Entropy { tenths } => entropy::bits_per_character(text) >= f64::from(tenths) / 10.0,
            Self::Iban => iban::is_valid(text),
            Self::Jwt => jwt::has_header(text),
            Self::Luhn => luhn::is_valid(text),
            Self::NotPlaceholder => !placeholder::is_placeholder(text),
            Self::Base58Check => base58check::is_valid(text),
            Self::Bech32 => bech32::is_valid(text),
            Self::Bic => bic::is_valid(text),
            Self::E164 => e164::is_plausible(text),
            Self::IpPublic => ip_public::is_public(text),
            Self::Mrz => mrz::is_valid(text),
            Self::Orcid => orcid::is_valid(text),
            Self::Vin => vin::is_valid(text),
            Self::National(number) => number.accepts(text),
            Self::Phone => phone::is_plausible(text),
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
