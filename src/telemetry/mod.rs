//! Metric names and tracing set-up in one list.
