//! Passages, and canonical text with a map back to the original bytes. Pure: no I/O, no async.

pub mod canonical;
mod confusables;
mod decode;
mod fold;
pub mod layers;
pub mod map;
pub mod model;
mod pairs;
pub mod passage;
mod signs;
mod stages;
mod stems;
mod words;

pub use canonical::{Canonical, canonical};
pub(crate) use fold::{Folded, folded};
pub use fold::{fold_char, is_invisible};
pub use layers::{Layer, Layers, layers, layers_of};
pub use map::Map;
pub use model::model_text;
pub use passage::{Channel, ChannelKind, Direction, Passage, PathSegment, Role, Trust};
pub use stages::Stages;
