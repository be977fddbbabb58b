//! Rules of other programs, translated. What cannot be is listed with its reason, never dropped silently.

mod bound;
pub mod gitleaks;
mod keywords;
mod re2;
mod sample;
pub mod words;

use super::draft::Draft;

/// What an import comes to.
#[derive(Debug, Default)]
pub struct Imported {
    /// The rules, without ids.
    pub rules: Vec<Named>,
    /// What is not there, or not as it was.
    pub notes: Vec<Note>,
}

/// A translated rule and its name over there.
#[derive(Debug)]
pub struct Named {
    /// Its name over there.
    pub name: String,
    /// The rule.
    pub draft: Draft,
}

/// One thing that was not translated as it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// The rule's name over there; empty: the file's own settings.
    pub name: String,
    /// What, and why.
    pub what: String,
    /// True: the rule is missing. False: it is there and means something else.
    pub left_out: bool,
}
