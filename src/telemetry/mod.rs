//! Metric names and tracing set-up in one list.

pub mod metrics;
pub mod trace;
