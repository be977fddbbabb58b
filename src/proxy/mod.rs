//! The pipeline: what happens to an exchange, in order. Start with [`pipeline`].

pub mod body;
mod exchange;
mod facts;
pub mod intake;
mod judge;
mod ledger;
pub mod pipeline;
mod policy;
mod reply;
mod respond;
mod stream;

pub use body::{CutShort, Piece, ReplyBody};
pub use facts::{ROUTE, fields};
pub use intake::read_body;
pub use judge::{Judges, judgement};
pub use pipeline::{Admission, Proxy, Target};
pub use policy::{
    Asked, Attempt, Change, Drafted, InForce, Kept, Origin, PolicyControl, PolicyDesk, PolicyFile, PolicyStatus,
    Problem, Stopping, Wish,
};
