//! The wire formats: what is read, what is refused, and that everything arrives as it came.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cut;
mod dialect;
mod golden;
mod hostile;
mod json;
mod marker;
mod numbers;
mod rewrite;
mod sse;
mod support;
