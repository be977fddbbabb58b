//! Rules as people write them: YAML, checked, compiled into an immutable rule set; diagnostics for people.
//!
//! ```text
//! files ─► load ─► yaml (a tree with places) ─► source (typed, as written) ─► check ─► RuleSet
//!                        every problem of every file becomes a Diagnostic ─► report
//! ```
//!
//! The language is described in `docs/rules.md`.

mod check;
pub mod draft;
pub mod family;
pub(crate) mod frequency;
pub mod import;
pub mod load;
mod pattern;
pub(crate) mod required;
pub mod roles;
pub mod set;
mod source;
pub mod validator;

pub use family::Family;
pub use load::{Loaded, from_sources, load};
pub use roles::Roles;
pub use set::{Confidence, Example, PatternKind, Rule, RuleIndex, RuleSet, Target};
pub use validator::Validator;
