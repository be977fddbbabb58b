//! The record: events, the spool that outlives a crash, the hash chain, and the stores they are shipped to.
//!
//! ```text
//! Audit::reserve ─► Slot ─► writer thread ─► spool (state folder) ─► shipper ─► PostgreSQL or SQLite ─► AuditReader
//!                            numbers, chains   outlives kill -9       batches, in order, idempotent
//! ```
//!
//! A slot is reserved before an exchange is forwarded, so that its begin and its end have room; [`Slot::begin`] returns when
//! the begin is in the spool. Knows no policy and no wire format.

mod archive;
mod ask;
mod derived;
mod error;
mod event;
mod fit;
mod handle;
mod incident;
mod key_file;
mod node;
mod outputs;
mod proof;
mod query;
mod record;
mod regions;
mod retain;
mod retention;
mod rows;
#[cfg(test)]
mod sample;
mod shared;
mod ship;
mod slot;
mod spool;
mod store;
mod sums;
mod texts;
mod verify;
mod writer;

pub use archive::{Archive, Archived, ArchivedFile, Manifest};
pub use ask::{COUNT_MAX, Cursor, Disposition, IncidentFilter, IncidentId, IncidentPage, PAGE_MAX, Reviewed, Step};
pub use ask::{
    ChainSpan, Counts, EventPlace, FigureSpan, JudgeHits, ProviderFault, RuleReviews, StageLatency, StepCounts,
    USAGE_MAX, Usage,
};
pub use ask::{PrincipalDay, PrincipalExchange, PrincipalFilter, PrincipalOrder, PrincipalSums, SEEN, SeenWith};
pub use error::AuditError;
pub use event::{
    Begin, Cut, Decision, End, Event, FaultRecord, FindingRecord, Judge, Outcome, PassageText, Refused, SCHEMA_VERSION,
    System, SystemKind, VerdictRecord, Waiver,
};
pub use handle::{Audit, AuditConfig};
pub use outputs::config::{
    EventType, FACILITIES, OutputConfig, ReceiverConfig, SinkConfig, SyslogConfig, Transport, WebhookSecret,
};
pub use outputs::{OutputStatus, anchors_in};
pub use proof::{
    Anchored, Body, Break, BreakKind, Columns, EnvelopeError, Evidence, Gone, Inclusion, Line, Part, PublicKey, Reason,
    Seal, Tombstone, TrustedKey,
};
pub(crate) use proof::{SigningKey, envelope};
pub use query::{AuditReader, ExchangeDetail, ExchangeRow, Filter, LIST_DEFAULT, LIST_MAX, Rewrapped, StoredEvent};
pub use record::{Hash, Record};
pub use regions::{Regions, RegionsConfig};
pub use retain::{GivenUp, Pace};
pub use retention::{Classes, Keep, Retention, STANDARD, SYSTEM};
pub use shared::Status;
pub use slot::Slot;
pub use spool::Fsync;
pub use store::StoreConfig;
pub use store::postgres::grants::grants;
pub use texts::{FullText, Shred, TextKeyFiles, TextRef, Unread};
pub use verify::{ChainPlace, ChainReport, Signatures, Wanted, own_key, verify_file};
