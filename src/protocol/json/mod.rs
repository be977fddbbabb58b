//! Strict JSON without a tree: read once into spans over the original bytes, written again by splicing.

pub mod error;
pub(crate) mod place;
mod read;
pub mod splice;
pub mod tape;
pub mod text;
mod token;

pub use error::{JsonError, JsonErrorKind};
pub(crate) use place::Place;
pub use read::DEPTH_MAX;
pub use splice::{Replacement, splice};
pub use tape::{Document, Elements, Kind, Members, Value};
pub use text::{quote, quoted};
