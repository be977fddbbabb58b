//! Roles, each with all that the ones before it may do.

use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at figures, rules and incidents, without recorded texts.
    Viewer,
    /// Reads recorded texts; says what an incident was, assigns it, writes notes.
    Reviewer,
    /// Writes exceptions and examples, reloads the policy and goes back.
    Author,
    /// Users and tokens; retention and destroying texts.
    Admin,
}

impl Role {
    /// All of them, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Reviewer, Self::Author, Self::Admin];

    /// The name in the API and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }
}
