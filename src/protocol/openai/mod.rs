//! The OpenAI dialect: chat completions, plain and streamed, and the list of models.

pub mod chunk;
mod edits;
pub mod error;
mod lift;
mod logprobs;
mod made;
pub mod models;
mod numbers;
mod pieces;
pub mod reply;
pub mod request;
pub mod stream;
mod strip;
pub mod template;
mod tools;
mod unseen;
pub mod usage;
mod words;

use crate::base::{Cause, Fault};

pub use chunk::ChatChunk;
pub use error::{ErrorReply, PublicError};
pub use models::ModelList;
pub use reply::ChatReply;
pub use request::ChatRequest;
pub use stream::ChatStream;
pub use template::Template;
pub use usage::Usage;

/// A fault of the provider's with a cause of its own.
fn provider_fault(cause: Cause, detail: impl Into<String>) -> Fault {
    Fault { cause, ..Fault::provider(detail) }
}
