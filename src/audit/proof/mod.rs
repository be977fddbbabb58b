//! What makes tampering show: the chain of hashes, Merkle trees over each day, signed checkpoints, and tombstones for what was
//! given up. Pure but for reading key files.

pub(super) mod chain;
pub mod envelope;
pub(super) mod graves;
pub(super) mod inclusion;
pub(super) mod key;
pub(super) mod line;
pub(super) mod merkle;
pub(super) mod period;
pub(super) mod public_key;
pub(super) mod seal;
pub(super) mod tombstone;

pub use chain::{Break, BreakKind, Evidence, TrustedKey};
pub use envelope::EnvelopeError;
pub use inclusion::Inclusion;
pub(crate) use key::SigningKey;
pub use line::{Body, Columns, Line};
pub use public_key::PublicKey;
pub use seal::{Anchored, Seal};
pub use tombstone::{Gone, Part, Reason, Tombstone};
