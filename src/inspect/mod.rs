//! Joins text, scan, classify and decide. The only mint of [`Cleared`]: what has not been inspected here cannot be sent.
//!
//! Knows passages, not wire formats: `protocol` implements [`Subject`], [`Encode`] and [`Frame`] for its messages.
//!
//! ```text
//! message ─► Snapshot::scan ─► Scanned ─► (the classifier answers) ─► Scanned::judge ─► Judged ─► Cleared<message>
//! frames  ─► ReplyStream::frame ─► cleared frames, held text released as soon as no match can include it
//! ```

mod across;
mod allowed;
mod ask;
pub mod cleared;
mod excerpt;
mod lane;
mod reading;
mod redact;
mod settle;
pub mod snapshot;
pub mod stream;
pub mod subject;
mod tally;
pub mod vault;
pub mod whole;

pub use ask::{Answer, Judgement};
pub use cleared::Cleared;
pub use snapshot::{BlockEnd, OpaqueAction, Snapshot};
pub use stream::{ReplyStream, Step};
pub use subject::{Edit, Encode, Frame, Opaque, OpaqueKind, Subject};
pub use vault::Vault;
pub use whole::{FaultTaken, Judged, Outcome, Scanned};
