//! What people make of recorded traffic: what another policy would have done with it, and data sets to train and judge classifiers by.

pub mod datasets;
pub mod gate;
pub(crate) mod recorded;
pub mod replay;
