//! Rules as people write them: YAML, checked, compiled into an immutable rule set; diagnostics for people.
//!
//! ```text
//! files ─► load ─► yaml (a tree with places) ─► source (typed, as written) ─► check ─► RuleSet
//!                        every problem of every file becomes a Diagnostic ─► report
//! ```
//!
//! The language is described in `docs/rules.md`.

mod check;
mod combine;
pub mod condition;
pub mod draft;
pub mod family;
pub mod format;
pub(crate) mod frequency;
pub mod import;
mod list;
pub mod load;
mod pattern;
pub(crate) mod required;
pub mod roles;
pub mod set;
mod source;
pub mod transforms;
pub mod validator;
mod variables;

pub use condition::{Condition, Scores};
pub use family::Family;
pub use load::{Loaded, from_sources, load};
pub use roles::Roles;
pub use set::{Confidence, Example, PatternKind, Rule, RuleIndex, RuleSet, Target, Written};
pub use transforms::Transforms;
pub use validator::Validator;
