//! Sets of roles.

use serde::{Serialize, Serializer};

use crate::text::Role;

/// A set of roles.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Roles(u8);

impl Roles {
    /// Every role there is.
    pub const EVERY: [Role; 7] = [
        Role::Assistant,
        Role::System,
        Role::ToolArguments,
        Role::ToolDefinition,
        Role::ToolResult,
        Role::Unknown,
        Role::User,
    ];

    /// The set of all roles.
    pub fn all() -> Self {
        Self::EVERY.into_iter().collect()
    }

    /// True when the role is in the set.
    pub fn contains(self, role: Role) -> bool {
        self.0 & bit(role) != 0
    }

    /// The roles in the set.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Self::EVERY.into_iter().filter(move |role| self.contains(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |set, role| set | bit(role)))
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Role::name))
    }
}

fn bit(role: Role) -> u8 {
    match role {
        Role::Assistant => 1,
        Role::System => 2,
        Role::ToolArguments => 4,
        Role::ToolDefinition => 8,
        Role::ToolResult => 16,
        Role::Unknown => 32,
        Role::User => 64,
    }
}
