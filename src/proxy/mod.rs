//! The pipeline: what happens to an exchange, in order.

pub mod body;
pub mod intake;

pub use body::{CutShort, Piece, ReplyBody};
pub use intake::read_body;
