//! Which provider answers: a pure choice over names.

pub mod table;

pub use table::{Choice, ModelPattern, Table};
