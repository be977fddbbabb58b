//! YAML as a tree in which every value knows its place, and diagnostics that name every problem at once. Rules and
//! configuration are both read through it.

pub(crate) mod advice;
pub mod diagnostic;
pub(crate) mod node;
pub(crate) mod suggest;
pub(crate) mod table;

pub use diagnostic::{Diagnostic, Diagnostics};
