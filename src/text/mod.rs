//! Passages, and canonical text with a map back to the original bytes. Pure: no I/O, no async.

pub mod passage;

pub use passage::{Channel, ChannelKind, Direction, Passage, PathSegment, Role, Trust};
