//! The record: events, the spool that outlives a crash, the hash chain, and the stores they are shipped to.
//!
//! ```text
//! Audit::reserve ─► Slot ─► writer thread ─► spool (state folder) ─► shipper ─► PostgreSQL or SQLite ─► AuditReader
//!                            numbers, chains   outlives kill -9       batches, in order, idempotent
//! ```
//!
//! A slot is reserved before an exchange is forwarded, so that its begin and its end have room; [`Slot::begin`] returns when
//! the begin is in the spool. Knows no policy and no wire format.

mod chain;
mod error;
mod event;
mod fit;
mod frame;
mod handle;
mod node;
mod query;
mod record;
mod rows;
#[cfg(test)]
mod sample;
mod segment;
mod shared;
mod ship;
mod slot;
mod spool;
mod spooled;
mod store;
mod tail;
mod writer;

pub use chain::{Break, BreakKind};
pub use error::AuditError;
pub use event::{
    Begin, Cut, Decision, End, Event, FaultRecord, FindingRecord, Judge, Outcome, PassageText, Refused, SCHEMA_VERSION,
    System, SystemKind, VerdictRecord, Waiver,
};
pub use handle::{Audit, AuditConfig};
pub use query::{
    AuditReader, ChainPlace, ChainReport, ExchangeDetail, ExchangeRow, Filter, LIST_DEFAULT, LIST_MAX, StoredEvent,
};
pub use record::{Hash, Record};
pub use shared::Status;
pub use slot::Slot;
pub use spool::Fsync;
pub use store::StoreConfig;
