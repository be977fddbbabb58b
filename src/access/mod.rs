//! Who calls: a key becomes a principal and a tenant.

pub mod caller;
pub mod crowd;
pub mod keys;
pub mod throttle;

pub use caller::{Caller, DEFAULT_TENANT, Identity};
pub use crowd::{Crowd, Place};
pub use keys::{ClientKey, KeyHash, Keyring, Verified};
pub use throttle::{Pace, Throttle, Throttles};
