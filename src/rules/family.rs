//! Families: the topics of rules, their folders and the prefixes of their ids.

use serde::Serialize;

/// The topic of a rule: its folder, and the prefix of its id.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the folders under rules/, described in docs/rules.md")]
pub enum Family {
    Agent,
    Extraction,
    Injection,
    Invisible,
    Jailbreak,
    Leak,
    Markup,
    Output,
    Pii,
    Secrets,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 10] = [
        Self::Agent,
        Self::Extraction,
        Self::Injection,
        Self::Invisible,
        Self::Jailbreak,
        Self::Leak,
        Self::Markup,
        Self::Output,
        Self::Pii,
        Self::Secrets,
    ];

    /// Its name and its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Extraction => "extraction",
            Self::Injection => "injection",
            Self::Invisible => "invisible",
            Self::Jailbreak => "jailbreak",
            Self::Leak => "leak",
            Self::Markup => "markup",
            Self::Output => "output",
            Self::Pii => "pii",
            Self::Secrets => "secrets",
        }
    }

    /// The first part of its rules' ids.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Agent => "AGT",
            Self::Extraction => "EXT",
            Self::Injection => "INJ",
            Self::Invisible => "INV",
            Self::Jailbreak => "JBK",
            Self::Leak => "LEAK",
            Self::Markup => "MRK",
            Self::Output => "OUT",
            Self::Pii => "PII",
            Self::Secrets => "SEC",
        }
    }
}
