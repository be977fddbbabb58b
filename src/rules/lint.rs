//! What `rules lint` may say of a rule, by name, and what a rule says of it.

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Could be better.
    Note,
    /// Costs something, or does nothing.
    Warning,
    /// Cannot be meant so.
    Error,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lint {
    /// No literal: every text is searched for the pattern from end to end.
    NoLiteral,
    /// The literals stand in much ordinary text.
    Expensive,
    /// The pattern's matches have no longest.
    Unbounded,
    /// A stream is held back for long where the pattern may begin.
    HoldsLong,
    /// No text can match.
    Impossible,
    /// Text of the kind that it applies to never occurs.
    NeverApplies,
    /// Whatever it finds, another pattern finds too.
    Unreachable,
    /// Two rules find each other's examples in the same places.
    Overlapping,
    /// No example is found by this pattern.
    Unexercised,
    /// Too many benign texts are hit.
    TooBroad,
    /// Description, references or title are missing or say little.
    Metadata,
    /// The rule allows what is not found.
    UnusedAllow,
}

impl Lint {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoLiteral,
        Self::Expensive,
        Self::Unbounded,
        Self::HoldsLong,
        Self::Impossible,
        Self::NeverApplies,
        Self::Unreachable,
        Self::Overlapping,
        Self::Unexercised,
        Self::TooBroad,
        Self::Metadata,
        Self::UnusedAllow,
    ];

    /// The name used to switch it off.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLiteral => "no-literal",
            Self::Expensive => "expensive",
            Self::Unbounded => "unbounded",
            Self::HoldsLong => "holds-long",
            Self::Impossible => "impossible",
            Self::NeverApplies => "never-applies",
            Self::Unreachable => "unreachable",
            Self::Overlapping => "overlapping",
            Self::Unexercised => "unexercised",
            Self::TooBroad => "too-broad",
            Self::Metadata => "metadata",
            Self::UnusedAllow => "unused-allow",
        }
    }

    /// How much it matters.
    pub fn level(self) -> Level {
        match self {
            Self::Impossible | Self::NeverApplies => Level::Error,
            Self::NoLiteral
            | Self::Expensive
            | Self::HoldsLong
            | Self::Unreachable
            | Self::Overlapping
            | Self::Unexercised
            | Self::TooBroad
            | Self::UnusedAllow => Level::Warning,
            Self::Unbounded | Self::Metadata => Level::Note,
        }
    }

    /// Those that a rule may allow: all but errors, and the one about what it allows.
    pub fn allowable() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|lint| lint.level() < Level::Error && *lint != Self::UnusedAllow)
    }
}

/// What was looked at and is meant so.
#[derive(Clone, Debug, Serialize)]
pub struct Allowed {
    /// The findings that are not told of.
    pub allow: Vec<Lint>,
    /// Why.
    pub because: String,
}
