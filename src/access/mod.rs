//! Who calls: a key becomes a principal and a tenant.

pub mod caller;
pub mod keys;

pub use caller::{Caller, Identity};
pub use keys::{ClientKey, KeyHash, Keyring, Verified};
