//! Joins text, scan, classify and decide. The only mint of [`Cleared`]: what has not been inspected here cannot be sent.
//!
//! Knows passages, not wire formats: `protocol` implements [`Subject`], [`Encode`] and [`Frame`] for its messages.

pub mod cleared;
pub mod subject;

pub use cleared::Cleared;
pub use subject::{Edit, Encode, Frame, Opaque, OpaqueKind, Subject};
