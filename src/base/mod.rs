//! The words everyone speaks: ids, spans, limits, secrets, faults, the time. Imports nothing of ours.

pub mod clock;
pub mod fault;
pub mod id;
pub mod limits;
pub mod secret;
pub mod span;
pub mod utf8;

pub use clock::Clock;
pub use fault::{Blame, Cause, Fault, FaultAction, FaultPolicy};
pub use id::ExchangeId;
pub use limits::Limits;
pub use secret::Secret;
pub use span::Span;
