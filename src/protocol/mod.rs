//! Wire bytes to and from exchanges and passages, one folder per dialect. Knows shapes, decides nothing.

pub mod json;
pub mod openai;
pub mod sse;
