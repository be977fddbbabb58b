//! The wire formats: what is read, what is refused, and that everything arrives as it came.

mod cut;
mod dialect;
mod golden;
mod hostile;
mod json;
mod marker;
mod rewrite;
mod sse;
mod support;
