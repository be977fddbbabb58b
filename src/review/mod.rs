//! What people ask of recorded traffic: what another policy would have done with it.

pub(crate) mod recorded;
pub mod replay;
