//! The outbound side: pools, TLS, authentication. Sends only what is cleared.
//!
//! ```text
//! Cleared<Bytes> + OutboundHead ─► ProviderClient ─► (pool, TLS, HTTP/1.1 or 2) ─► ProviderReply ─► ProviderBody chunks
//! ```

pub mod client;
pub mod coding;
pub mod head;
pub mod media;
pub mod mock;
pub mod reply;
pub mod target;

pub use client::ProviderClient;
pub use coding::{Coding, CodingError, Decoder};
pub use head::OutboundHead;
pub use media::Media;
pub use mock::{MockConfig, MockFault, MockHandle, MockProvider, MockToolCall, Seen};
pub use reply::{ProviderBody, ProviderReply};
pub use target::{Auth, Provider};

#[cfg(test)]
mod tests;
