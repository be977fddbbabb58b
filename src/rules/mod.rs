//! Rules as people write them: YAML, checked, compiled into an immutable rule set; diagnostics for people.
//!
//! ```text
//! files ─► load ─► yaml (a tree with places) ─► source (typed, as written) ─► check ─► RuleSet
//!                        every problem of every file becomes a Diagnostic ─► report
//! ```
//!
//! The language is described in `docs/rules.md`.

pub mod applies;
pub(crate) mod beginnings;
mod check;
mod classes;
mod combine;
pub mod condition;
pub mod draft;
pub mod edit;
pub mod exception;
pub mod family;
pub(crate) mod firsts;
mod folder;
pub mod format;
pub(crate) mod frequency;
pub mod glob;
mod heads;
pub mod ids;
pub mod import;
pub mod lint;
mod list;
pub mod load;
pub mod mention;
pub mod misfit;
mod overlay;
pub(crate) mod pairs;
mod pattern;
pub(crate) mod required;
pub mod roles;
pub mod set;
mod size;
mod source;
pub mod standing;
pub mod transforms;
pub mod validator;
mod variables;

pub use applies::{Facts, Scope};
pub use condition::{Condition, Scores};
pub use exception::Exception;
pub use family::Family;
pub use load::{Loaded, from_sources, load};
pub use misfit::Misfit;
pub use roles::Roles;
pub use set::{Confidence, Example, Mode, Paranoia, PatternKind, Rule, RuleIndex, RuleSet, Target, Written};
pub use standing::Effect;
pub use transforms::Transforms;
pub use validator::Validator;
