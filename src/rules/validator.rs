//! Validators: a second look at a matched text, beyond what a regular expression can say.

use serde::Serialize;

/// A named check. All validators of a rule must accept the matched text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// Check digit of payment card numbers.
    Luhn,
}
