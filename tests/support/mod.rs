//! What several test binaries share.
#![allow(clippy::print_stdout, dead_code, reason = "each test binary uses its part")]
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]

pub mod appliance;
pub mod audit;
pub mod crash;
pub mod http;
pub mod past;
pub mod postgres;
pub mod receiver;
pub mod snapshot;
pub mod upstream;
